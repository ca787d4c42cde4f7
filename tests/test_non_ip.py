"""--non_ip: packets without IP as flows of MAC addresses, VLAN id and EtherType, told by the reader, by every sink and
by other programs; and that nothing changes for anybody who does not ask for it.
"""

import random

import pytest

import captures
import clerk_runner
import collectors
import flow_model
import ipfix_reader
import link_flows
import packets
import traffic
from link_flows import BROADCAST, arp, expected_records, frame, host
from live_clerk import LiveClerk
from namespaces import send_frame
from traffic import at

TEMPLATE = {258: [(56, 6), (80, 6), (256, 2), (352, 8), (2, 8), (156, 8), (157, 8), (136, 1), (58, 2)]}
UDP = traffic.packet_of(traffic.udp_key(), 0.35)


def tagged(network, *tags):
    """(TPID, VLAN id) each, the outermost first."""
    for tpid, vlan_id in reversed(tags):
        network = packets.vlan(network, vlan_id, tpid=tpid)
    return network


FRAMES = [
    arp(at(0.1)),
    arp(at(0.2), source=host(2), destination=host(1)),
    arp(at(0.3)),
    frame(packets.lldp(), at(0.4), ethertype=packets.ETHERTYPE_LLDP, destination="01:80:c2:00:00:0e"),
    frame(packets.spanning_tree(), at(0.5), ethertype=0, destination="01:80:c2:00:00:00"),
    frame(tagged(packets.arp(), (packets.TPID_8021Q, 7)), at(0.6), ethertype=packets.ETHERTYPE_ARP, vlan_id=7),
    frame(tagged(packets.arp(), (packets.TPID_8021AD, 100), (packets.TPID_8021Q, 200)), at(0.7),
          ethertype=packets.ETHERTYPE_ARP, vlan_id=100),
    frame(tagged(packets.arp(), (packets.TPID_8021Q, 0)), at(0.8), ethertype=packets.ETHERTYPE_ARP),
    arp(at(0.9)),
]


def write(path, frames, described=(), snap_length=65535):
    """A capture of frames without IP and of described packets, in the order of time."""
    records = [captures.Captured(one.time_ns, one.octets[:snap_length], len(one.octets)) for one in frames]
    records += traffic.captured(described, snap_length)
    path.write_bytes(captures.pcap(sorted(records, key=lambda record: record.time_ns)))
    return path


@pytest.fixture
def capture(tmp_path):
    return write(tmp_path / "x.pcap", FRAMES, [UDP])


def many_frames(seed, count, seconds):
    """Of a few hundred flows."""
    chance = random.Random(seed)
    times = sorted(chance.uniform(0, seconds) for _ in range(count))
    return [arp(at(time), source=host(chance.randrange(20)), destination=chance.choice([BROADCAST, host(1), host(2)]))
            if chance.random() < 0.7 else
            frame(tagged(packets.lldp(), (packets.TPID_8021Q, 5)), at(time), ethertype=packets.ETHERTYPE_LLDP,
                  source=host(chance.randrange(20)), vlan_id=5)
            for time in times]


def test_without_the_flag_they_are_counted_and_nothing_else(capture, tmp_path):
    path = tmp_path / "flows.ipfix"
    run = clerk_runner.read_capture("--read", capture, "--collector", "stdout", "--collector", "file:%s" % path)
    assert [record.key for record in run.records()] == [UDP.key]
    assert run.counts["ignored_non_ip"] == len(FRAMES)
    assert all(set(message.templates) <= {256, 257} for message in link_flows.file_messages(path))


def test_every_sink_tells_them(capture, tmp_path):
    lines, messages = tmp_path / "flows.json", tmp_path / "flows.ipfix"
    run = clerk_runner.read_capture("--read", capture, "--non_ip", "--collector", "stdout", "--collector",
                                    "json:%s" % lines, "--collector", "file:%s" % messages)
    expected = expected_records(FRAMES)
    assert link_flows.csv_records(run.stdout.decode()) == expected
    assert link_flows.json_records(lines.read_text()) == expected
    assert link_flows.ipfix_records(link_flows.file_messages(messages)) == expected
    assert (run.counts["packets_metered"], run.counts["records_exported"]) == (len(FRAMES) + 1, len(expected) + 1)
    assert run.counts["octets_metered"] == sum(len(one.octets) for one in FRAMES) + UDP.octets
    assert "ignored_non_ip" not in run.counts


def test_flows_of_ip_are_told_as_they_are_without_the_flag(tmp_path):
    described = traffic.random_traffic(31, flows=300, seconds=40)
    capture = write(tmp_path / "x.pcap", many_frames(31, 1000, 40), described)
    runs = [clerk_runner.read_capture("--read", capture, *flags) for flags in ([], ["--non_ip"])]
    without, together = (run.stdout.decode().splitlines() for run in runs)
    assert [line for line in together[1:] if line.endswith(",")] == [line + "," for line in without[1:]]
    assert runs[1].counts["packets_metered"] == len(described) + 1000


def test_octets_are_those_of_the_wire_whatever_the_capture_cut(tmp_path):
    path = write(tmp_path / "cut.pcap", [arp(at(0.1)), arp(at(0.2))], snap_length=20)
    run = clerk_runner.read_capture("--read", path, "--non_ip")
    assert link_flows.csv_records(run.stdout.decode()) == expected_records([arp(at(0.1)), arp(at(0.2))])


def test_encrypted_macsec_makes_flows_too(tmp_path):
    encrypted = packets.Network(0x88E5, bytes.fromhex("2c00000000010200000000010001") + bytes(range(60)))
    one = frame(encrypted, at(0.1), ethertype=0x88E5)
    path = write(tmp_path / "x.pcap", [one])
    assert link_flows.csv_records(clerk_runner.read_capture("--read", path, "--non_ip").stdout.decode()) \
        == expected_records([one])
    assert sum(clerk_runner.read_capture("--read", path).counts.get(name, 0)
               for name in ("ignored_macsec", "ignored_non_ip")) == 1


def test_a_link_that_tells_one_mac_address_has_zeros_for_the_other(tmp_path):
    path = tmp_path / "cooked.pcap"
    path.write_bytes(captures.pcap([captures.Captured(at(0), packets.sll(packets.arp()))],
                                   link_type=packets.LINK_SLL))
    [record] = link_flows.csv_records(clerk_runner.read_capture("--read", path, "--non_ip").stdout.decode())
    assert record.key == link_flows.Key(host(1), "00:00:00:00:00:00", packets.ETHERTYPE_ARP)


def test_their_timeouts_are_those_of_others(tmp_path):
    frames = [arp(at(second)) for second in range(0, 70, 10)] + [arp(at(200))]
    path = write(tmp_path / "x.pcap", frames)
    run = clerk_runner.read_capture("--read", path, "--non_ip")
    parts = [(flow_model.ACTIVE_TIMEOUT, frames[:6]), (flow_model.IDLE_TIMEOUT, frames[6:7]),
             (flow_model.FORCED_END, frames[7:])]
    assert link_flows.csv_records(run.stdout.decode()) \
        == [record for reason, some in parts for record in expected_records(some, reason)]


def test_they_have_no_as_number(capture, tmp_path):
    table = tmp_path / "asns.csv"
    table.write_text("0.0.0.0,255.255.255.255,64500\n")
    run = clerk_runner.read_capture("--read", capture, "--non_ip", "--asns_csv", table)
    assert link_flows.csv_records(run.stdout.decode()) == expected_records(FRAMES)
    assert [row["bgpSourceAsNumber"] for row in link_flows.csv_rows(run.stdout.decode()) if not row["ethernetType"]] \
        == ["64500"]


@pytest.mark.parametrize("options", [[], ["--flows_max", 20]], ids=["all held", "few held"])
def test_one_and_three_threads_write_the_same_bytes(tmp_path, options):
    capture = write(tmp_path / "x.pcap", many_frames(1, 20000, 30), traffic.random_traffic(1, flows=1000, seconds=30))
    outputs = set()
    for threads in (1, 3, 1):
        path = tmp_path / "flows.ipfix"
        run = clerk_runner.read_capture("--read", capture, "--non_ip", "--threads", threads, *options, "--collector",
                                        "stdout", "--collector", "file:%s" % path)
        outputs.add((run.stdout, path.read_bytes()))
    assert len(outputs) == 1


def test_a_flood_of_addresses_costs_records_and_no_packet(tmp_path):
    """More flows in a second than a meter's table takes, and many more than are held."""
    frames = [arp(at(0) + number, source=host(number)) for number in range(20000)]
    path = write(tmp_path / "flood.pcap", frames)
    run = clerk_runner.read_capture("--read", path, "--non_ip", "--flows_max", 50)
    assert run.counts["packets_metered"] == run.counts["records_exported"] == len(frames)
    records = link_flows.csv_records(run.stdout.decode())
    assert [record.key for record in records] == [one.key for one in frames]
    reasons = [record.end_reason for record in records]
    assert reasons == [flow_model.LACK_OF_RESOURCES] * (len(frames) - 50) + [flow_model.FORCED_END] * 50


# Other programs


@pytest.fixture
def exported(tmp_path):
    """An IPFIX file, and the records that it holds of flows without IP: no timeout passes."""
    frames = many_frames(5, 500, 20)
    capture = write(tmp_path / "x.pcap", frames, traffic.random_traffic(5, flows=50, seconds=20))
    path = tmp_path / "flows.ipfix"
    clerk_runner.read_capture("--read", capture, "--non_ip", "--idle-timeout", 600, "--active-timeout", 600,
                              "--collector", "file:%s" % path)
    return path, expected_records(frames)


def assert_same_within(tolerance_ns, found, expected):
    assert len(found) == len(expected) > 50
    for one, other in zip(found, expected):
        assert abs(one.first_ns - other.first_ns) <= tolerance_ns
        assert abs(one.last_ns - other.last_ns) <= tolerance_ns
        assert one == other._replace(first_ns=one.first_ns, last_ns=one.last_ns)


def test_tshark_reads_them(exported):
    path, expected = exported
    assert_same_within(1, link_flows.tshark_records(path), expected)


def test_ipfix_dump_reads_them(exported):
    path, expected = exported
    assert_same_within(10**9, link_flows.ipfix_dump_records(path), expected)


def test_python_ipfix_reads_them(exported):
    path, expected = exported
    assert_same_within(1000, link_flows.python_ipfix_records(path), expected)


def test_over_udp_their_template_comes_with_the_others_and_again(tmp_path):
    frames = [arp(at(second)) for second in range(0, 100, 2)]
    capture = write(tmp_path / "x.pcap", frames)
    with collectors.UdpReceiver() as receiver:
        clerk_runner.read_capture("--read", capture, "--non_ip", "--collector", "127.0.0.1:%d" % receiver.port)
        datagrams = receiver.datagrams()
    messages = ipfix_reader.read_datagrams(datagrams)
    announced = [message.templates for message in messages if message.templates]
    assert len(announced) >= 2
    assert all(set(templates) == {256, 257, 258} and templates[258] == TEMPLATE[258] for templates in announced)
    path = collectors.write_datagrams(tmp_path / "datagrams.pcap", datagrams, receiver.port)
    shown = link_flows.tshark_records(path, receiver.port)
    assert sum(record.packets for record in shown) == len(frames)


# The command line, and live


def test_check_tells_it(capture):
    plans = [clerk_runner.run_clerk("--read", capture, "--check", *flags).stdout.decode()
             for flags in ([], ["--non_ip"], ["--non-ip"])]
    assert ["without IP" in plan for plan in plans] == [False, True, True]


def test_live_they_are_metered_with_the_tag_that_the_kernel_took_off(wire):
    frames = [arp(0), frame(tagged(packets.arp(), (packets.TPID_8021Q, 7)), 0, ethertype=packets.ETHERTYPE_ARP,
                            vlan_id=7), arp(0, source=host(3))]
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", 2, "--non_ip") as clerk:
        clerk.wait_until_capturing()
        with wire.network.frame_socket(wire.uplink) as uplink:
            for one in frames * 10:
                send_frame(uplink, one.octets)
        run = clerk.stop()
    totals = {}
    for record in link_flows.csv_records(run.stdout.decode()):
        packets_before, octets_before = totals.get(record.key, (0, 0))
        totals[record.key] = packets_before + record.packets, octets_before + record.octets
    assert totals == {one.key: (10, 10 * len(one.octets)) for one in frames}
    assert run.counts["packets_metered"] == 10 * len(frames)
