"""Every capture of the corpus that holds tunnels through `clerk --read FILE --decapsulate all`, against tshark.

tshark names every IP header of a packet. The innermost one, quotes in ICMP messages aside, is the one that clerk has to
meter; both sides are summed on the addresses. The captures lie outside the repository, see test_corpus.py.
"""

import json
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile

import pytest

import clerk_runner
from test_corpus import CAPTURES, TIMEOUT_S

PARALLEL = 3
LARGEST_FILE = 2_000_000

# A file that has a flow with one of these may hold a tunnel.
TUNNEL_PROTOCOLS = {4, 41, 47}
TUNNEL_PORTS = {1701, 2152, 3544, 4789, 4790, 6081, 6635, 8472}

FIELDS = ("frame.protocols", "ip.src", "ip.dst", "ip.len", "ipv6.src", "ipv6.dst", "ipv6.plen")
# Without its fragments put together, as clerk sees packets.
TSHARK = ("tshark", "-n", "-T", "fields", "-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=;",
          "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE")

FRAGMENT = "the packets inside the first fragment of a datagram: the rest of it could not follow"
NO_FLAG = "the flag that makes it VXLAN is not set"
OTHER_PORT = "a UDP port that is none of VXLAN's"
NO_LIST = "a header between tunnel and packet that clerk does not know"
DELIBERATE_DIFFERENCES = {
    "AlexeyVasilev__PcapFlowLab/eoip__25_ipv4_gre_v1_checksum_key_6400_not_eoip.pcap": "flags that EoIP does not have",
    "AlexeyVasilev__PcapFlowLab/eoip__28_ipv4_eoip_first_fragment_mf_complete_inner.pcap": FRAGMENT,
    "AlexeyVasilev__PcapFlowLab/vxlan__06_vxlan_invalid_flags_or_reserved_bits.pcap": NO_FLAG,
    "AlexeyVasilev__PcapFlowLab/vxlan__17_vxlan_udp_port_and_header_matrix.pcap": NO_FLAG + "; " + OTHER_PORT,
    "the-tcpdump-group__tcpdump/nhrp-trace.pcap": "a packet that an error message quotes is not there",
    "the-tcpdump-group__tcpdump/nsh-over-vxlan-gpe.pcap": NO_LIST,
    "the-tcpdump-group__tcpdump/various_gre.pcap": NO_LIST,
    "the-tcpdump-group__tcpdump/vxlan_port_8472.pcap": "tshark does not know Linux's port of VXLAN",
    "zeek__zeek/erspan.pcap": FRAGMENT,
    "zeek__zeek/tunnels__gtp__gtp_ext_header.pcap": FRAGMENT,
}


def may_hold_tunnels(truth):
    return any(row["proto"] in TUNNEL_PROTOCOLS or TUNNEL_PORTS & {row["sport"], row["dport"]}
               for row in truth["flows"])


def innermost_header(line):
    """Addresses and IP length of the innermost IP header, or None where tshark found none or not all of it."""
    values = dict(zip(FIELDS, line.split("\t")))
    layers = takewhile(lambda layer: layer not in ("icmp", "icmpv6"), values["frame.protocols"].split(":"))
    versions = [layer for layer in layers if layer in ("ip", "ipv6")]
    if not versions:
        return None
    version = versions[-1]
    number = versions.count(version) - 1
    columns = ("ip.src", "ip.dst", "ip.len") if version == "ip" else ("ipv6.src", "ipv6.dst", "ipv6.plen")
    found = [values[column].split(";") for column in columns]
    if any(len(column) <= number or not column[number] for column in found):
        return None
    source, destination, length = (column[number] for column in found)
    return source, destination, int(length) + (0 if version == "ip" else 40)


def truth_of(path):
    """Packets and octets for each pair of addresses; None when tshark is not sure of a packet."""
    shown = subprocess.run([*TSHARK, "-r", path, *(word for field in FIELDS for word in ("-e", field))],
                           capture_output=True, timeout=TIMEOUT_S)
    lines = [line for line in shown.stdout.decode(errors="replace").splitlines() if ":ip" in line or line[:2] == "ip"]
    headers = [innermost_header(line) for line in lines]
    if None in headers:
        return None
    packets, octets = Counter(), Counter()
    for source, destination, length in headers:
        packets[source, destination] += 1
        octets[source, destination] += length
    return packets, octets


def flows_of(path):
    packets, octets = Counter(), Counter()
    for record in clerk_runner.read_capture("--read", path, "--decapsulate", "all").records():
        packets[record.key.source, record.key.destination] += record.packets
        octets[record.key.source, record.key.destination] += record.octets
    return packets, octets


def compare(path):
    truth = truth_of(path)
    return None if truth is None else truth == flows_of(path)


@pytest.fixture(scope="module")
def verdicts():
    """For each file whether clerk and tshark agree."""
    if not (CAPTURES / "pcaps").is_dir():
        pytest.skip("THE CAPTURES ARE NOT THERE: %s (set CLERK_CAPTURES)" % CAPTURES)
    truths = {str(path.relative_to(CAPTURES / "truth"))[:-len(".truth.json")]: json.loads(path.read_text())
              for path in sorted((CAPTURES / "truth").glob("*/*.truth.json"))}
    paths = [CAPTURES / "pcaps" / name for name, truth in truths.items() if truth["grade"] == "A" and may_hold_tunnels(truth)]
    paths = [path for path in paths if path.stat().st_size < LARGEST_FILE]
    with ThreadPoolExecutor(PARALLEL) as pool:
        return {str(path.relative_to(CAPTURES / "pcaps")): agreed
                for path, agreed in zip(paths, pool.map(compare, paths))}


def test_the_innermost_packets_are_metered(verdicts):
    different = [name for name, agreed in verdicts.items() if agreed is False and name not in DELIBERATE_DIFFERENCES]
    assert different == []


def test_the_deliberate_differences_are_still_there(verdicts):
    assert [name for name in DELIBERATE_DIFFERENCES if verdicts.get(name) is not False] == []


def test_there_were_many_tunnels(verdicts):
    assert sum(agreed is True for agreed in verdicts.values()) > 80
