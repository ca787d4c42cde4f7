"""clerk against real collectors: what a generator put in is what each of them shows, flow by flow."""

import pytest

import clerk_runner
import collectors
import ipfix_reader
import traffic
from flow_model import expected_records

UNITS = {"ns": ("Nanoseconds", 1), "us": ("Microseconds", 1000), "ms": ("Milliseconds", 10**6)}


@pytest.fixture(scope="module")
def described():
    return traffic.random_traffic(20, flows=1200, seconds=100)


@pytest.fixture(scope="module")
def capture(described, tmp_path_factory):
    return traffic.write_capture(tmp_path_factory.mktemp("traffic") / "mixed.pcap", described)


@pytest.fixture(scope="module")
def expected(described):
    """In the order of each template: IPv4 first, as `by_family` puts what was received."""
    records = expected_records(described)
    assert {record.end_reason for record in records} == {1, 2, 3, 4}
    return by_family(records)


def by_family(records):
    return sorted(records, key=lambda record: record.key.is_ipv6)


def assert_same(found, expected):
    assert len(found) == len(expected)
    for place, (one, other) in enumerate(zip(found, expected)):
        assert one == other, "record %d" % place


def assert_same_within(tolerance_ns, found, expected):
    """The same, but the times of `found` may be off by the collector's own rounding."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert abs(one.first_ns - other.first_ns) <= tolerance_ns
        assert abs(one.last_ns - other.last_ns) <= tolerance_ns
        assert one == other._replace(first_ns=one.first_ns, last_ns=one.last_ns)


def export_file(tmp_path, capture, unit):
    path = tmp_path / "flows.ipfix"
    run = clerk_runner.read_capture("--read", capture, "--collector", "file:%s" % path, "--timestamps", unit)
    return path, run.counts["records_exported"]


def test_nfcapd_stores_every_flow_as_it_was_put_in(tmp_path, capture, expected):
    with collectors.Nfcapd(tmp_path) as nfcapd:
        run = clerk_runner.read_capture("--read", capture, "--collector", "127.0.0.1:%d" % nfcapd.port,
                                        "--timestamps", "ms", "--udp_records_per_second", 20000)
        stored = nfcapd.records()
    assert run.counts["records_exported"] == len(stored)
    assert run.counts["send_errors"] == 0
    assert_same(sorted(stored), sorted(map(collectors.shown_by_nfdump, expected)))


def test_tshark_decodes_every_datagram_to_the_flows_that_were_put_in(tmp_path, capture, expected):
    with collectors.UdpReceiver() as receiver:
        run = clerk_runner.read_capture("--read", capture, "--collector", "udp://127.0.0.1:%d" % receiver.port)
        datagrams = receiver.datagrams()
    found = collectors.tshark_records(collectors.write_datagrams(tmp_path / "sent.pcap", datagrams, 4739), 4739)
    assert run.counts["records_exported"] == len(found)
    assert_same_within(1, by_family(found), expected)


def test_tshark_opens_the_ipfix_file_itself(tmp_path, capture, expected):
    path, count = export_file(tmp_path, capture, "ns")
    found = collectors.tshark_records(path)
    assert len(found) == count
    assert_same_within(1, by_family(found), expected)


@pytest.mark.parametrize("unit", ["ns", "ms"])
def test_ipfix_dump_reads_every_flow_of_the_file(tmp_path, capture, expected, unit):
    path, count = export_file(tmp_path, capture, unit)
    name = UNITS[unit][0]
    shown_ns = 10**9 if unit == "ns" else 10**6
    found = collectors.ipfix_dump_records(path, name)
    assert len(found) == count
    assert_same(by_family(found), [collectors.in_units_of(shown_ns, record) for record in expected])
    assert "%d Data Records" % count in collectors.ipfix_dump(path, "--stats")


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_python_ipfix_reads_every_flow_of_the_file(tmp_path, capture, expected, unit):
    path, count = export_file(tmp_path, capture, unit)
    name, unit_ns = UNITS[unit]
    found = collectors.python_ipfix_records(path, name)
    assert len(found) == count
    assert_same_within(max(unit_ns, 1000), by_family(found), expected)


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_an_independent_decoder_reads_times_back_exactly_in_each_unit(tmp_path, capture, expected, unit):
    path, count = export_file(tmp_path, capture, unit)
    name, unit_ns = UNITS[unit]
    messages = ipfix_reader.read_datagrams(ipfix_reader.split_file(path.read_bytes()))
    found = ipfix_reader.flow_records(messages, name)
    assert len(found) == count
    assert_same(by_family(found), [collectors.in_units_of(unit_ns, record) for record in expected])


def test_every_sink_of_one_run_gets_the_same_flows(tmp_path, capture, described):
    table, lines, messages = tmp_path / "flows.csv", tmp_path / "flows.json", tmp_path / "flows.ipfix"
    run = clerk_runner.read_capture("--read", capture, "--collector", "csv:%s" % table, "--collector",
                                    "json:%s" % lines, "--collector", "file:%s" % messages, "--collector", "stdout")
    expected = expected_records(described)
    assert_same(run.records(), expected)
    assert_same(clerk_runner.csv_records(table.read_text()), expected)
    assert_same([clerk_runner.json_record(line) for line in clerk_runner.json_lines(lines.read_text())], expected)
    decoded = ipfix_reader.read_datagrams(ipfix_reader.split_file(messages.read_bytes()))
    assert_same(by_family(ipfix_reader.flow_records(decoded)), by_family(expected))
