"""The same capture and options give the same bytes, at any number of threads and every time.

The trace has all that could make threads disagree: fragments of one datagram in different slices and in any order,
timestamps out of order, a second file that is older than the first, and more flows than may be held.
"""

import random

import pytest

import captures
import clerk_runner
import collectors
import packets
import traffic
from flow_model import SECOND

THREADS_AND_REPEATS = [1, 1, 2, 2, 4, 4]

VARIANTS = {
    "defaults": [],
    "short timeouts": ["--active-timeout", 5, "--idle-timeout", 2.5],
    "few flows held": ["--flows_max", 300],
    "few flows held and short timeouts": ["--flows_max", 64, "--active-timeout", 3, "--idle-timeout", 1],
}


def scattered_fragments(chance, count, seconds):
    """Datagrams in pieces, up to three seconds apart, in any order; of some the first piece is missing."""
    frames = []
    for number in range(count):
        transport = packets.udp(5000 + number, 6000, bytes(200))
        if number % 2:
            pieces = packets.ipv6_fragments("2001:db8::f", "2001:db8::e", transport, size=80, identification=number)
        else:
            pieces = packets.ipv4_fragments("10.9.0.1", "10.9.0.2", transport, size=80, identification=number)
        if number % 10 == 0:
            pieces = pieces[1:]
        begin = chance.uniform(0, seconds)
        frames += [captures.Captured(traffic.at(begin + chance.uniform(0, 3)), packets.ethernet(piece))
                   for piece in pieces]
    return frames


def out_of_order(chance, records, jitter_s):
    """Each record moves in the file by as much as if it had been late or early; its time stays."""
    return sorted(records, key=lambda record: record.time_ns + chance.uniform(-jitter_s, jitter_s) * SECOND)


def trace(seed, flows, seconds):
    chance = random.Random(seed)
    records = traffic.captured(traffic.random_traffic(seed, flows=flows, seconds=seconds), snap_length=128)
    return out_of_order(chance, records + scattered_fragments(chance, 200, seconds), jitter_s=1.5)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A file of tens of seconds, and one that was recorded an hour before it."""
    folder = tmp_path_factory.mktemp("traces")
    newer, older = folder / "newer.pcap", folder / "older.pcap"
    newer.write_bytes(captures.pcap(trace(1, flows=4000, seconds=40)))
    older.write_bytes(captures.pcap(record._replace(time_ns=record.time_ns - 3600 * SECOND)
                                    for record in trace(2, flows=500, seconds=20)))
    return ["--read", newer, "--read", older]


def outputs_of_all_sinks(folder, inputs, threads, options):
    """What one run leaves in every kind of sink, and its final counts."""
    paths = {kind: folder / ("flows." + kind) for kind in ("csv", "json", "file")}
    sinks = [word for kind, path in paths.items() for word in ("--collector", "%s:%s" % (kind, path))]
    with collectors.UdpReceiver() as receiver:
        run = clerk_runner.read_capture(*inputs, "--threads", threads, *options, *sinks, "--collector",
                                        "127.0.0.1:%d" % receiver.port)
        datagrams = receiver.datagrams()
    outputs = {kind: path.read_bytes() for kind, path in paths.items()}
    return {**outputs, "udp": datagrams, "counts": run.counts}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS.keys())
def test_one_two_and_four_threads_write_the_same_bytes_twice(tmp_path, inputs, options):
    runs = [outputs_of_all_sinks(tmp_path, inputs, threads, options) for threads in THREADS_AND_REPEATS]
    reference = runs[0]
    assert reference["counts"]["records_exported"] > 4000
    assert reference["csv"].count(b"\n") == reference["counts"]["records_exported"] + 1
    for threads, outputs in zip(THREADS_AND_REPEATS, runs):
        for sink, content in outputs.items():
            assert content == reference[sink], "%s with %d threads" % (sink, threads)


def test_more_threads_than_slices_are_no_trouble(tmp_path):
    capture = traffic.write_capture(tmp_path / "short.pcap", [traffic.packet_of(traffic.tcp_key(), 0.5)])
    outputs = {clerk_runner.read_capture("--read", capture, "--threads", threads).stdout for threads in (1, 2, 8)}
    assert len(outputs) == 1


def test_threads_share_the_slices_of_stdin_too(inputs):
    content = inputs[1].read_bytes()
    reference = clerk_runner.read_capture("--read", inputs[1]).stdout
    for threads in (1, 2, 4):
        assert clerk_runner.read_capture("--read", "-", "--threads", threads, stdin=content).stdout == reference
