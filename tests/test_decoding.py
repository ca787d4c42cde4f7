"""From octets to flow keys: every header that clerk looks through, and what it does not guess at."""

import pytest

import captures
import clerk_runner
import packets
import traffic
from packets import Transport

IPV4 = ("10.0.0.1", "10.0.0.2")
IPV6 = ("2001:db8::1", "2001:db8::2")
UDP = packets.udp(5000, 53, b"question")


def metered(tmp_path, *frames, link_type=packets.LINK_ETHERNET, wire_length=None):
    """The run and the records of a capture of these frames."""
    path = tmp_path / "decode.pcap"
    path.write_bytes(captures.pcap((captures.Captured(traffic.at(place * 0.01), frame, wire_length)
                                    for place, frame in enumerate(frames)), link_type=link_type))
    run = clerk_runner.read_capture("--read", path)
    return run, run.records()


def only_record(tmp_path, network):
    _, [record] = metered(tmp_path, packets.ethernet(network))
    return record


def ports(record):
    return record.key.source_port, record.key.destination_port


TRANSPORTS = {"TCP": packets.tcp, "UDP": packets.udp, "SCTP": packets.sctp, "UDP-Lite": packets.udp_lite,
              "DCCP": packets.dccp}


@pytest.mark.parametrize("build", TRANSPORTS.values(), ids=TRANSPORTS.keys())
@pytest.mark.parametrize("source, destination", [IPV4, IPV6], ids=["IPv4", "IPv6"])
def test_transports_with_ports(tmp_path, build, source, destination):
    transport = build(1234, 65535, payload=b"payload!")
    make = packets.ipv6 if ":" in source else packets.ipv4
    network = make(source, destination, transport)
    record = only_record(tmp_path, network)
    assert (record.key.source, record.key.destination, record.key.protocol) == (source, destination,
                                                                                transport.protocol)
    assert ports(record) == (1234, 65535)
    assert record.octets == len(network.octets)


@pytest.mark.parametrize("protocol", [0, 2, 4, 41, 47, 50, 89, 103, 112, 254, 255])
def test_other_protocols_have_no_ports(tmp_path, protocol):
    record = only_record(tmp_path, packets.ipv4(*IPV4, Transport(protocol, bytes(range(1, 60)))))
    assert (record.key.protocol, ports(record), record.key.icmp_type_code) == (protocol, (0, 0), 0)


@pytest.mark.parametrize("network, type_code", [
    (packets.ipv4(*IPV4, packets.icmp(3, 13)), 3 << 8 | 13), (packets.ipv4(*IPV4, packets.icmp(0, 0)), 0),
    (packets.ipv6(*IPV6, packets.icmpv6(128, 0)), 128 << 8), (packets.ipv6(*IPV6, packets.icmpv6(1, 4)), 1 << 8 | 4),
], ids=["unreachable", "echo reply", "echo request", "port unreachable"])
def test_icmp_has_a_type_and_a_code_and_no_ports(tmp_path, network, type_code):
    record = only_record(tmp_path, network)
    assert (record.key.icmp_type_code, ports(record)) == (type_code, (0, 0))


def test_the_other_family_s_icmp_is_only_a_protocol_number(tmp_path):
    crossed = packets.ipv4(*IPV4, packets.icmpv6(128, 0))
    assert only_record(tmp_path, crossed).key.icmp_type_code == 0


def test_ipv4_options_are_stepped_over(tmp_path):
    for options in (b"\x94\4\0\0", b"\1" * 40):
        record = only_record(tmp_path, packets.ipv4(*IPV4, UDP, options=options))
        assert ports(record) == (5000, 53)


EXTENSIONS = {
    "hop by hop": [packets.hop_by_hop()],
    "routing": [packets.routing()],
    "destination options": [packets.destination_options()],
    "authentication": [packets.authentication()],
    "an atomic fragment": [packets.fragment_header(1, 0, False)],
    "all of them": [packets.hop_by_hop(), packets.destination_options(), packets.routing(),
                    packets.fragment_header(1, 0, False), packets.authentication(), packets.destination_options()],
}


@pytest.mark.parametrize("extensions", EXTENSIONS.values(), ids=EXTENSIONS.keys())
def test_ipv6_extension_headers_are_looked_through(tmp_path, extensions):
    network = packets.ipv6(*IPV6, UDP, extensions=extensions)
    record = only_record(tmp_path, network)
    assert (record.key.protocol, ports(record)) == (packets.PROTOCOL_UDP, (5000, 53))
    assert record.octets == len(network.octets)


def test_ipv4_authentication_is_a_protocol_without_ports(tmp_path):
    record = only_record(tmp_path, packets.ipv4(*IPV4, packets.authentication_header(UDP)))
    assert (record.key.protocol, ports(record)) == (packets.PROTOCOL_AH, (0, 0))


def test_a_tunnel_is_metered_by_its_outer_header(tmp_path):
    inner = packets.ipv4("192.168.0.1", "192.168.0.2", UDP)
    record = only_record(tmp_path, packets.ipv4(*IPV4, Transport(4, inner.octets)))
    assert (record.key.source, record.key.protocol) == ("10.0.0.1", 4)


# Between the link and the network


@pytest.mark.parametrize("tpid", [packets.TPID_8021Q, packets.TPID_8021AD, packets.TPID_QINQ], ids=hex)
def test_a_tag_of_any_kind_gives_the_vlan(tmp_path, tpid):
    assert only_record(tmp_path, packets.vlan(packets.ipv4(*IPV4, UDP), 4095, priority=7, tpid=tpid)).key.vlan_id \
        == 4095


@pytest.mark.parametrize("outer_tpid", [packets.TPID_8021Q, packets.TPID_8021AD, packets.TPID_QINQ], ids=hex)
def test_of_several_tags_the_outermost_counts(tmp_path, outer_tpid):
    network = packets.vlan(packets.vlan(packets.ipv6(*IPV6, UDP), 20), 10, tpid=outer_tpid)
    record = only_record(tmp_path, network)
    assert (record.key.vlan_id, ports(record)) == (10, (5000, 53))


def test_a_priority_tag_is_no_vlan(tmp_path):
    assert only_record(tmp_path, packets.vlan(packets.ipv4(*IPV4, UDP), 0, priority=3)).key.vlan_id == 0


@pytest.mark.parametrize("labels", [(16,), (100, 200, 300), (0,), (1000000, 16, 17, 18, 19)], ids=len)
def test_mpls_labels_are_looked_through(tmp_path, labels):
    for network in (packets.ipv4(*IPV4, UDP), packets.ipv6(*IPV6, UDP)):
        record = only_record(tmp_path, packets.vlan(packets.mpls(network, *labels), 5))
        assert (record.key.vlan_id, ports(record), record.octets) == (5, (5000, 53), len(network.octets))


@pytest.mark.parametrize("link_type", [packets.LINK_SLL, packets.LINK_SLL2], ids=["SLL", "SLL2"])
def test_cooked_frames_may_carry_tags(tmp_path, link_type):
    network = packets.vlan(packets.ipv4(*IPV4, UDP), 9)
    _, [record] = metered(tmp_path, packets.LINK_LAYERS[link_type](network), link_type=link_type)
    assert (record.key.vlan_id, ports(record)) == (9, (5000, 53))


# Lengths


def test_ethernet_padding_never_counts(tmp_path):
    network = packets.ipv4(*IPV4, packets.udp(1, 2))
    _, [record] = metered(tmp_path, packets.ethernet(network, minimum=60))
    assert record.octets == 28


def test_a_snap_length_changes_no_octet_count(tmp_path):
    network = packets.ipv4(*IPV4, packets.udp(1, 2, bytes(1400)))
    _, [record] = metered(tmp_path, packets.ethernet(network)[:64], wire_length=14 + len(network.octets))
    assert record.octets == len(network.octets)


def test_a_zero_length_field_is_derived_from_the_wire(tmp_path):
    segment = packets.tcp(1, 2, packets.ACK, bytes(30000))
    network = packets.ipv4(*IPV4, segment, total_length=0)
    assert only_record(tmp_path, network).octets == len(network.octets)
    network = packets.ipv6(*IPV6, segment, payload_length=0)
    assert only_record(tmp_path, network).octets == len(network.octets)


def test_a_zero_length_field_behind_a_tag_is_derived_from_the_ip_header_on(tmp_path):
    network = packets.ipv4(*IPV4, packets.tcp(1, 2, packets.ACK, bytes(3000)), total_length=0)
    assert only_record(tmp_path, packets.vlan(network, 5)).octets == len(network.octets)


# What is not a flow


def ignored(tmp_path, *frames, **options):
    run, records = metered(tmp_path, *frames, **options)
    assert records == []
    return {name: count for name, count in run.counts.items() if name.startswith("ignored_")}


def test_packets_that_are_not_ip_are_counted(tmp_path):
    frames = [packets.ethernet(packets.arp()), packets.ethernet(packets.vlan(packets.arp(), 3)),
              packets.ethernet(packets.Network(0x88CC, bytes(50))), packets.ethernet(packets.Network(38, bytes(50)))]
    assert ignored(tmp_path, *frames) == {"ignored_non_ip": 4}


def test_every_cut_before_the_key_is_known_is_truncated(tmp_path):
    for network in (packets.ipv4(*IPV4, UDP), packets.ipv6(*IPV6, UDP), packets.vlan(packets.ipv4(*IPV4, UDP), 1)):
        frame = packets.ethernet(network)
        ports_end = len(frame) - len(UDP.octets) + 4
        pieces = [frame[:length] for length in range(1, ports_end)]
        assert ignored(tmp_path, *pieces, wire_length=len(frame)) == {"ignored_truncated": len(pieces)}


def test_a_packet_cut_behind_its_ports_is_metered(tmp_path):
    frame = packets.ethernet(packets.ipv4(*IPV4, packets.tcp(1, 2, packets.SYN)))
    run, [record] = metered(tmp_path, frame[:14 + 20 + 4], frame[:14 + 20 + 13], wire_length=len(frame))
    assert (record.packets, record.tcp_flags) == (2, 0)
    assert run.counts["tcp_flags_missing"] == 2


def test_of_twelve_tcp_flags_the_low_eight_are_shown(tmp_path):
    assert only_record(tmp_path, packets.ipv4(*IPV4, packets.tcp(1, 2, 0xFFF))).tcp_flags == 0xFF


@pytest.mark.parametrize("first_octet", [0x00, 0x44, 0x4F, 0x55, 0x65, 0xF5], ids=hex)
def test_an_ipv4_header_that_cannot_be_is_not_guessed_at(tmp_path, first_octet):
    octets = packets.ipv4(*IPV4, packets.udp(1, 2)).octets
    network = packets.Network(packets.ETHERTYPE_IPV4, bytes([first_octet]) + octets[1:])
    counts = ignored(tmp_path, packets.ethernet(network))
    assert sum(counts.values()) == 1 and not counts.get("ignored_lack_of_resources")


def test_a_deep_stack_of_headers_is_followed(tmp_path):
    deep = packets.ipv6(*IPV6, UDP, extensions=[packets.destination_options()] * 100)
    for _ in range(20):
        deep = packets.vlan(deep, 7)
    record = only_record(tmp_path, deep)
    assert (record.key.vlan_id, ports(record)) == (7, (5000, 53))


def test_headers_without_end_are_given_up(tmp_path):
    tags = packets.ipv4(*IPV4, UDP)
    for _ in range(200):
        tags = packets.vlan(tags, 1)
    extensions = packets.ipv6(*IPV6, UDP, extensions=[packets.destination_options()] * 200)
    labels = packets.mpls(packets.ipv4(*IPV4, UDP), *range(16, 216))
    frames = [packets.ethernet(network) for network in (tags, extensions, labels)]
    assert ignored(tmp_path, *frames) == {"ignored_depth_limit": 3}
