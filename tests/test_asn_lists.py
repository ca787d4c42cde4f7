"""scripts/clerk-asns: every public list becomes the CSV that clerk reads, and the longest prefix wins."""

import gzip
import ipaddress
import random
import subprocess
import sys
from pathlib import Path

import pytest

CLERK_ASNS = Path(__file__).resolve().parent.parent / "scripts" / "clerk-asns"


def run(*arguments, expect=0, stdin=b""):
    """(the lines of stdout, stderr)"""
    process = subprocess.run([sys.executable, "-B", str(CLERK_ASNS), *map(str, arguments)], input=stdin,
                             capture_output=True, timeout=60)
    stderr = process.stderr.decode()
    assert process.returncode == expect, stderr
    return process.stdout.decode().splitlines(), stderr


def converted(text):
    return run("-", stdin=text.encode())[0]


WANTED = ["1.0.0.0,1.0.0.255,13335", "9.9.0.0,9.9.255.255,42", "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64496"]

LISTS = {
    "routeviews": "1.0.0.0\t24\t13335_2\n9.9.0.0\t16\t42,43\n2001:db8::\t32\t64496\n",
    "bgp.tools table.txt": "1.0.0.0/24 13335\n9.9.0.0/16 42\n2001:db8::/32 64496\n",
    "bgp.tools table.jsonl": '{"CIDR":"1.0.0.0/24","ASN":13335,"Hits":5}\n{"CIDR":"9.9.0.0/16","ASN":42}\n'
                             '{"CIDR":"2001:db8::/32","ASN":64496}\n',
    "riswhois": "% RIS whois\n%\n\n13335\t1.0.0.0/24\t350\n{42,43}\t9.9.0.0/16\t2\n64496\t2001:db8::/32\t9\n",
    "iptoasn": "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARE, net\n1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n"
               "9.9.0.0\t9.9.255.255\t42\tNL\tX\n"
               "2001:db8::\t2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\t64496\tNL\tX\n",
    "maxmind": 'network,autonomous_system_number,autonomous_system_organization\n1.0.0.0/24,13335,"Cloud, Inc."\n'
               '9.9.0.0/16,42,X\n2001:db8::/32,64496,X\n',
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS.keys())
def test_each_format_is_told_by_its_content(text):
    assert converted(text) == WANTED
    assert converted(text.replace("\n", "\r\n")) == WANTED


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS.keys())
def test_gzip_is_told_by_its_content(tmp_path, text):
    path = tmp_path / "list"
    path.write_bytes(gzip.compress(text.encode()))
    assert run(path)[0] == WANTED
    assert run("-", stdin=path.read_bytes())[0] == WANTED


def test_several_files_are_one_list_and_the_first_mention_counts(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("10.0.0.0/8 1\n10.0.0.0/8 2\n")
    second.write_text("10.0.0.0\t8\t3\n10.1.0.0\t16\t4\n")
    assert run(first, second)[0] == ["10.0.0.0,10.0.255.255,1", "10.1.0.0,10.1.255.255,4", "10.2.0.0,10.255.255.255,1"]
    assert run(second, first)[0][0] == "10.0.0.0,10.0.255.255,3"


def test_neighbours_of_one_as_are_joined():
    assert converted("10.0.0.0/9 1\n10.128.0.0/9 1\n10.7.0.0/16 1\n11.0.0.0/8 2\n") == \
        ["10.0.0.0,10.255.255.255,1", "11.0.0.0,11.255.255.255,2"]


def test_a_range_that_is_no_prefix_keeps_its_ends():
    assert converted("10.0.0.1\t10.0.2.6\t1\tNL\tX\n0.0.0.0\t0.0.0.2\t2\tNL\tX\n") == \
        ["0.0.0.0,0.0.0.2,2", "10.0.0.1,10.0.2.6,1"]
    whole = "0.0.0.0\t127.255.255.255\t1\tNL\tX\n128.0.0.0\t255.255.255.255\t1\tNL\tX\n"
    assert converted(whole) == ["0.0.0.0,255.255.255.255,1"]


def test_what_is_not_routed_is_left_out():
    text = "0.0.0.0/0 1\n::/0 1\n::/8 2\n::ffff:0:0/96 3\n10.0.0.0/8 0\n2001:db8::/127 4294967295\n"
    assert converted(text) == ["2001:db8::,2001:db8::1,4294967295"]


def test_bad_lines_are_skipped_and_counted():
    lines, stderr = run("-", stdin=b"garbage\n10.0.0.0/8 1\n10.0.0.1/8 1\n11.0.0.0/33 1\n12.0.0.0/8 4294967296\n\xff\n")
    assert lines == ["10.0.0.0,10.255.255.255,1"]
    assert "-: bgp.tools table.txt, 6 lines read, 5 skipped (the first is line 1: unknown format)" in stderr
    assert "1 prefixes, 1 ranges" in stderr


def test_a_file_of_another_kind_is_an_error(tmp_path):
    path = tmp_path / "letter"
    path.write_text("Dear Sir or Madam,\n")
    lines, stderr = run(path, expect=1)
    assert lines == []
    assert stderr == "clerk-asns: %s: no line is of a format that clerk-asns knows (see --help)\n" % path


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    _, stderr = run(tmp_path / "missing", expect=1)
    assert stderr == "clerk-asns: %s: No such file or directory\n" % (tmp_path / "missing")
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(LISTS["maxmind"].encode())[:-10])
    assert str(cut) in run(cut, expect=1)[1]


def test_nothing_routed_is_an_error():
    assert "0 prefixes, 0 ranges" in run("-", stdin=b"10.0.0.0/8 0\n", expect=1)[1]


def test_usage():
    assert "usage: clerk-asns FILE..." in "\n".join(run("--help")[0])
    assert "give one file or more" in run(expect=2)[1]
    assert "give one file or more" in run("--output", "x", expect=2)[1]


# The whole against the obvious way: an address belongs to the longest prefix that holds it.


def random_prefix(dice, version):
    bits = 32 if version == 4 else 128
    length = dice.randint(1, bits)
    base = dice.choice([0x0a000000, 0xffffff00, 0]) if version == 4 else 0x20010db8 << 96
    number = base ^ dice.getrandbits(dice.randint(1, 32 if version == 4 else 96))
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    return kind((number, length), strict=False)


def longest_match(prefixes, address):
    holding = [prefix for prefix in prefixes if prefix.version == address.version and address in prefix]
    return prefixes[max(holding, key=lambda prefix: prefix.prefixlen)] if holding else 0


def parsed(line):
    first, last, asn = line.split(",")
    return ipaddress.ip_address(first), ipaddress.ip_address(last), int(asn)


def probes_of(prefixes, dice):
    for prefix in prefixes:
        kind, most = type(prefix[0]), 2**prefix.max_prefixlen - 1
        first, last = int(prefix[0]), int(prefix[-1])
        for number in (first - 1, first, dice.randint(first, last), last, last + 1):
            if 0 <= number <= most:
                yield kind(number)


def assert_sorted_and_disjoint(ranges):
    for before, behind in zip(ranges, ranges[1:]):
        if before[0].version == behind[0].version:
            assert before[1] < behind[0]
            assert before[2] != behind[2] or int(before[1]) + 1 < int(behind[0])
    assert [first.version for first, _, _ in ranges] == sorted(first.version for first, _, _ in ranges)


@pytest.mark.parametrize("seed", range(25))
def test_flattening_equals_the_longest_prefix_search(seed):
    dice = random.Random(seed)
    count = dice.choice([1, 5, 60])
    prefixes = {random_prefix(dice, dice.choice([4, 6])): dice.randint(1, 4) for _ in range(count)}
    prefixes = {prefix: asn for prefix, asn in prefixes.items() if prefix.version == 4 or int(prefix[0]) >> 48}
    if not prefixes:
        return
    lines = ["%s %d" % item for item in prefixes.items()]
    ranges = [parsed(line) for line in converted("\n".join(lines))]
    assert_sorted_and_disjoint(ranges)
    for probe in probes_of(prefixes, dice):
        found = [asn for first, last, asn in ranges if first.version == probe.version and first <= probe <= last]
        assert (found or [0]) == [longest_match(prefixes, probe)], probe
