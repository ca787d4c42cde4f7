"""Every capture of the corpus through `clerk --read`: no crash, no hang, conservation, and the flows that tshark sees.

The corpus lies outside the repository: CLERK_CAPTURES names it, or it is `shared/captures` beside the repository.
It holds `pcaps/FOLDER/FILE` and `truth/FOLDER/FILE.truth.json`. A truth file has one row for each finest flow; both
sides are summed on (vlan, source, destination, protocol, ports, ICMP type and code, DSCP), so timeouts play no part.
"""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import clerk_runner

CAPTURES = Path(os.environ.get("CLERK_CAPTURES", clerk_runner.REPOSITORY.parent / "shared" / "captures"))
PARALLEL = 2
THREADS = 3
TIMEOUT_S = 60

ICMP_PROTOCOLS = {1, 58}

# Files whose flows are not the truth's, by decision: the reason for each.
PRIVATE_USE = "LINKTYPE_USER2 is for private use: that it holds PKTAP is a convention between some programs"
VENDOR = "a link type of one vendor's own"
PSEUDOWIRE = "tshark takes the pseudowire control word for the beginning of a MAC address and finds no IP packet"
NO_CONTROL_WORD = "tshark does not look into a pseudowire without a control word"
SOURCE_ROUTE = "tshark shows the end of the source route; the Flow Key has the header's destination address"
NO_TIME = "packets of a Simple Packet Block have no time in the file; clerk gives them the packet clock's"
BAD_FRACTION = "a record's time has a fraction of a second or more; clerk adds it to the seconds"
DELIBERATE_DIFFERENCES = {
    "AlexeyVasilev__PcapFlowLab/mpls_pw__01_mpls_pw_eth_ipv4_tcp_no_cw.pcap": NO_CONTROL_WORD,
    "AlexeyVasilev__PcapFlowLab/mpls_pw__02_mpls_pw_eth_ipv4_udp_no_cw.pcap": NO_CONTROL_WORD,
    "AlexeyVasilev__PcapFlowLab/mpls_pw__03_mpls_pw_eth_ipv6_tcp_cw.pcap": PSEUDOWIRE,
    "AlexeyVasilev__PcapFlowLab/mpls_pw__06_mpls_pw_eth_vlan_ipv4_tcp_cw.pcap": PSEUDOWIRE,
    "AlexeyVasilev__PcapFlowLab/mpls_pw__18_mpls_pw_outer_legacy_vlan_ipv4_tcp_cw.pcap": PSEUDOWIRE,
    "akvorado__akvorado/outlet__flow__decoder__testdata__mpls-eompls-cw.pcap": PSEUDOWIRE,
    "akvorado__akvorado/outlet__flow__decoder__testdata__mpls-eompls-invalid-cw.pcap": PSEUDOWIRE,
    "OISF__suricata-verify/detect-ipopts__input.pcap": SOURCE_ROUTE,
    "kaitoy__pcap4j/pcap4j-packettest__src__test__resources__IpV4PacketTest.pcap": SOURCE_ROUTE,
    "seladb__PcapPlusPlus/Tests__Packet++Test__PacketExamples__ipv4-options.pcap": SOURCE_ROUTE,
    "google__gopacket/pcapgo__tests__be__test011.pcapng": NO_TIME,
    "google__gopacket/pcapgo__tests__le__test011.pcapng": NO_TIME,
    "the-tcpdump-group__tcpdump/timestamp_invalid_micro.pcap": BAD_FRACTION,
    "the-tcpdump-group__tcpdump/timestamp_invalid_nano.pcap": BAD_FRACTION,
    "OISF__suricata-verify/transform-base64-7296__input.pcap": BAD_FRACTION,
    "the-tcpdump-group__tcpdump/LINKTYPE_USER2_PKTAP.pcap": PRIVATE_USE,
    "the-tcpdump-group__tcpdump/bgp-aigp.pcap": VENDOR,
    "seladb__PcapPlusPlus/Tests__Pcap++Test__PcapExamples__ip4_bad_fragment.pcap":
        "behind MPLS labels an IPv4 header is believed only if its length fits the packet: it may be a MAC address",
    "the-tcpdump-group__tcpdump/ipv6-too-long-jumbo.pcap":
        "a jumbogram's octets come from the length on the wire; the option claims gigabytes that were not there",
    "zeek__zeek/ipv6-reassembly-state-leak.pcap":
        "later fragments join a first one within 30 seconds; the truth knows no time limit",
}

# The truth counts the custom blocks of these pcapng files, which are no packets.
CUSTOM_BLOCKS_ALONE = {"google__gopacket/pcapgo__tests__be__test017.pcapng",
                       "google__gopacket/pcapgo__tests__le__test017.pcapng"}


@dataclass
class Sum:
    """What one flow of a file comes to. A time of None is a packet that its file tells no time for."""

    packets: int
    octets: int
    tcp_flags: int
    first_ns: int
    last_ns: int

    def add(self, other):
        self.packets += other.packets
        self.octets += other.octets
        self.tcp_flags |= other.tcp_flags
        self.first_ns = min(self.first_ns, other.first_ns)
        self.last_ns = max(self.last_ns, other.last_ns)


@dataclass
class Outcome:
    """A file of the corpus, its truth, and how clerk ended, with one thread and with several."""

    name: str
    truth: dict
    exit_status: int
    stdout: str
    stderr: str
    threads_agree: bool

    @property
    def counts(self):
        return clerk_runner.parse_counts(self.stderr)


def run_on(path):
    name = str(path.relative_to(CAPTURES / "pcaps"))
    truth = json.loads((CAPTURES / "truth" / (name + ".truth.json")).read_text())
    try:
        one, several = (subprocess.run(clerk_runner.command("--read", path, "--threads", threads,
                                                            "--ledger_threads", threads),
                                       capture_output=True, timeout=TIMEOUT_S) for threads in (1, THREADS))
    except subprocess.TimeoutExpired:
        return Outcome(name, truth, None, "", "still running after %d s" % TIMEOUT_S, False)
    return Outcome(name, truth, one.returncode, one.stdout.decode(), one.stderr.decode(errors="replace"),
                   (one.returncode, one.stdout) == (several.returncode, several.stdout))


@pytest.fixture(scope="module")
def outcomes():
    if not (CAPTURES / "pcaps").is_dir():
        pytest.skip("THE CAPTURES ARE NOT THERE: %s (set CLERK_CAPTURES)" % CAPTURES)
    paths = sorted(path for path in (CAPTURES / "pcaps").glob("*/*") if path.is_file())
    assert paths
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(run_on, paths))


def complain(complaints):
    assert not complaints, "%d files:\n%s" % (len(complaints), "\n".join(complaints))


def test_no_capture_crashes_or_hangs_clerk(outcomes):
    complain(["%s: exit status %s, %s" % (outcome.name, outcome.exit_status, outcome.stderr[-300:])
              for outcome in outcomes if outcome.exit_status not in (0, 1)])


def test_threads_change_no_octet_of_any_capture(outcomes):
    complain([outcome.name for outcome in outcomes if not outcome.threads_agree])


def test_every_packet_of_every_capture_is_accounted_for(outcomes):
    for outcome in outcomes:
        if outcome.counts:
            clerk_runner.assert_conserved(outcome.counts)
            records = clerk_runner.csv_records(outcome.stdout)
            assert len(records) == outcome.counts["records_exported"], outcome.name
            assert sum(record.packets for record in records) == outcome.counts["packets_exported"], outcome.name
            assert all(record.packets for record in records), outcome.name
        else:
            assert outcome.exit_status == 1, outcome.name


def has_clean_truth(outcome):
    return outcome.truth["grade"] == "A" and outcome.name not in DELIBERATE_DIFFERENCES


def test_whole_captures_are_read_to_the_end(outcomes):
    complain(["%s: exit status %d, %s" % (outcome.name, outcome.exit_status, outcome.stderr[-300:])
              for outcome in outcomes if has_clean_truth(outcome) and
              (outcome.exit_status != 0 or outcome.counts["packets_received"] != packets_in(outcome))])


def packets_in(outcome):
    return 0 if outcome.name in CUSTOM_BLOCKS_ALONE else outcome.truth["totals"].get("packets", 0)


def test_the_flows_are_the_truth(outcomes):
    complain([complaint for outcome in outcomes if has_clean_truth(outcome) for complaint in differences(outcome)])


def test_the_deliberate_differences_are_still_there(outcomes):
    different = {outcome.name for outcome in outcomes if list(differences(outcome))}
    assert set(DELIBERATE_DIFFERENCES) <= different


# Both sides summed on the same key


def truth_sums(rows, with_icmp):
    sums = {}
    for row in rows:
        icmp = row["icmp"] or 0 if with_icmp else 0
        key = ((row["vlan"] or [0])[0], row["src"], row["dst"], row["proto"], row["asport"], row["adport"], icmp,
               row["tos"] >> 2)
        add_to(sums, key, Sum(row["packets"], row["bytes"], row["tcp_flags"] & 0xFF, row["first"], row["last"]))
    return sums


def clerk_sums(records, with_icmp):
    sums = {}
    for record in records:
        flow = record.key
        icmp = flow.icmp_type_code if with_icmp else 0
        key = (flow.vlan_id, flow.source, flow.destination, flow.protocol, flow.source_port, flow.destination_port,
               icmp, record.tos >> 2)
        add_to(sums, key, Sum(record.packets, record.octets, record.tcp_flags, record.first_ns, record.last_ns))
    return sums


def add_to(sums, key, item):
    if key in sums:
        sums[key].add(item)
    else:
        sums[key] = item


def differences(outcome):
    """Every flow that clerk and the truth do not agree on."""
    rows = outcome.truth["flows"]
    with_icmp = not any(row["frag"] == "later" and row["proto"] in ICMP_PROTOCOLS for row in rows)
    expected = truth_sums(rows, with_icmp)
    found = clerk_sums(clerk_runner.csv_records(outcome.stdout), with_icmp) if outcome.stdout else {}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            yield "%s: %s\n  truth %s\n  clerk %s" % (outcome.name, key, expected.get(key), found.get(key))
