"""Capture files in every form that is whole: what is read of them. For the others see test_reading_damage.py."""

import os
import threading

import pytest

import captures
import clerk_runner
import packets
import traffic
from captures import Captured, Interface
from flow_model import SECOND, expected_records

KEYS = [traffic.tcp_key(1), traffic.udp_key(2), traffic.udp6_key(3), traffic.tcp_key(4)]
DESCRIBED = [traffic.packet_of(key, place * 0.25, 80 + place) for place, key in enumerate(KEYS * 3)]


def read_file(tmp_path, content, *options, name="capture", **expectation):
    path = tmp_path / name
    path.write_bytes(content)
    return clerk_runner.read_capture("--read", path, *options, **expectation)


def assert_all_flows(run):
    assert run.records() == expected_records(DESCRIBED)


# pcap


@pytest.mark.parametrize("nanoseconds", [False, True], ids=["microseconds", "nanoseconds"])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little endian", "big endian"])
def test_pcap_is_read_in_both_byte_orders_and_resolutions(tmp_path, order, nanoseconds):
    content = captures.pcap(traffic.captured(DESCRIBED), order, nanoseconds=nanoseconds)
    assert_all_flows(read_file(tmp_path, content))


def test_pcap_nanoseconds_survive_to_the_last_digit(tmp_path):
    packet = traffic.packet_of(KEYS[0], 0)._replace(time_ns=traffic.START_NS + 123_456_789)
    run = read_file(tmp_path, captures.pcap(traffic.captured([packet])))
    assert [record.first_ns for record in run.records()] == [packet.time_ns]


@pytest.mark.parametrize("link_type", sorted(packets.LINK_LAYERS))
def test_each_link_type_leads_to_the_same_flow(tmp_path, link_type):
    family = traffic.udp6_key() if link_type == packets.LINK_IPV6 else traffic.udp_key()
    packet = traffic.packet_of(family, 1)
    frame = packets.LINK_LAYERS[link_type](traffic.network_of(packet))
    run = read_file(tmp_path, captures.pcap([Captured(packet.time_ns, frame)], link_type=link_type))
    assert run.records() == expected_records([packet])


def test_an_unknown_link_type_is_counted_not_guessed_at(tmp_path):
    records = traffic.captured(DESCRIBED)
    run = read_file(tmp_path, captures.pcap(records, link_type=147))
    assert run.records() == []
    assert run.counts["ignored_link_type"] == len(records)


# pcapng


INTERFACES = {
    "no resolution means microseconds": Interface(),
    "milliseconds": Interface(resolution=3),
    "nanoseconds": Interface(resolution=9),
    "a power of two": Interface(resolution=0x80 | 20),
    "a coarse power of two": Interface(resolution=0x80 | 2),
    "a time offset": Interface(resolution=9, offset_s=1_600_000_000),
    "a negative time offset": Interface(resolution=6, offset_s=-7200),
    "a snap length": Interface(snap_length=65535),
}


@pytest.mark.parametrize("order", ["<", ">"], ids=["little endian", "big endian"])
@pytest.mark.parametrize("interface", INTERFACES.values(), ids=INTERFACES.keys())
def test_pcapng_times_follow_the_interface(tmp_path, interface, order):
    content = captures.pcapng(traffic.captured(DESCRIBED), [interface], order)
    assert_all_flows(read_file(tmp_path, content))


def test_pcapng_interfaces_have_resolutions_and_link_types_of_their_own(tmp_path):
    interfaces = [Interface(), Interface(packets.LINK_SLL, 9), Interface(packets.LINK_RAW, 0x80 | 20, 1000),
                  Interface(packets.LINK_SLL2, 6, -50)]
    records = []
    for place, packet in enumerate(DESCRIBED):
        link_layer = packets.LINK_LAYERS[interfaces[place % 4].link_type]
        records.append(Captured(packet.time_ns, link_layer(traffic.network_of(packet)), interface=place % 4))
    assert_all_flows(read_file(tmp_path, captures.pcapng(records, interfaces)))


def test_pcapng_sections_may_change_the_byte_order_and_the_interfaces(tmp_path):
    records = traffic.captured(DESCRIBED)
    content = captures.pcapng(records[:5], [Interface(resolution=9)], "<") \
        + captures.pcapng(records[5:9], [Interface(resolution=0x80 | 20)], ">") \
        + captures.pcapng(records[9:], [Interface()], "<")
    assert_all_flows(read_file(tmp_path, content))


@pytest.mark.parametrize("order", ["<", ">"], ids=["little endian", "big endian"])
def test_pcapng_blocks_that_are_no_packets_are_stepped_over(tmp_path, order):
    interface = Interface(resolution=9)
    other_blocks = captures.unknown_block(order) + captures.block(captures.NAME_RESOLUTION, bytes(4), order) \
        + captures.block(captures.INTERFACE_STATISTICS, bytes(12), order)
    content = captures.section_header(order) + other_blocks + captures.interface_description(interface, order)
    for record in traffic.captured(DESCRIBED):
        content += captures.enhanced_packet(record, interface, order) + other_blocks
    assert_all_flows(read_file(tmp_path, content))


def test_a_simple_packet_block_counts_though_it_has_no_time(tmp_path):
    record = traffic.captured(DESCRIBED)[0]
    content = captures.section_header() + captures.interface_description(Interface()) + captures.simple_packet(record)
    records = read_file(tmp_path, content).records()
    assert [(flow.key, flow.packets, flow.octets) for flow in records] == [(KEYS[0], 1, 80)]


def test_a_time_beyond_what_ipfix_can_tell_is_counted(tmp_path):
    record = traffic.captured(DESCRIBED)[0]
    late = record._replace(time_ns=2**32 * SECOND)
    run = read_file(tmp_path, captures.pcapng([record, late, record]))
    assert [flow.packets for flow in run.records()] == [2]
    assert run.counts["ignored_bad_time"] == 1


# Compressed, from stdin, several


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("write", [captures.pcap, captures.pcapng], ids=["pcap", "pcapng"])
def test_compressed_files_are_read(tmp_path, kind, write):
    content = captures.compressed(kind, write(traffic.captured(DESCRIBED)))
    assert_all_flows(read_file(tmp_path, content, name="capture.pcap." + kind))


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_compressed_members_one_behind_the_other_are_one_file(tmp_path, kind):
    content = captures.pcap(traffic.captured(DESCRIBED))
    joined = captures.compressed(kind, content[:500]) + captures.compressed(kind, content[500:])
    assert_all_flows(read_file(tmp_path, joined, name="capture.pcap." + kind))


@pytest.mark.parametrize("write", [captures.pcap, captures.pcapng], ids=["pcap", "pcapng"])
def test_a_dash_reads_stdin(write):
    run = clerk_runner.read_capture("--read", "-", stdin=write(traffic.captured(DESCRIBED)))
    assert_all_flows(run)


def test_compressed_stdin_is_known_by_its_first_octets():
    content = captures.pcap(traffic.captured(DESCRIBED))
    assert_all_flows(clerk_runner.read_capture("--read", "-", stdin=captures.compressed("gz", content)))


def test_a_named_pipe_is_read(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[captures.pcap(traffic.captured(DESCRIBED))])
    writer.start()
    assert_all_flows(clerk_runner.read_capture("--read", pipe))
    writer.join()


def test_several_files_are_one_input_in_the_order_of_the_command_line(tmp_path):
    first, second = tmp_path / "first.pcap", tmp_path / "second.pcapng"
    first.write_bytes(captures.pcap(traffic.captured(DESCRIBED[:6])))
    second.write_bytes(captures.pcapng(traffic.captured(DESCRIBED[6:])))
    assert_all_flows(clerk_runner.read_capture("--read", first, "--read", second))


def test_a_capture_without_packets_gives_a_header_and_no_flow(tmp_path):
    run = read_file(tmp_path, captures.pcap([]))
    assert run.records() == []
    assert run.counts["packets_received"] == 0


# Times


def test_a_wide_gap_between_two_packets_costs_no_time(tmp_path):
    packet = DESCRIBED[0]
    later = packet._replace(time_ns=packet.time_ns + 20 * 365 * 86400 * SECOND)
    run = read_file(tmp_path, captures.pcap(traffic.captured([packet, later])), timeout_s=10)
    assert [(record.first_ns, record.packets) for record in run.records()] == [(packet.time_ns, 1), (later.time_ns, 1)]


def test_zero_is_a_time_like_any_other(tmp_path):
    packet = DESCRIBED[0]._replace(time_ns=0)
    run = read_file(tmp_path, captures.pcap(traffic.captured([packet])))
    assert [(record.first_ns, record.packets) for record in run.records()] == [(0, 1)]


def test_a_step_back_within_the_idle_timeout_splits_no_flow(tmp_path):
    packet = DESCRIBED[0]
    earlier = packet._replace(time_ns=packet.time_ns - 20 * SECOND)
    run = read_file(tmp_path, captures.pcap(traffic.captured([packet, earlier])))
    assert [(record.first_ns, record.last_ns, record.packets) for record in run.records()] == \
        [(earlier.time_ns, packet.time_ns, 2)]


def test_a_step_back_to_zero_ends_what_is_held_and_goes_on(tmp_path):
    packet = DESCRIBED[0]
    run = read_file(tmp_path, captures.pcap(traffic.captured([packet, packet._replace(time_ns=0), packet])))
    assert [(record.first_ns, record.packets) for record in run.records()] == \
        [(packet.time_ns, 1), (0, 1), (packet.time_ns, 1)]


# Filters


def test_a_filtered_out_packet_was_not_received(tmp_path):
    run = read_file(tmp_path, captures.pcap(traffic.captured(DESCRIBED)), "--filter", "udp")
    chosen = [packet for packet in DESCRIBED if packet.key.protocol == packets.PROTOCOL_UDP]
    assert run.records() == expected_records(chosen)
    assert run.counts["packets_received"] == len(chosen)
    assert run.counts["packets_filtered"] == len(DESCRIBED) - len(chosen)


def test_the_filter_fits_the_link_type_of_each_file(tmp_path):
    cooked, wired = tmp_path / "cooked.pcap", tmp_path / "wired.pcap"
    packet, other = DESCRIBED[1], DESCRIBED[5]
    cooked.write_bytes(captures.pcap([Captured(packet.time_ns, packets.sll(traffic.network_of(packet)))],
                                     link_type=packets.LINK_SLL))
    wired.write_bytes(captures.pcap(traffic.captured([other, DESCRIBED[0]])))
    run = clerk_runner.read_capture("--read", cooked, "--read", wired, "--filter", "udp port 53")
    assert run.records() == expected_records([packet, other])


def test_a_filter_that_does_not_compile_is_bad_usage(tmp_path):
    path = traffic.write_capture(tmp_path / "x.pcap", DESCRIBED)
    run = clerk_runner.run_clerk("--read", path, "--filter", "udp or or", expect=2)
    assert "--filter" in run.stderr


# Super-packets


@pytest.mark.parametrize("arguments, super_packets", [((), 3), (("--mtu", 9000), 1), (("--mtu", 65536), None)])
def test_packets_that_no_link_carried_as_they_are_count_in_full_and_by_name(tmp_path, arguments, super_packets):
    described = [traffic.packet_of(key, place, octets) for place, (key, octets) in enumerate(
        [(KEYS[0], 1500), (KEYS[1], 1501), (KEYS[2], 9000), (KEYS[3], 40000)])]
    run = read_file(tmp_path, captures.pcap(traffic.captured(described)), *arguments)
    assert run.records() == expected_records(described)
    assert run.counts.get("super_packets") == super_packets


def test_a_packet_that_states_no_length_is_a_super_packet_of_its_length_on_the_wire(tmp_path):
    network = packets.ipv4("10.0.0.1", "10.0.0.2", packets.udp(1, 2, bytes(5000)), total_length=0)
    run = read_file(tmp_path, captures.pcap([Captured(traffic.START_NS, packets.ethernet(network))]))
    assert [record.octets for record in run.records()] == [5028]
    assert run.counts["super_packets"] == 1


@pytest.mark.parametrize("mtu", ["0", "67", "65537", "jumbo"])
def test_an_mtu_that_no_link_has_is_bad_usage(mtu):
    run = clerk_runner.run_clerk("--read", "x.pcap", "--mtu", mtu, expect=2)
    assert "--mtu" in run.stderr
