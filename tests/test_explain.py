"""`--explain`: each packet of a flow is told with its layers and stands under the record that it was counted in."""

import gzip
import re
import subprocess
from dataclasses import dataclass, field

import pytest

import captures
import clerk_runner
import packets
import traffic
from packets import ACK, FIN, SYN

A, B = "10.0.0.1", "10.0.0.2"


@dataclass
class Layer:
    name: str
    at: int
    octets: int


@dataclass
class ExplainedPacket:
    number: int
    file: str
    wire_octets: int
    captured_octets: int
    layers: list = field(default_factory=list)
    lines: list = field(default_factory=list)


@dataclass
class ExplainedRecord:
    """`csv` is the record's line of the CSV, and `number` its place there."""

    number: int
    csv: str
    packets: list = field(default_factory=list)

    @property
    def numbers(self):
        return [packet.number for packet in self.packets]


@dataclass
class Explanation:
    run: clerk_runner.Run
    records: list
    ignored: list
    end: list


def parse(run):
    """What the explanation says, for tests that ask for one thing in it."""
    records, ignored, end, packet = [], [], [], None
    of_record = True
    for line in run.stdout.decode().splitlines():
        if match := re.match(r"record (\d+): ", line):
            records.append(ExplainedRecord(int(match[1]), ""))
            of_record = True
        elif match := re.match(r"  CSV: (.*)", line):
            records[-1].csv = match[1]
        elif line.startswith("not metered: "):
            of_record = False
        elif match := re.match(r"  packet (\d+) of (.*): [^,]*, (\d+) octets? on the wire, (\d+) captured$", line):
            packet = ExplainedPacket(int(match[1]), match[2], int(match[3]), int(match[4]))
            (records[-1].packets if of_record else ignored).append(packet)
        elif match := re.match(r"    at +(\d+), +(\d+) octets: (\w+)", line):
            packet.layers.append(Layer(match[3], int(match[1]), int(match[2])))
        elif line.startswith("    "):
            packet.lines.append(line.strip())
        elif line and not line.startswith(("  ", "and ")):
            end.append(line)
    return Explanation(run, records, ignored, end)


def explain(capture, expression, *arguments, **options):
    read = [word for path in (capture if isinstance(capture, list) else [capture]) for word in ("--read", path)]
    return parse(clerk_runner.read_capture(*read, "--explain", expression, *arguments, **options))


def write(path, *frames, link_type=packets.LINK_ETHERNET):
    """Frames at the second behind each, or (frame, second, octets that the capture has of it)."""
    records = [captures.Captured(traffic.at(second), frame[:snap], len(frame))
               for frame, second, snap in ((*each, None)[:3] for each in frames)]
    path.write_bytes(captures.pcap(records, link_type=link_type))
    return path


def tcp(flags=ACK, source_port=1234, payload=b""):
    return packets.ethernet(packets.ipv4(A, B, packets.tcp(source_port, 80, flags, payload)))


def udp_fragments(identification=7, source_port=53):
    network = packets.ipv4_fragments(A, B, packets.udp(source_port, 4000, bytes(56)), size=24,
                                     identification=identification)
    return [packets.ethernet(one) for one in network]


def records_of(capture, *arguments):
    return clerk_runner.read_capture("--read", capture, *arguments).stdout.decode().splitlines()


# What is told


def test_each_packet_stands_under_the_record_that_it_was_counted_in(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(source_port=9), 0), (tcp(SYN), 0.1), (tcp(payload=b"12345"), 0.2))
    explanation = explain(capture, "10.0.0.1:1234>10.0.0.2:80/tcp")
    [record] = explanation.records
    assert record.numbers == [2, 3]
    assert record.csv == records_of(capture)[record.number]
    assert [packet.file for packet in record.packets] == [str(capture)] * 2
    assert record.packets[0].lines == ["counted: 40 IP octets, ToS 0x00, TCP flags 0x02 SYN"]
    assert record.packets[1].lines == ["counted: 45 IP octets, ToS 0x00, TCP flags 0x10 ACK"]
    assert (record.packets[1].wire_octets, record.packets[1].captured_octets) == (59, 59)
    assert explanation.end[0] == "2 packets in 1 record match 10.0.0.1:1234>10.0.0.2:80/TCP"


def test_every_layer_is_told_with_its_place(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(SYN), 0))
    [record] = explain(capture, "*>*").records
    assert record.packets[0].layers == [Layer("Ethernet", 0, 14), Layer("IPv4", 14, 20), Layer("TCP", 34, 20)]


def test_the_record_has_the_as_numbers_that_the_csv_has(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(), 0))
    (tmp_path / "asns.csv").write_text("10.0.0.0,10.0.0.1,64500\n")
    asns = ["--asns_csv", tmp_path / "asns.csv"]
    [record] = explain(capture, "*>*", *asns).records
    assert record.csv == records_of(capture, *asns)[1]
    assert ",64500,0," in record.csv


def test_vlan_ipv6_and_icmp_are_told(tmp_path):
    echo = packets.ipv6("2001:db8::1", "2001:db8::2", packets.icmpv6(128, 0), traffic_class=0xb9)
    capture = write(tmp_path / "a.pcap", (packets.ethernet(packets.vlan(echo, 7)), 0),
                    (packets.ethernet(packets.ipv4(A, B, packets.icmp(3, 1))), 0.1))
    told = explain(capture, "2001:db8::1>[2001:db8::2]/icmp6").run.stdout.decode()
    assert "record 1: 2001:db8::1 > 2001:db8::2 ICMPv6 type 128 code 0, DSCP 46, VLAN 7\n" in told
    assert "    counted: 48 IP octets, ToS 0xb9\n" in told
    told = explain(capture, "*>*/icmp").run.stdout.decode()
    assert "record 2: 10.0.0.1 > 10.0.0.2 ICMP type 3 code 1, DSCP 0, VLAN 0\n" in told


# Which record


def test_a_connection_that_opens_again_is_two_records(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(SYN), 0.1), (tcp(FIN | ACK), 0.2), (tcp(SYN), 0.3), (tcp(), 0.4),
                    (tcp(), 5))
    old, new = explain(capture, "10.0.0.1>10.0.0.2/tcp").records
    assert (old.numbers, new.numbers) == ([1, 2], [3, 4, 5])
    assert [old.csv, new.csv] == records_of(capture)[1:]


def test_the_active_timeout_parts_the_packets(tmp_path):
    timeout = ["--active-timeout", 5]
    capture = write(tmp_path / "a.pcap", *((tcp(), second) for second in range(12)))
    explanation = explain(capture, "*>*:80", *timeout)
    assert [record.numbers for record in explanation.records] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12]]
    assert [record.csv for record in explanation.records] == records_of(capture, *timeout)[1:]


def test_fragments_stand_with_their_first_one_in_any_order(tmp_path):
    first, second, third = udp_fragments()
    capture = write(tmp_path / "a.pcap", (third, 0), (tcp(), 0.5), (second, 1.2), (first, 2.4), (third, 3.6))
    [record] = explain(capture, "10.0.0.1:53>10.0.0.2:4000/udp").records
    assert record.numbers == [1, 3, 4, 5]
    assert record.packets[0].lines[0] == "later fragment of datagram 0x7, whose first one has the ports"
    assert record.packets[2].lines[0] == "first fragment of datagram 0x7"
    nothing = explain(capture, "10.0.0.1:54>10.0.0.2:4000/udp")
    assert nothing.records == [] and nothing.end[0].startswith("No packet matches")


def test_fragments_without_a_first_one_are_told_to_be(tmp_path):
    capture = write(tmp_path / "a.pcap", (udp_fragments()[1], 0), (udp_fragments()[2], 1))
    [record] = explain(capture, "10.0.0.1>*:0/udp").records
    assert record.numbers == [1, 2]
    assert all("the first fragment never came: counted with port 0" in packet.lines for packet in record.packets)


def test_ipv6_fragments_too(tmp_path):
    first, second = packets.ipv6_fragments("2001:db8::1", "2001:db8::2", packets.udp(53, 4000, bytes(40)), size=24 + 8,
                                           identification=0x12345)
    capture = write(tmp_path / "a.pcap", (packets.ethernet(second), 0), (packets.ethernet(first), 1))
    [record] = explain(capture, "[2001:db8::1]:53>[2001:db8::2]:4000").records
    assert record.numbers == [1, 2]
    assert record.packets[0].lines[0].startswith("later fragment of datagram 0x12345,")


# What is in no record


def test_flows_without_ip_match_nothing(tmp_path):
    capture = write(tmp_path / "a.pcap", (packets.ethernet(packets.arp()), 0), (tcp(), 0.1))
    run = clerk_runner.read_capture("--read", capture, "--explain", "*>*", "--non_ip")
    told = run.stdout.decode()
    assert "1 packet in 1 record match *>*" in told and run.counts["packets_metered"] == 2


def test_no_match_says_so_and_names_the_other_direction(tmp_path):
    explanation = explain(write(tmp_path / "a.pcap", (tcp(), 0)), "10.0.0.2:80>10.0.0.1:1234/tcp")
    assert explanation.records == []
    assert explanation.end == ["No packet matches 10.0.0.2:80>10.0.0.1:1234/TCP. A flow is one direction; the other "
                               "one is 10.0.0.1:1234>10.0.0.2:80/TCP"]


def test_a_packet_that_was_cut_is_told_where_its_addresses_can_be_read(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(), 0, 36), (tcp(), 0.1), (tcp(), 0.2, 30))
    explanation = explain(capture, "10.0.0.1:1234>10.0.0.2:80/tcp")
    assert [record.numbers for record in explanation.records] == [[2]]
    [ignored] = explanation.ignored
    assert ignored.number == 1
    assert [layer.name for layer in ignored.layers[:2]] == ["Ethernet", "IPv4"]
    assert "1 packet between these addresses not metered, whatever the ports: see above" in explanation.end
    assert explain(capture, "10.0.0.9>*").ignored == []


def test_the_end_counts_what_is_in_no_record(tmp_path):
    capture = write(tmp_path / "a.pcap", (packets.ethernet(packets.arp()), 0), (tcp(), 0.1), (tcp(), 0.2, 30))
    explanation = explain(capture, "10.0.0.1>*")
    assert "Of 3 packets read these are in no record:" in explanation.end
    told = explanation.run.stdout.decode()
    assert "\n  1 non_ip: " in told and "\n  1 truncated: " in told


def test_the_filter_holds_back_and_numbers_stay(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(source_port=9), 0), (tcp(), 0.1))
    explanation = explain(capture, "*>*", "--filter", "port 1234")
    assert [record.numbers for record in explanation.records] == [[2]]
    assert explanation.end[-1] == "1 packet held back by --filter"


# Files and collectors


def test_compressed_files_and_several_are_read(tmp_path):
    first = write(tmp_path / "a.pcap", (tcp(), 0), (tcp(), 1))
    second = tmp_path / "b.pcap.gz"
    second.write_bytes(gzip.compress(write(tmp_path / "b.pcap", (tcp(), 2), (tcp(source_port=9), 3)).read_bytes()))
    [record] = explain([first, second], "*:1234>*").records
    assert [(packet.file, packet.number) for packet in record.packets] == [
        (str(first), 1), (str(first), 2), (str(second), 1)]


def test_stdin_is_read(tmp_path):
    octets = write(tmp_path / "a.pcap", (tcp(), 0)).read_bytes()
    [record] = explain("-", "*>*", stdin=octets).records
    assert [packet.file for packet in record.packets] == ["stdin"]


def test_collectors_get_everything_as_without_it(tmp_path):
    described = traffic.random_traffic(5, flows=300, seconds=100)
    capture = traffic.write_capture(tmp_path / "a.pcap", described)
    without = clerk_runner.read_capture("--read", capture)
    explanation = explain(capture, "*>*/tcp", "--collector", "csv:%s" % (tmp_path / "flows.csv"))
    assert (tmp_path / "flows.csv").read_bytes() == without.stdout
    assert explanation.run.counts == without.counts
    lines = without.stdout.decode().splitlines()
    for record in explanation.records:
        assert lines[record.number] == record.csv
        assert len(record.packets) == int(record.csv.split(",")[14])
    assert sum(len(record.packets) for record in explanation.records) == sum(
        packet.key.protocol == packets.PROTOCOL_TCP for packet in described)


def test_a_file_that_ends_in_damage_is_explained_up_to_there(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(), 0), (tcp(), 1))
    capture.write_bytes(capture.read_bytes()[:-1])
    explanation = explain(capture, "*>*", expect=1)
    assert [record.numbers for record in explanation.records] == [[1]]
    assert str(capture) in explanation.run.stderr


def test_a_full_disk_is_an_error(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(), 0))
    with open("/dev/full", "wb") as full:
        run = subprocess.run(clerk_runner.command("--read", capture, "--explain", "*>*"), stdout=full,
                             stderr=subprocess.PIPE, timeout=clerk_runner.PATIENCE_S)
    assert run.returncode == 1
    assert b"--explain: stdout: No space left on device" in run.stderr


def test_the_explanation_never_overwrites_an_input_or_another_output(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(), 0))
    before = capture.read_bytes()
    for arguments, error in (([], b"--explain: would overwrite the input"),
                             (["--collector", "csv:%s" % (tmp_path / "same")], b"--explain: writes to the same file")):
        output = tmp_path / "same" if arguments else capture
        with open(output, "ab") as stdout:
            run = subprocess.run(clerk_runner.command("--read", capture, "--explain", "*>*", *arguments),
                                 stdout=stdout, stderr=subprocess.PIPE, timeout=clerk_runner.PATIENCE_S)
        assert run.returncode == 1 and error in run.stderr, run.stderr
    assert capture.read_bytes() == before


def test_check_says_what_would_be_explained(tmp_path):
    capture = write(tmp_path / "a.pcap", (tcp(), 0))
    run = clerk_runner.run_clerk("--read", capture, "--explain", "10.0.0.1>*", "--check")
    assert b"explain packets of 10.0.0.1>* on stdout\n" in run.stdout


@pytest.mark.parametrize("expression, error", [("10.0.0.1", "there is no >"), ("10.0.0.1:x>*", "source: 'x' is no port"),
                                               ("*>*/nothing", "protocol: 'nothing'")])
def test_a_bad_expression_is_bad_usage(tmp_path, expression, error):
    run = clerk_runner.run_clerk("--read", tmp_path / "none", "--explain", expression, expect=2)
    assert error in run.stderr and "write for example" in run.stderr and run.stdout == b""


# The README


def without_details(lines):
    """What the decoder says of a layer behind its name may change."""
    return [re.sub(r"^(    at +\d+, +\d+ octets: [\w ]+), .*", r"\1", line) for line in lines]


def test_the_example_of_the_readme_is_what_clerk_says(tmp_path):
    def frame(flags, payload=b""):
        network = packets.ipv4(A, B, packets.tcp(1234, 80, flags, payload))
        return packets.ethernet(packets.vlan(network, 7), minimum=60)

    write(tmp_path / "x.pcap", (frame(SYN), 0), (packets.ethernet(packets.arp()), 0.04), (frame(ACK), 0.06, 40),
          (frame(FIN | ACK, bytes(420)), 0.09, 96))
    run = subprocess.run(clerk_runner.command("--read", "x.pcap", "--explain", "10.0.0.1:1234>10.0.0.2:80/tcp"),
                         cwd=tmp_path, capture_output=True, text=True, timeout=clerk_runner.PATIENCE_S)
    readme = (clerk_runner.REPOSITORY / "README.md").read_text()
    example = re.search(r"^```\n(not metered: .*?)```$", readme, re.MULTILINE | re.DOTALL)[1]
    assert without_details(run.stdout.splitlines()) == without_details(example.splitlines())
