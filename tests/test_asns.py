"""AS numbers in flow records: from clerk's CSV, from public lists through clerk-asns, and from MaxMind databases."""

import csv
import re
import subprocess
from pathlib import Path

import pytest

import clerk_runner
import packets
import traffic
from flow_model import FlowKey

REPOSITORY = Path(__file__).resolve().parent.parent
DATABASES = REPOSITORY / "fuzz" / "corpus" / "asn_db"

ADDRESSES = ["10.0.0.1", "10.255.255.255", "11.0.0.0", "192.0.2.77", "203.0.113.9", "1.2.3.4", "255.255.255.255",
             "2001:db8::1", "2001:db8:ffff::1", "2001:db9::", "fe80::1"]


@pytest.fixture
def capture(tmp_path):
    """One flow from each address to itself."""
    flows = [traffic.packet_of(FlowKey(address, address, packets.PROTOCOL_UDP, 1, 2), number / 10)
             for number, address in enumerate(ADDRESSES)]
    return traffic.write_capture(tmp_path / "x.pcap", flows)


def numbers(run):
    """{address: AS number} of the CSV on stdout; source and destination agree."""
    rows = list(csv.DictReader(run.stdout.decode().splitlines()))
    assert all(row["bgpSourceAsNumber"] == row["bgpDestinationAsNumber"] for row in rows)
    return {row["sourceAddress"]: int(row["bgpSourceAsNumber"]) for row in rows}


def read(capture, *flags):
    return clerk_runner.read_capture("--read", capture, *flags)


def test_without_a_table_they_are_0(capture):
    assert set(numbers(read(capture)).values()) == {0}


def test_from_a_csv_in_both_spellings_whose_bad_lines_are_told(capture, tmp_path):
    table = tmp_path / "asns.csv"
    table.write_text("10.0.0.0,10.255.255.255,64500\n"
                     "::192.0.2.0,::192.0.2.255,64501\n"
                     "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,4294967295\n"
                     "10.1.0.0,10.1.255.255,7\n"
                     "1.2.3.0,1.2.3.255,many\n")
    run = read(capture, "--asns_csv", table)
    found = numbers(run)
    known = {"10.0.0.1": 64500, "10.255.255.255": 64500, "192.0.2.77": 64501, "2001:db8::1": 2**32 - 1,
             "2001:db8:ffff::1": 2**32 - 1}
    assert found == {address: known.get(address, 0) for address in ADDRESSES}
    assert re.search(r"warning: --asns_csv \S+: line 4\b.*\b1\b", run.stderr), run.stderr
    assert re.search(r"warning: --asns_csv \S+: line 5\b", run.stderr), run.stderr


def test_from_a_public_list(capture, tmp_path):
    table = tmp_path / "asns.csv"
    with open(table, "wb") as output:
        subprocess.run([REPOSITORY / "scripts" / "clerk-asns", "-"], stdout=output, check=True,
                       input=b"10.0.0.0\t8\t64500\n10.0.0.0\t24\t64502_9\n2001:db8::\t32\t64503\n")
    found = numbers(read(capture, "--asns_csv", table))
    assert (found["10.0.0.1"], found["10.255.255.255"], found["2001:db8::1"]) == (64502, 64500, 64503)
    assert found["11.0.0.0"] == 0


def looked_up(database, address):
    """What mmdblookup says: 0 when the database does not know, or has no addresses of this version."""
    answer = subprocess.run(["mmdblookup", "--file", database, "--ip", address, "autonomous_system_number"],
                            capture_output=True, text=True)
    number = re.search(r"(\d+) <uint32>", answer.stdout)
    return int(number[1]) if number else 0


@pytest.mark.parametrize("name", ["ipv4", "ipv6_24", "ipv6_28", "ipv6_32"])
def test_from_a_database_they_are_what_mmdblookup_says(capture, name):
    database = DATABASES / (name + ".mmdb")
    found = numbers(read(capture, "--asn_db", database))
    assert found == {address: looked_up(database, address) for address in ADDRESSES}
    assert any(found.values())


@pytest.mark.parametrize("flag, content, complaint", [
    ("--asns_csv", None, "No such file"),
    ("--asns_csv", b"", "line"),
    ("--asns_csv", b"nothing,of,use\n", "line"),
    ("--asn_db", None, "No such file"),
    ("--asn_db", b"no database", ""),
])
def test_a_table_of_no_use_is_told_before_anything_is_written(capture, tmp_path, flag, content, complaint):
    table, output = tmp_path / "table", tmp_path / "flows.csv"
    if content is not None:
        table.write_bytes(content)
    run = clerk_runner.run_clerk("--read", capture, "--collector", "csv:%s" % output, flag, table, expect=1)
    errors = [line for line in run.stderr.splitlines() if "error" in line]
    assert len(errors) == 1 and "%s %s" % (flag, table) in errors[0] and complaint in errors[0]
    assert not output.exists()
