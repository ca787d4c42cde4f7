"""A flood of SYNs, each a flow of its own: memory stays below the bound that clerk prints, and no packet is lost.

SYN_FLOOD_PACKETS says how many. With SYN_FLOOD_MEMORY=sanitized the memory is not looked at, for a sanitizer has its own.
"""

import contextlib
import json
import os
import re
import subprocess
import time
from pathlib import Path

import clerk_runner
from flow_model import FORCED_END, LACK_OF_RESOURCES
from load import CountingCollector, Home

PACKETS = int(os.environ.get("SYN_FLOOD_PACKETS", 5_000_000))
MEMORY_IS_CLERKS = os.environ.get("SYN_FLOOD_MEMORY", "bounded") != "sanitized"

FLOWS_MAX = 100_000

# Shorter than any timeout: whatever leaves before the end had to make room.
SECONDS = 10

SAMPLE_S = 0.01


@contextlib.contextmanager
def generator(totals_path):
    """bench/trace, which writes a scan to its stdout."""
    command = [clerk_runner.BUILD / "bin" / "trace", "--kind", "scan", "--packets", str(PACKETS), "--seconds",
               str(SECONDS), "--output", "-", "--totals", totals_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        yield process
    assert process.returncode == 0


def anonymous_kib(process):
    """0 once it has ended."""
    with contextlib.suppress(OSError):
        if found := re.search(r"^RssAnon:\s*(\d+)", Path("/proc/%d/status" % process.pid).read_text(), re.M):
            return int(found[1])
    return 0


def peak_of(process):
    """The highest RssAnon seen until it ends, in MiB."""
    peak_kib = 0
    while process.poll() is None:
        peak_kib = max(peak_kib, anonymous_kib(process))
        time.sleep(SAMPLE_S)
    return peak_kib / 1024


def flooded(collector, tmp_path):
    """The Run of a clerk that read the flood, its peak of memory in MiB, and the totals of what it read."""
    totals_path, log_path = tmp_path / "totals.json", tmp_path / "log"
    command = clerk_runner.command("--read", "-", "--flows_max", FLOWS_MAX, "--collector",
                                   "127.0.0.1:%d" % collector.port, "--udp_records_per_second", 0)
    with log_path.open("wb") as log, generator(totals_path) as source, \
         subprocess.Popen(command, stdin=source.stdout, stderr=log) as clerk:
        source.stdout.close()
        peak_mib = peak_of(clerk)
    stderr = log_path.read_text()
    assert clerk.returncode == 0, stderr
    return clerk_runner.finished(0, b"", stderr), peak_mib, json.loads(totals_path.read_text())


def assert_collected(collected, octets_each):
    """A record is a packet. What the collector's buffer had no room for never arrived; the rest is told exactly."""
    assert (collected["malformed"], collected["unknown_sets"]) == (0, 0)
    assert collected["packets"] == collected["records"] == sum(collected["end_reasons"])
    assert collected["octets"] == collected["records"] * octets_each
    if not collected["socket_drops"]:
        assert (collected["records"], collected["records_missing"]) == (PACKETS, 0)
        assert collected["end_reasons"][LACK_OF_RESOURCES] == PACKETS - FLOWS_MAX
        assert collected["end_reasons"][FORCED_END] == FLOWS_MAX
    assert collected["end_reasons"][LACK_OF_RESOURCES] > 0


def test_a_flood_costs_no_more_memory_than_was_said_and_no_packet(tmp_path):
    with CountingCollector(Home()) as collector:
        run, peak_mib, totals = flooded(collector, tmp_path)
        collected = collector.stop()
    assert totals["packets"] == totals["one_way_flows"] == PACKETS
    assert run.counts["packets_received"] == run.counts["packets_exported"] == PACKETS
    assert run.counts["octets_exported"] == totals["ip_octets"]
    assert run.counts["records_exported"] == run.counts["flows_created"] == PACKETS
    assert run.counts["send_errors"] == 0
    assert_collected(collected, totals["ip_octets"] // PACKETS)
    bound_mib = int(re.search(r"memory: at most (\d+) MiB", run.stderr)[1])
    print("RssAnon: %.1f MiB of %d" % (peak_mib, bound_mib))
    if MEMORY_IS_CLERKS:
        assert 0 < peak_mib <= bound_mib
