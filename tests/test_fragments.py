"""Fragments reach the flow of their datagram: in any order, any slice and at any number of threads; whatever else
they claim, and however many of them there are, keys stay what the octets prove and memory stays bounded.
"""

import itertools
import os
import re
import struct
import subprocess

import pytest

import captures
import clerk_runner
import packets
import traffic
from packets import Transport, ethernet, ipv4, ipv6, udp
from traffic import at, packet_of, tcp_key, udp_key

SOURCE4, DESTINATION4 = "10.0.0.1", "10.0.0.2"
SOURCE6, DESTINATION6 = "2001:db8::1", "2001:db8::2"
SIZE = 64

# The clock of a file follows its packets: these keep it going.
CLOCK = [(second, ipv4("10.0.0.9", DESTINATION4, udp(1, 2))) for second in range(1, 80, 2)]


def write(tmp_path, arrivals):
    """A capture of (second, network packet), in the order of the list."""
    path = tmp_path / "fragments.pcap"
    path.write_bytes(captures.pcap(captures.Captured(at(second), ethernet(piece)) for second, piece in arrivals))
    return path


def read(tmp_path, arrivals, *arguments):
    return clerk_runner.read_capture("--read", write(tmp_path, arrivals), *arguments)


def flows(tmp_path, arrivals):
    """Sorted (protocol, source port, destination port, packets) of the records; those of CLOCK left out."""
    return sorted((record.key.protocol, record.key.source_port, record.key.destination_port, record.packets)
                  for record in read(tmp_path, arrivals).records() if record.key.source != "10.0.0.9")


def in_time(*arrivals):
    return sorted([*CLOCK, *arrivals], key=lambda arrival: arrival[0])


def ipv4_pieces(transport, identification=7):
    return packets.ipv4_fragments(SOURCE4, DESTINATION4, transport, size=SIZE, identification=identification)


def ipv6_pieces(transport, identification=7):
    return packets.ipv6_fragments(SOURCE6, DESTINATION6, transport, size=SIZE, identification=identification,
                                  extensions=[packets.hop_by_hop()])


def long_udp(destination_port=6000, octets=4 * SIZE - 8):
    return udp(5000, destination_port, bytes(octets))


FAMILIES = pytest.mark.parametrize("pieces_of", [ipv4_pieces, ipv6_pieces], ids=["IPv4", "IPv6"])


# Any order, any slice


@FAMILIES
@pytest.mark.parametrize("order", itertools.permutations(range(4)), ids=str)
@pytest.mark.parametrize("step_s", [0.1, 2.5], ids=["same second", "seconds apart"])
def test_they_join_the_flow_of_their_datagram_in_any_order(tmp_path, pieces_of, order, step_s):
    pieces = pieces_of(long_udp())
    run = read(tmp_path, [(place * step_s, pieces[index]) for place, index in enumerate(order)])
    [record] = run.records()
    assert (record.key.source_port, record.key.destination_port, record.packets) == (5000, 6000, 4)
    assert record.octets == sum(len(piece.octets) for piece in pieces)
    assert (record.first_ns, record.last_ns) == (at(0), at(3 * step_s))
    assert "fragments_orphaned" not in run.counts


@FAMILIES
def test_every_order_gives_the_same_bytes_at_any_number_of_threads(tmp_path, pieces_of):
    # Datagrams that begin within one second, their pieces up to ten seconds apart: in slices, and meters, of their own.
    arrivals = [(0.01 * number + 2.5 * place, pieces_of(long_udp(6000 + number), number)[index])
                for number, order in enumerate(itertools.permutations(range(4)))
                for place, index in enumerate(order)]
    path = write(tmp_path, sorted(arrivals, key=lambda arrival: arrival[0]))
    runs = [clerk_runner.read_capture("--read", path, "--threads", threads) for threads in (1, 2, 3)]
    assert [record.packets for record in runs[0].records()] == [4] * 24
    assert all((run.stdout, run.counts) == (runs[0].stdout, runs[0].counts) for run in runs[1:])


def test_whole_packets_and_fragments_of_a_flow_are_one_record(tmp_path):
    whole = ipv4(SOURCE4, DESTINATION4, udp(5000, 6000))
    arrivals = [(0, whole), *zip((1.1, 1.2, 1.3, 1.4), ipv4_pieces(long_udp())), (2, whole)]
    assert flows(tmp_path, arrivals) == [(17, 5000, 6000, 6)]


@FAMILIES
def test_datagrams_with_identifications_of_their_own_stay_apart(tmp_path, pieces_of):
    mixed = [piece for pair in zip(pieces_of(long_udp(6001), 1), pieces_of(long_udp(6002), 2)) for piece in pair]
    assert flows(tmp_path, [(place * 0.4, piece) for place, piece in enumerate(mixed)]) == [
        (17, 5000, 6001, 4), (17, 5000, 6002, 4)]


def test_one_identification_of_two_protocols_is_two_datagrams(tmp_path):
    tcp = Transport(packets.PROTOCOL_TCP, packets.tcp(1, 2).octets + bytes(108))
    mixed = [piece for pair in zip(ipv4_pieces(udp(5000, 6000, bytes(120))), ipv4_pieces(tcp)) for piece in reversed(pair)]
    assert flows(tmp_path, [(place * 0.1, piece) for place, piece in enumerate(mixed)]) == [(6, 1, 2, 2), (17, 5000, 6000, 2)]


# Identifications that are used again


def test_an_identification_used_again_leads_to_the_latest_first_fragment(tmp_path):
    old, new = ipv4_pieces(long_udp(6001)), ipv4_pieces(long_udp(6002))
    arrivals = [(place * 0.7, piece) for place, piece in enumerate([*old, *new])]
    assert flows(tmp_path, arrivals) == [(17, 5000, 6001, 4), (17, 5000, 6002, 4)]


# Orphans


@FAMILIES
def test_those_whose_first_never_shows_get_no_ports_and_are_counted(tmp_path, pieces_of):
    pieces = pieces_of(long_udp())
    run = read(tmp_path, [(0.1, pieces[1]), (0.2, pieces[2])])
    [record] = run.records()
    assert (record.key.protocol, record.key.source_port, record.key.destination_port, record.packets) == (17, 0, 0, 2)
    assert run.counts["fragments_orphaned"] == 2


@FAMILIES
@pytest.mark.parametrize("delay_s, found", [(20, [(6000, 2)]), (29, [(6000, 2)]), (31, [(0, 1), (6000, 1)]),
                                            (50, [(0, 1), (6000, 1)])])
def test_they_wait_thirty_seconds_for_their_first(tmp_path, pieces_of, delay_s, found):
    first, later, *_ = pieces_of(long_udp())
    records = flows(tmp_path, in_time((0.5, later), (0.5 + delay_s, first)))
    assert [(destination_port, count) for _, _, destination_port, count in records] == found


@FAMILIES
def test_a_first_is_remembered_for_thirty_seconds(tmp_path, pieces_of):
    first, later, *_ = pieces_of(long_udp())
    arrivals = in_time((0.5, first), (29.5, later), (31.5, later))
    assert [(port, count) for _, _, port, count in flows(tmp_path, arrivals)] == [(0, 1), (6000, 2)]


# Fragments that lie over each other: none of them changes a key


def ipv4_piece(protocol, offset, octets, more=True, identification=7):
    return ipv4(SOURCE4, DESTINATION4, Transport(protocol, octets), identification=identification,
                fragment_offset=offset, more_fragments=more)


def test_a_later_fragment_that_lies_over_the_ports_changes_nothing(tmp_path):
    # Offset 8 would overwrite TCP's flags (RFC 1858), and teardrop's second fragment ends inside the first one.
    syn = packets.tcp(4000, 443, packets.SYN).octets
    forged = packets.tcp(1, 2, packets.SYN | packets.ACK | packets.FIN).octets
    arrivals = [(0.1, ipv4_piece(6, 0, syn + bytes(36))), (0.2, ipv4_piece(6, 8, forged + bytes(36))),
                (0.3, ipv4_piece(6, 24, forged[:4], more=False))]
    run = read(tmp_path, arrivals)
    [record] = run.records()
    assert (record.key.source_port, record.key.destination_port, record.packets) == (4000, 443, 3)
    assert record.tcp_flags == packets.SYN


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_two_first_fragments_that_disagree_keep_their_own_ports(tmp_path, threads):
    one, other = (ipv4_piece(17, 0, udp(5000, port, bytes(56)).octets) for port in (6001, 6002))
    rest = ipv4_piece(17, 64, bytes(64), more=False)
    arrivals = [(place * 0.6, piece) for place, piece in enumerate([rest, one, rest, other, rest, one])]
    records = read(tmp_path, arrivals, "--threads", threads).records()
    # What waited goes to the first one that shows, what follows to the latest.
    assert sorted((record.key.destination_port, record.packets) for record in records) == [(6001, 4), (6002, 2)]


def test_the_same_fragments_twice_count_twice(tmp_path):
    pieces = ipv4_pieces(long_udp())
    assert flows(tmp_path, [(place * 0.1, piece) for place, piece in enumerate(pieces * 2)]) == [(17, 5000, 6000, 8)]


# First fragments that lack something


def test_a_first_fragment_without_flags_has_its_ports(tmp_path):
    run = read(tmp_path, [(0.1, ipv4_piece(6, 0, packets.tcp(4000, 443).octets[:8])), (0.2, ipv4_piece(6, 8, bytes(48)))])
    [record] = run.records()
    assert (record.key.source_port, record.key.destination_port, record.packets) == (4000, 443, 2)
    assert run.counts["tcp_flags_missing"] == 1


def test_a_first_fragment_without_ports_is_malformed_and_its_rest_orphaned(tmp_path):
    run = read(tmp_path, [(0.1, ipv4_piece(6, 0, b"\1\2\3")), (0.2, ipv4_piece(6, 8, bytes(48), more=False))])
    [record] = run.records()
    assert (record.key.protocol, record.key.source_port, record.key.destination_port, record.packets) == (6, 0, 0, 1)
    assert (run.counts["ignored_malformed"], run.counts["fragments_orphaned"]) == (1, 1)


# Protocols without ports, with type and code, and chains of headers


@pytest.mark.parametrize("protocol", [47, 50, 89], ids=["GRE", "ESP", "OSPF"])
def test_fragments_without_ports_are_whole_packets_of_their_flow(tmp_path, protocol):
    arrivals = [(0.1, ipv4_piece(protocol, 64, bytes(64), more=False)), (0.2, ipv4_piece(protocol, 0, bytes(64)))]
    run = read(tmp_path, arrivals)
    [record] = run.records()
    assert (record.key.protocol, record.key.source_port, record.key.destination_port, record.packets) == (protocol, 0, 0, 2)
    assert "fragments_orphaned" not in run.counts


@pytest.mark.parametrize("pieces", [ipv4_pieces(Transport(1, b"\x08\0" + bytes(190))),
                                    ipv6_pieces(Transport(58, b"\x80\0" + bytes(190)))], ids=["ICMP", "ICMPv6"])
def test_fragments_of_a_long_ping_have_its_type_and_code(tmp_path, pieces):
    run = read(tmp_path, [(place * 0.6, piece) for place, piece in enumerate(reversed(pieces))])
    [record] = run.records()
    assert record.key.icmp_type_code in (0x0800, 0x8000) and record.packets == 3


def ipv6_piece(extensions_before, offset, chain_and_octets, more, announced, identification=7):
    return ipv6(SOURCE6, DESTINATION6, Transport(announced, chain_and_octets),
                extensions=[*extensions_before, packets.fragment_header(identification, offset, more)])


def test_an_atomic_fragment_is_a_whole_packet_and_no_datagrams_first(tmp_path):
    atomic = ipv6_piece([], 0, udp(5000, 6000).octets, False, 17)
    later = ipv6_piece([], 64, bytes(64), False, 17)
    assert flows(tmp_path, [(0.1, atomic), (0.2, later)]) == [(17, 0, 0, 1), (17, 5000, 6000, 1)]


@pytest.mark.parametrize("order", itertools.permutations(range(3)), ids=str)
def test_headers_behind_the_fragment_header_belong_to_the_datagram(tmp_path, order):
    # Every fragment announces the first of them (60), the flow's protocol is what the last of them announces.
    options = struct.pack("!BB", 17, 0) + b"\1\4" + bytes(4)
    payload = options + long_udp().octets
    pieces = [ipv6_piece([packets.hop_by_hop()], offset, piece, more, 60)
              for offset, piece, more in ((0, payload[:88], True), (88, payload[88:176], True), (176, payload[176:], False))]
    assert flows(tmp_path, [(place * 0.6, pieces[index]) for place, index in enumerate(order)]) == [(17, 5000, 6000, 3)]


def test_a_first_fragment_that_ends_inside_its_headers_is_malformed(tmp_path):
    # RFC 7112 wants the whole chain in the first fragment.
    run = read(tmp_path, [(0.1, ipv6_piece([], 0, struct.pack("!BB", 17, 5) + bytes(14), True, 60))])
    assert run.counts["ignored_malformed"] == 1 and not run.records()


# A flood


FLOOD = 150_000


def flood(path, distinct_sources):
    """Later fragments, each of a datagram of its own, within three seconds."""
    frame = bytearray(ethernet(ipv4_piece(17, 64, bytes(40), identification=0)))
    with open(path, "wb") as file:
        file.write(captures.pcap([]))
        for number in range(FLOOD):
            struct.pack_into("!H", frame, 14 + 4, number & 0xFFFF)
            struct.pack_into("!I", frame, 14 + 12, (172 << 24) + (number if distinct_sources else number >> 16))
            file.write(struct.pack("<IIII", 1_700_000_000 + number // 50_000, number % 50_000 * 20, len(frame), len(frame)))
            file.write(frame)
    return path


def peak_mib(*arguments):
    """The counts, the bound that is printed and the most memory that a run had in use."""
    process = subprocess.Popen(clerk_runner.command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    stderr = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, stderr
    bound = int(re.search(r"memory: at most (\d+) MiB", stderr)[1])
    return clerk_runner.parse_counts(stderr), bound, usage.ru_maxrss / 1024


@pytest.mark.parametrize("distinct_sources", [False, True], ids=["one source", "sources of their own"])
def test_a_flood_of_datagrams_without_a_first_is_counted_in_bounded_memory(tmp_path, distinct_sources):
    _, _, idle_mib = peak_mib("--read", write(tmp_path, CLOCK[:1]))
    capture = flood(tmp_path / "flood.pcap", distinct_sources)
    counts, bound_mib, mib = peak_mib("--read", capture, "--flows_max", 1000)
    assert counts["fragments_orphaned"] == counts["packets_exported"] == FLOOD
    assert bound_mib < 64 and mib - idle_mib <= bound_mib


def test_a_flood_leaves_the_flows_of_others_alone(tmp_path):
    described = [packet_of(key(number), number * 0.01) for key in (tcp_key, udp_key) for number in range(100)]
    quiet = traffic.write_capture(tmp_path / "quiet.pcap", described)
    capture = flood(tmp_path / "flood.pcap", False)
    runs = [clerk_runner.read_capture("--read", quiet, *more) for more in ((), ("--read", capture))]
    records = [[record for record in run.records() if not record.key.source.startswith("172.")] for run in runs]
    totals = [sorted((record.key, record.packets, record.octets) for record in each) for each in records]
    assert totals[0] == totals[1] and len(totals[0]) == 200
