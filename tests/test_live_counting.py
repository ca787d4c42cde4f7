"""Live capture counts what is on the wire: with any threads, in every fanout mode, tags, directions, filters."""

import socket
import threading

import pytest

import clerk_runner
import live_flows
import namespaces
import packets
import traffic
from flow_model import SECOND
from live_clerk import LiveClerk
from live_flows import assert_complete, assert_flows
from load import Sender
from namespaces import Wire
from traffic import packet_of, tcp_key, udp6_key, udp_key

FANOUT_MODES = ["hash", "cpu", "lb", "qm", "rnd", "rollover"]


def counted(wire, described, *arguments, **options):
    """The run of a clerk that watched while these packets were sent."""
    with LiveClerk(wire.probe, "--interface", wire.watched, *arguments) as clerk:
        clerk.wait_until_capturing(wire.watched)
        wire.send(described, **options)
        run = clerk.stop()
    wire.assert_quiet()
    return run


# Threads and fanout


@pytest.mark.parametrize("fanout", FANOUT_MODES)
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_packet_is_counted_at_any_number_of_threads(wire, threads, fanout):
    described = traffic.random_traffic(threads, flows=1000, seconds=60)
    run = counted(wire, described, "--threads", threads, "--fanout", fanout)
    assert_complete(run, wire.sent)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_flow_is_one_record_while_its_packets_reach_one_thread(wire, threads):
    described = traffic.random_traffic(7, flows=1000, seconds=60)
    run = counted(wire, described, "--threads", threads, "--fanout", "hash")
    assert len(run.records()) == len(live_flows.totals_of_packets(described))


@pytest.mark.parametrize("fanout", ["lb", "rnd"])
def test_the_packets_of_one_flow_may_reach_every_thread(wire, fanout):
    described = [packet_of(udp_key(), 0, octets=100 + place) for place in range(1000)]
    run = counted(wire, described, "--threads", 4, "--fanout", fanout)
    assert_complete(run, wire.sent)
    assert len(run.records()) == 1


def test_a_replayed_capture_makes_the_flows_that_reading_it_makes(wire, tmp_path):
    described = traffic.random_traffic(8, flows=500, seconds=3)
    capture = traffic.write_capture(tmp_path / "x.pcap", described, snap_length=65535)
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", 2) as clerk:
        clerk.wait_until_capturing()
        with Sender(wire, "--read", capture, "--speed", 2) as sender:
            sent = sender.wait()
        run = clerk.stop()
    octets = sum(packet.octets for packet in described)
    assert (sent["packets"], sent["octets"]) == (len(described), octets)
    own_s = (described[-1].time_ns - described[0].time_ns) / SECOND
    assert own_s / 2 <= sent["seconds"] <= own_s / 2 + 1
    assert (run.counts["packets_received"], run.counts["octets_metered"]) == (len(described), octets)
    read = clerk_runner.read_capture("--read", capture)
    assert live_flows.totals_of_records(run.records()) == live_flows.totals_of_records(read.records())


def test_times_are_those_of_the_wire(wire):
    """Far enough apart that one packet's window is not another one's."""
    described = [packet_of(udp_key(number % 10), 0) for number in range(60)]
    run = counted(wire, described, "--threads", 2, gap_s=0.025)
    assert_complete(run, wire.sent)


# Tags


PRIORITY_5, NO_VLAN = 5, 0


def tagged(*tags):
    """Frames whose network layer is wrapped into these (TPID, VLAN id) tags, the outermost first."""
    def frame_of(packet):
        network = traffic.network_of(packet._replace(key=packet.key._replace(vlan_id=0)))
        for tpid, vlan_id in reversed(tags):
            network = packets.vlan(network, vlan_id, priority=PRIORITY_5, tpid=tpid)
        return packets.ethernet(network, minimum=60)

    return frame_of


TAGS = {
    "802.1Q": [(packets.TPID_8021Q, 100)],
    "802.1ad": [(packets.TPID_8021AD, 200)],
    "QinQ": [(packets.TPID_8021AD, 300), (packets.TPID_8021Q, 100)],
    "802.1Q twice": [(packets.TPID_8021Q, 301), (packets.TPID_8021Q, 100)],
    "QinQ of old": [(packets.TPID_QINQ, 302), (packets.TPID_8021Q, 100)],
    "three tags": [(packets.TPID_8021AD, 303), (packets.TPID_8021Q, 101), (packets.TPID_8021Q, 100)],
    "priority tag": [(packets.TPID_8021Q, NO_VLAN)],
    "highest id": [(packets.TPID_8021Q, 4095)],
}


def tagged_flows(tags):
    vlan_id = tags[0][1]
    return [packet_of(make_key(number, vlan_id=vlan_id), 0, octets=200) for number in range(1, 20)
            for make_key in (tcp_key, udp_key, udp6_key)]


@pytest.mark.parametrize("tags", TAGS.values(), ids=TAGS.keys())
def test_the_outermost_tag_is_the_vlan_whoever_takes_it_off(wire, tags):
    """The kernel takes the first tag off what an interface receives, and leaves it in what is sent."""
    described = tagged_flows(tags)
    with LiveClerk(wire.probe, "--interface", wire.watched) as clerk:
        clerk.wait_until_capturing()
        received = wire.send(described, tagged(*tags))
        wire.send_through(wire.probe.frame_socket(wire.watched), described, tagged(*tags))
        run = clerk.stop()
    assert len(received) == wire.probe.counters(wire.watched).received_packets
    assert_complete(run, wire.sent)
    assert len(run.records()) == len(live_flows.totals_of_packets(described))


# Directions, and interfaces


def test_what_the_interface_sends_is_counted_too(wire):
    incoming = traffic.random_traffic(1, flows=200, seconds=10)
    outgoing = traffic.random_traffic(2, flows=200, seconds=10)
    with LiveClerk(wire.probe, "--interface", wire.watched, "--threads", 2) as clerk:
        clerk.wait_until_capturing()
        wire.send(incoming)
        wire.send_through(wire.probe.frame_socket(wire.watched), outgoing)
        run = clerk.stop()
    counters = wire.probe.counters(wire.watched)
    assert (counters.received_packets, counters.sent_packets) == (len(incoming), len(outgoing))
    assert_complete(run, wire.sent)


@pytest.mark.parametrize("threads", [1, 2])
def test_on_the_loopback_interface_each_packet_counts_once(wire, threads):
    with LiveClerk(wire.probe, "--interface", "lo", "--threads", threads) as clerk:
        clerk.wait_until_capturing("lo")
        with wire.probe.entered():
            receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        with receiver, sender:
            receiver.bind(("127.0.0.1", 0))
            for _ in range(300):
                sender.sendto(bytes(72), receiver.getsockname())
        run = clerk.stop()
    [record] = run.records()
    assert (record.packets, record.octets, record.key.protocol) == (300, 300 * 100, packets.PROTOCOL_UDP)
    assert run.counts["packets_received"] == wire.probe.counters("lo").received_packets == 300


@pytest.fixture
def second_wire(wire):
    second = Wire(wire.probe, wire.network, "other", "otherlink")
    second.connect()
    return second


def test_several_interfaces_are_watched_at_once(wire, second_wire):
    with LiveClerk(wire.probe, "--interface", "watched", "--interface", "other", "--threads", 2) as clerk:
        clerk.wait_until_capturing("watched").wait_until_capturing("other")
        wire.send(traffic.random_traffic(3, flows=300, seconds=10))
        second_wire.send(traffic.random_traffic(4, flows=300, seconds=10))
        run = clerk.stop()
    assert_complete(run, wire.sent + second_wire.sent)


def test_a_packet_that_two_interfaces_see_counts_twice_in_one_flow(wire, second_wire):
    described = [packet_of(udp_key(number), 0, octets=300) for number in range(1, 50)]
    with LiveClerk(wire.probe, "--interface", "watched", "--interface", "other") as clerk:
        clerk.wait_until_capturing("watched").wait_until_capturing("other")
        wire.send(described)
        second_wire.send(described)
        run = clerk.stop()
    assert_complete(run, wire.sent + second_wire.sent)
    assert [record.packets for record in run.records()] == [2] * len(described)


@pytest.mark.parametrize("threads", [1, 2])
def test_two_programs_that_watch_one_interface_both_see_everything(wire, threads):
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", threads) as one, \
         LiveClerk(wire.probe, "--interface", "watched", "--threads", threads) as other:
        for clerk in (one, other):
            clerk.wait_until_capturing()
        wire.send(traffic.random_traffic(5, flows=300, seconds=10))
        for run in (one.stop(), other.stop()):
            assert_complete(run, wire.sent)


# Lengths


@pytest.mark.parametrize("snaplen", [96, 256, 65535])
def test_octets_are_those_of_the_wire_whatever_the_snap_length(wire, snaplen):
    described = [packet_of(make_key(number), 0, octets=octets) for make_key in (tcp_key, udp_key, udp6_key)
                 for number, octets in enumerate([60, 82, 100, 300, 1000, 1499, 1500], 1)]
    assert_complete(counted(wire, described, "--snaplen", snaplen), wire.sent)


@pytest.fixture
def jumbo_wire():
    with namespaces.two_namespaces() as (probe, network):
        wire = Wire(probe, network)
        wire.connect(mtu=9000)
        yield wire


def test_jumbo_frames_count_in_full(jumbo_wire):
    described = [packet_of(udp_key(number), 0, octets=9000 - number) for number in range(200)]
    run = counted(jumbo_wire, described)
    assert_complete(run, jumbo_wire.sent)
    assert "super_packets" not in run.counts


def test_jumbo_frames_above_the_mtu_that_the_user_says_are_super_packets(jumbo_wire):
    described = [packet_of(udp_key(), 0, octets=octets) for octets in (100, 1500, 1501, 9000)]
    run = counted(jumbo_wire, described, "--mtu", 1500)
    assert_complete(run, jumbo_wire.sent)
    assert run.counts["super_packets"] == 2


PROBE_ADDRESS, NETWORK_ADDRESS = "192.0.2.1", "192.0.2.2"
STREAM_OCTETS = 20 << 20


@pytest.fixture
def addressed_wire(wire):
    """With the kernel's own TCP at both ends, which hands segments of up to 64 KiB to the interface."""
    for namespace, interface, address, other in ((wire.probe, wire.watched, PROBE_ADDRESS, NETWORK_ADDRESS),
                                                 (wire.network, wire.uplink, NETWORK_ADDRESS, PROBE_ADDRESS)):
        namespace.ip("link", "set", interface, "arp", "on")
        namespace.ip("address", "add", address + "/24", "dev", interface)
    return wire


def stream(wire):
    """Sends STREAM_OCTETS from `network` to `probe` over one TCP connection that both sides close."""
    with wire.probe.entered():
        listener = socket.create_server((PROBE_ADDRESS, 0))
    with wire.network.entered():
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    def send():
        with client:
            client.connect(listener.getsockname())
            client.sendall(bytes(STREAM_OCTETS))

    sender = threading.Thread(target=send)
    sender.start()
    with listener, listener.accept()[0] as server:
        while server.recv(1 << 20):
            pass
    sender.join()


def test_segments_that_a_card_would_have_to_cut_count_to_the_octet(addressed_wire):
    wire = addressed_wire
    with LiveClerk(wire.probe, "--interface", wire.watched, "--threads", 2) as clerk:
        clerk.wait_until_capturing()
        stream(wire)
        run = clerk.stop()
        counters = wire.probe.counters(wire.watched)
    ethernet, arp = 14, 28
    frames = counters.received_packets + counters.sent_packets
    octets = counters.received_octets + counters.sent_octets - frames * ethernet
    assert run.counts["packets_received"] == frames
    assert run.counts["octets_metered"] + run.counts["ignored_non_ip"] * arp == octets > STREAM_OCTETS
    assert 0 < run.counts["super_packets"] < frames
    there, back = sorted(run.records(), key=lambda record: -record.octets)
    assert (there.key.source, back.key.source) == (NETWORK_ADDRESS, PROBE_ADDRESS)
    assert there.tcp_flags & back.tcp_flags & (packets.SYN | packets.FIN) == packets.SYN | packets.FIN


def test_an_mtu_of_the_users_stands_for_that_of_the_interface(addressed_wire):
    wire = addressed_wire
    with LiveClerk(wire.probe, "--interface", wire.watched, "--mtu", 65536) as clerk:
        clerk.wait_until_capturing()
        stream(wire)
        run = clerk.stop()
    assert run.counts["packets_metered"] > 0 and "super_packets" not in run.counts


def test_the_mtu_is_that_of_the_interface_that_came_back(wire):
    long = [packet_of(udp_key(), 0, octets=octets) for octets in (1500, 2000, 3000)]
    with LiveClerk(wire.probe, "--interface", wire.watched) as clerk:
        clerk.wait_until_capturing()
        wire.remove()
        clerk.wait_for_line("interface watched: was removed")
        wire.connect(mtu=9000)
        clerk.wait_until_capturing(count=2)
        wire.send(long)
        run = clerk.stop()
    assert run.counts["packets_metered"] == len(long) and "super_packets" not in run.counts


# Filters in the kernel


FILTERS = {
    "vlan 100": lambda key: key.vlan_id == 100,
    "vlan and tcp": lambda key: key.vlan_id and key.protocol == packets.PROTOCOL_TCP,
    "not vlan": lambda key: not key.vlan_id,
    "udp": lambda key: key.protocol == packets.PROTOCOL_UDP,
    "ip6": lambda key: key.is_ipv6,
    "tcp port 443 or icmp": lambda key: key.protocol == packets.PROTOCOL_ICMP or (
        key.protocol == packets.PROTOCOL_TCP and 443 in (key.source_port, key.destination_port)),
}


@pytest.mark.parametrize("expression", FILTERS)
def test_a_filter_passes_exactly_the_packets_that_it_names(wire, expression):
    described = traffic.random_traffic(11, flows=1500, seconds=60)
    named = [packet for packet in described if FILTERS[expression](packet.key)]
    assert 0 < len(named) < len(described)
    run = counted(wire, described, "--filter", expression, "--threads", 2)
    assert run.counts["packets_received"] == len(named)
    assert_flows(run.records(), named)


@pytest.mark.parametrize("expression", ["vlan 100", "vlan and tcp", "not vlan"])
def test_a_filter_finds_the_tag_in_what_the_interface_sends_too(wire, expression):
    """There it is still in the frame."""
    described = traffic.random_traffic(11, flows=1500, seconds=60)
    named = [packet for packet in described if FILTERS[expression](packet.key)]
    with LiveClerk(wire.probe, "--interface", "watched", "--filter", expression) as clerk:
        clerk.wait_until_capturing()
        wire.send_through(wire.probe.frame_socket("watched"), described)
        run = clerk.stop()
    assert_flows(run.records(), named)


def test_a_filter_leaves_the_octets_of_long_packets_whole(wire):
    described = [packet_of(udp_key(number), 0, octets=1500) for number in range(100)]
    assert_complete(counted(wire, described, "--filter", "udp", "--snaplen", 96), wire.sent)


# What cannot be metered


def test_packets_that_are_not_ip_are_received_and_counted_by_cause(wire):
    described = [packet_of(udp_key(), 0)] * 10
    run = counted(wire, described, frame_of=lambda _: packets.ethernet(packets.arp(), minimum=60))
    assert run.counts["packets_received"] == run.counts["ignored_non_ip"] == 10
    assert run.records() == []
