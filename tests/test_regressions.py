"""One test for each defect of the program that clerk replaces, so that none comes back."""

import signal
import time

import captures
import clerk_runner
import collectors
import ipfix_reader
import packets
import traffic
from flow_model import FORCED_END

ADDRESSES = ("10.0.0.1", "10.0.0.2")
ADDRESSES6 = ("2001:db8::1", "2001:db8::2")
NTP_TO_UNIX_S = 2_208_988_800


def write_networks(tmp_path, *networks):
    path = tmp_path / "defect.pcap"
    path.write_bytes(captures.pcap(captures.Captured(traffic.at(place * 0.1), packets.ethernet(network, minimum=60))
                                   for place, network in enumerate(networks)))
    return path


def flows(tmp_path, *networks):
    return clerk_runner.read_capture("--read", write_networks(tmp_path, *networks)).records()


def exported_messages(tmp_path, capture, *arguments):
    path = tmp_path / "defect.ipfix"
    clerk_runner.read_capture("--read", capture, "--collector", "file:%s" % path, *arguments)
    return ipfix_reader.read_datagrams(ipfix_reader.split_file(path.read_bytes()))


def test_octets_are_the_ip_length_not_the_frame_length(tmp_path):
    [record] = flows(tmp_path, packets.ipv4(*ADDRESSES, packets.udp(1, 2)))
    assert record.octets == 28


def test_the_vlan_id_is_twelve_bits_without_the_priority(tmp_path):
    networks = [packets.vlan(packets.ipv4(*ADDRESSES, packets.udp(1, 2)), 5, priority=priority) for priority in (0, 7)]
    [record] = flows(tmp_path, *networks)
    assert (record.key.vlan_id, record.packets) == (5, 2)


def test_the_class_of_service_is_not_shifted_to_a_dscp(tmp_path):
    [record] = flows(tmp_path, packets.ipv4(*ADDRESSES, packets.udp(1, 2), tos=0xB8 | 1))
    assert record.tos == 0xB9


def test_the_first_next_header_of_ipv6_is_not_the_protocol(tmp_path):
    extensions = [packets.hop_by_hop(), packets.destination_options()]
    [record] = flows(tmp_path, packets.ipv6(*ADDRESSES6, packets.tcp(1000, 443), extensions=extensions))
    assert (record.key.protocol, record.key.source_port, record.key.destination_port) == (6, 1000, 443)


def test_ports_are_never_read_from_later_fragments(tmp_path):
    payload = packets.udp(1, 2, packets.udp(6666, 7777).octets * 20)
    [record] = flows(tmp_path, *packets.ipv4_fragments(*ADDRESSES, payload, size=64, identification=1))
    assert (record.key.source_port, record.key.destination_port) == (1, 2)
    [record] = flows(tmp_path, packets.ipv4_fragments(*ADDRESSES, payload, size=64, identification=1)[1])
    assert (record.key.source_port, record.key.destination_port) == (0, 0)


def test_icmpv6_has_an_element_of_its_own(tmp_path):
    capture = write_networks(tmp_path, packets.ipv6(*ADDRESSES6, packets.icmpv6(128, 3)),
                             packets.ipv4(*ADDRESSES, packets.icmp(8, 1)))
    records = [record for message in exported_messages(tmp_path, capture) for record in message.records]
    assert {record.get("icmpTypeCodeIPv6") for record in records} == {128 << 8 | 3, None}
    assert {record.get("icmpTypeCodeIPv4") for record in records} == {8 << 8 | 1, None}


def test_the_observation_domain_can_be_chosen(tmp_path):
    capture = write_networks(tmp_path, packets.ipv4(*ADDRESSES, packets.udp(1, 2)))
    messages = exported_messages(tmp_path, capture, "--observation_domain", 77)
    assert {message.domain for message in messages} == {77}


def test_packets_that_are_not_ip_are_not_passed_over_in_silence(tmp_path):
    run = clerk_runner.read_capture("--read", write_networks(tmp_path, packets.arp(), packets.arp()))
    assert (run.counts["packets_received"], run.counts["ignored_non_ip"]) == (2, 2)


def test_a_shutdown_flushes_every_held_flow(tmp_path):
    process = clerk_runner.start_clerk("--read", "-")
    process.stdin.write(captures.pcap(traffic.captured([traffic.packet_of(traffic.udp_key(), 1)])))
    process.stdin.flush()
    time.sleep(0.5)
    run = clerk_runner.stop_clerk(process, signal.SIGTERM)
    assert run.exit_status == 0
    assert [record.end_reason for record in run.records()] == [FORCED_END]


def test_ipv4_messages_are_not_sized_for_ipv6_records(tmp_path):
    described = [traffic.packet_of(traffic.udp_key(number), number * 1e-6) for number in range(1, 47)]
    capture = traffic.write_capture(tmp_path / "x.pcap", described)
    with collectors.UdpReceiver() as receiver:
        clerk_runner.read_capture("--read", capture, "--collector", "127.0.0.1:%d" % receiver.port)
        messages = ipfix_reader.read_datagrams(receiver.datagrams())
    assert [len(message.records) for message in messages if message.records] == [23, 23]


def test_nanosecond_elements_carry_nanoseconds_in_ntp_format(tmp_path):
    packet = traffic.packet_of(traffic.udp_key(), 0)._replace(time_ns=1_700_000_000_500_000_001)
    capture = traffic.write_capture(tmp_path / "x.pcap", [packet])
    message = exported_messages(tmp_path, capture)[-1]
    assert [element for element, _ in ipfix_fields(tmp_path, capture) if element in (152, 153, 156, 157)] == [156, 157]
    start = message.octets[-20:-12]
    assert int.from_bytes(start[:4], "big") == 1_700_000_000 + NTP_TO_UNIX_S
    assert int.from_bytes(start[4:], "big") == round(0.500_000_001 * 2**32)


def ipfix_fields(tmp_path, capture):
    return exported_messages(tmp_path, capture)[0].templates[256]


def test_the_start_time_belongs_to_the_record_that_carries_the_counts(tmp_path):
    described = [traffic.packet_of(traffic.udp_key(), second, octets=1000) for second in range(0, 180)]
    capture = traffic.write_capture(tmp_path / "x.pcap", described)
    records = clerk_runner.read_capture("--read", capture, "--active-timeout", 60).records()
    assert len(records) == 3
    for earlier, later in zip(records, records[1:]):
        assert later.first_ns == earlier.last_ns + 10**9
    for record in records:
        assert record.packets == (record.last_ns - record.first_ns) // 10**9 + 1
        assert record.octets == 1000 * record.packets


def test_no_record_with_zero_packets_is_sent(tmp_path):
    described = [traffic.packet_of(traffic.udp_key(number), second) for number, second in
                 ((1, 0), (1, 1), (2, 2), (2, 70), (2, 140), (2, 300))]
    capture = traffic.write_capture(tmp_path / "x.pcap", described)
    records = clerk_runner.read_capture("--read", capture).records()
    assert [record.packets for record in records] == [2, 1, 1, 1, 1]
