"""Capture files that are damaged, cut or none at all, and things that are no files.

What came before the damage is exported, the counts are true, the error names the file and the offset, the exit status
is 1, and the files behind are read.
"""

import os
import socket
import subprocess

import pytest

import captures
import clerk_runner
import traffic
from captures import Interface
from flow_model import expected_records

KEYS = [traffic.tcp_key(1), traffic.udp_key(2), traffic.udp6_key(3), traffic.tcp_key(4)]
DESCRIBED = [traffic.packet_of(key, place * 0.25, 80 + place) for place, key in enumerate(KEYS * 3)]


GOOD = traffic.captured(DESCRIBED[:3])
STRAY = traffic.captured(DESCRIBED)[3]


def damaged_run(tmp_path, content, good_packets, offset, why, name="capture"):
    """What came before the damage is exported, and the one line about the file tells where it is and what."""
    path = tmp_path / name
    path.write_bytes(content)
    run = clerk_runner.read_capture("--read", path, expect=1)
    assert run.records() == expected_records(good_packets)
    lines = [line for line in run.stderr.splitlines() if str(path) in line]
    assert len(lines) == 1, run.stderr
    assert "--read %s: offset %s: " % (path, offset) in lines[0]
    assert why in lines[0]
    return run


def refused_run(path, why, **options):
    """Nothing can be read of it: the line about it names it and says why, and the counts are there and zero."""
    run = clerk_runner.run_clerk("--read", path, expect=1, **options)
    assert "--read %s: %s" % (path, why) in run.stderr
    assert run.counts.get("packets_received", 0) == 0
    return run


# pcap


def test_a_pcap_cut_inside_a_packet_exports_what_came_before(tmp_path):
    content = captures.pcap(traffic.captured(DESCRIBED))
    last = 16 + len(traffic.frame_of(DESCRIBED[-1]))
    damaged_run(tmp_path, content[:-7], DESCRIBED[:-1], len(content) - last, "ends inside a record of %d octets" % last)


def test_a_pcap_cut_inside_a_record_header_exports_what_came_before(tmp_path):
    content = captures.pcap(traffic.captured(DESCRIBED))
    last = 16 + len(traffic.frame_of(DESCRIBED[-1]))
    damaged_run(tmp_path, content[:-last + 5], DESCRIBED[:-1], len(content) - last, "ends inside a record header")


def test_a_pcap_record_of_absurd_length_ends_the_file(tmp_path):
    content = captures.pcap(GOOD)
    damaged_run(tmp_path, content + b"\x65\x00\x00\x00" * 2 + b"\xff\xff\xff\x7f" * 2 + bytes(64), DESCRIBED[:3],
                len(content), "a record claims 2147483647 captured octets")


def test_a_pcap_record_may_claim_less_than_it_holds(tmp_path):
    record = GOOD[0]._replace(wire_length=10)
    path = tmp_path / "capture"
    path.write_bytes(captures.pcap([record]))
    assert clerk_runner.read_capture("--read", path).records() == expected_records(DESCRIBED[:1])


# pcapng


def test_a_pcapng_cut_inside_a_block_exports_what_came_before(tmp_path):
    content = captures.pcapng(traffic.captured(DESCRIBED))
    last = captures.enhanced_packet(traffic.captured(DESCRIBED)[-1], Interface(resolution=9))
    damaged_run(tmp_path, content[:-7], DESCRIBED[:-1], len(content) - len(last),
                "ends inside a block of %d octets" % len(last))


def packet_block(length):
    return captures.ENHANCED_PACKET.to_bytes(4, "little") + length.to_bytes(4, "little") + bytes(64)


@pytest.mark.parametrize("length", [0, 8, 13], ids=str)
def test_a_pcapng_block_of_impossible_length_ends_the_file(tmp_path, length):
    content = captures.pcapng(GOOD)
    damaged_run(tmp_path, content + packet_block(length), DESCRIBED[:3], len(content),
                "a block claims a length of %d octets" % length)


@pytest.mark.parametrize("block_type", [captures.ENHANCED_PACKET, captures.NAME_RESOLUTION, 0x12345678], ids=hex)
def test_a_pcapng_block_longer_than_its_file_ends_it(tmp_path, block_type):
    content = captures.pcapng(GOOD)
    block = block_type.to_bytes(4, "little") + (0xFFFFFFFC).to_bytes(4, "little") + bytes(64)
    damaged_run(tmp_path, content + block, DESCRIBED[:3], len(content), "ends inside a block of 4294967292 octets")


@pytest.mark.parametrize("block_type", [captures.ENHANCED_PACKET, captures.INTERFACE_STATISTICS], ids=str)
def test_a_pcapng_block_whose_lengths_differ_ends_the_file(tmp_path, block_type):
    content = captures.pcapng(GOOD)
    block = captures.block(block_type, bytes(24))[:-4] + (40).to_bytes(4, "little")
    damaged_run(tmp_path, content + block, DESCRIBED[:3], len(content), "a block's two lengths differ (36 and 40)")


def test_a_pcapng_packet_of_an_interface_that_was_never_described_ends_the_file(tmp_path):
    content = captures.pcapng(GOOD)
    stray = captures.enhanced_packet(STRAY._replace(interface=7), Interface())
    damaged_run(tmp_path, content + stray, DESCRIBED[:3], len(content), "a packet names interface 7, but only 1 are")


def test_a_pcapng_packet_longer_than_its_block_ends_the_file(tmp_path):
    content = captures.pcapng(GOOD)
    damaged_run(tmp_path, content + captures.simple_packet(STRAY._replace(wire_length=1500)), DESCRIBED[:3],
                len(content), "a packet claims 1500 captured octets, more than its block holds")


def test_a_pcapng_interface_whose_options_lie_ends_the_file(tmp_path):
    content = captures.pcapng(GOOD)
    lie = captures.block(captures.INTERFACE_DESCRIPTION, bytes(8) + bytes([9, 0, 200, 0, 9, 0, 0, 0]))
    damaged_run(tmp_path, content + lie, DESCRIBED[:3], len(content), "option 9 of an interface claims 200 octets")


def test_a_pcapng_section_of_an_unknown_version_is_passed_over_and_told(tmp_path):
    first = captures.pcapng(traffic.captured(DESCRIBED[:5]))
    last = captures.pcapng(traffic.captured(DESCRIBED[5:]), order=">")
    unknown = bytearray(captures.pcapng(GOOD))
    unknown[12] = 2
    damaged_run(tmp_path, first + bytes(unknown) + last, DESCRIBED, len(first),
                "a section of pcapng version 2.0 was passed over")


@pytest.mark.parametrize("write", [captures.pcap, captures.pcapng], ids=["pcap", "pcapng"])
def test_every_cut_of_a_small_file_ends_without_a_crash(tmp_path, write):
    content = write(traffic.captured(DESCRIBED[:2]))
    for length in range(0, len(content), 3):
        path = tmp_path / "cut"
        path.write_bytes(content[:length])
        process = subprocess.run(clerk_runner.command("--read", path), capture_output=True, timeout=30)
        assert process.returncode in (0, 1), (length, process.stderr)


# Compressed


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_compressed_file_that_is_cut_exports_what_came_before(tmp_path, kind):
    """Its first member is whole, so it is known what came before: six packets and a part of the seventh."""
    content = captures.pcap(traffic.captured(DESCRIBED))
    seventh = len(captures.pcap(traffic.captured(DESCRIBED[:6])))
    whole, cut = captures.compressed(kind, content[:seventh + 20]), captures.compressed(kind, content[seventh + 20:])
    damaged_run(tmp_path, whole + cut[:8], DESCRIBED[:6], "%d of the uncompressed data" % seventh,
                "the %s data ends early" % {"gz": "gzip", "zst": "zstd"}[kind], name="capture.pcap." + kind)


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_damaged_file_in_a_compressed_one_tells_the_offset_in_the_uncompressed_data(tmp_path, kind):
    content = captures.pcap(traffic.captured(DESCRIBED))
    last = 16 + len(traffic.frame_of(DESCRIBED[-1]))
    damaged_run(tmp_path, captures.compressed(kind, content[:-7]), DESCRIBED[:-1],
                "%d of the uncompressed data" % (len(content) - last), "ends inside a record of %d octets" % last)


@pytest.mark.parametrize("inner", ["gz", "zst"])
@pytest.mark.parametrize("outer", ["gz", "zst"])
def test_a_file_compressed_twice_is_refused(tmp_path, outer, inner):
    path = tmp_path / "capture.pcap.gz"
    path.write_bytes(captures.compressed(outer, captures.compressed(inner, captures.pcap(GOOD))))
    program = {"gz": "gzip", "zst": "zstd"}[inner]
    refused_run(path, "is compressed twice; unpack it with %s -dc first" % program)


# No captures, and no files


NO_CAPTURES = {
    "nothing": (b"", "is no capture file: it ends at offset 0"),
    "one octet": (b"\xd4", "is no capture file: it ends at offset 1"),
    "text": (b"hello, this is no capture file at all\n" * 3, "is no pcap or pcapng file, nor a .gz or .zst of one"),
    "zeros": (bytes(100), "is no pcap or pcapng file, nor a .gz or .zst of one: it begins with 00 00 00 00"),
    "half a pcap header": (captures.pcap([])[:12], "ends inside the pcap file header, at offset 12"),
    "half a section header": (captures.section_header()[:12], "ends inside the pcapng section header, at offset 12"),
    "xz": (b"\xfd7zXZ\0" + bytes(20), "is compressed in a way that is not read; write xz -dc FILE | clerk --read -"),
}


@pytest.mark.parametrize("content, why", NO_CAPTURES.values(), ids=NO_CAPTURES.keys())
def test_a_file_that_is_no_capture_is_named(tmp_path, content, why):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    refused_run(path, why)


@pytest.mark.parametrize("content, why", NO_CAPTURES.values(), ids=NO_CAPTURES.keys())
def test_stdin_that_is_no_capture_is_named(content, why):
    refused_run("-", why, stdin=content)


def test_a_missing_file_is_named(tmp_path):
    refused_run(tmp_path / "nowhere.pcap", "No such file or directory")


def test_a_folder_is_no_capture(tmp_path):
    refused_run(tmp_path, "is a directory")


def test_a_file_that_cannot_be_read_is_named():
    """The first octets of a process's memory are nobody's."""
    refused_run("/proc/self/mem", "Input/output error")


def test_dev_null_is_no_capture():
    refused_run("/dev/null", "is no capture file: it ends at offset 0")


def test_a_named_pipe_that_nobody_fills_is_no_capture(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = clerk_runner.start_clerk("--read", pipe)
    pipe.write_bytes(b"")
    stderr = process.communicate(timeout=clerk_runner.PATIENCE_S)[1].decode()
    assert process.returncode == 1
    assert "--read %s: is no capture file: it ends at offset 0" % pipe in stderr


def test_a_socket_is_no_capture(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        refused_run(path, "No such device or address")


NOBODY = 65534


def test_a_file_without_permission_is_named(tmp_path):
    path = traffic.write_capture(tmp_path / "secret.pcap", DESCRIBED)
    path.chmod(0)
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        process = subprocess.run(clerk_runner.command("--read", path), capture_output=True, timeout=30, **user)
    except PermissionError:
        pytest.skip("nobody may not run the build's clerk")
    assert process.returncode == 1
    assert "--read %s: Permission denied" % path in process.stderr.decode()


# Several files


def test_the_files_behind_broken_ones_are_still_read(tmp_path):
    contents = {"broken.pcap": captures.pcap(traffic.captured(DESCRIBED[:6]))[:-3], "text": b"no capture\n",
                "empty": b"", "broken.pcapng": captures.pcapng(traffic.captured(DESCRIBED[6:9])) + packet_block(0),
                "cut.gz": captures.compressed("gz", captures.pcap([]))[:-1],
                "good.pcap": captures.pcap(traffic.captured(DESCRIBED[9:]))}
    arguments = []
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        arguments += ["--read", tmp_path / name]
    run = clerk_runner.read_capture(*arguments, expect=1)
    assert run.records() == expected_records(DESCRIBED[:5] + DESCRIBED[6:])
    told = [name for line in run.stderr.splitlines()
            for name in contents if "--read %s/%s: " % (tmp_path, name) in line]
    assert told == ["broken.pcap", "text", "empty", "broken.pcapng", "cut.gz"]
