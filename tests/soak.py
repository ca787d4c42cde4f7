"""Live capture for as long as one likes: everything adds up at the end, and memory does not grow meanwhile.

SOAK_SECONDS (600) is for how long, SOAK_RATE (packets a second) how hard, which has to be less than what the machine
carries without loss: a loss is a failure here. The packets are those of bench/'s mix, over and over again, so that
flows begin, end and come back all the time, and records leave at each of the short timeouts.
"""

import os
import re
import time

from live_clerk import LiveClerk
from load import CountingCollector, Sender

# A sanitized binary keeps freed memory back to find who still uses it: little of it, lest that be what grows.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"

SECONDS = int(os.environ.get("SOAK_SECONDS", 600))
RATE = int(os.environ.get("SOAK_RATE", 300_000))

IDLE_TIMEOUT_S, ACTIVE_TIMEOUT_S = 1, 3
# The mix repeats after so many seconds, and then every kind of flow has been there.
ROUND_S = 2
SETTLED_AFTER_S = 2 * ACTIVE_TIMEOUT_S + ROUND_S
GROWTH_MAX = 1.05
SUMMARY_S, LATE_S = 60, 5
SHORTEST_S = 2 * SETTLED_AFTER_S


def sample_memory(clerk, sender):
    """RssAnon in KiB of each second while packets come."""
    samples = []
    while sender.is_running():
        samples.append(clerk.anonymous_kib())
        time.sleep(1)
    return samples


def assert_flat(samples):
    settled = samples[SETTLED_AFTER_S:]
    third = len(settled) // 3
    early, late = max(settled[:third]), max(settled[-third:])
    print("RssAnon: %d KiB early, %d KiB late" % (early, late))
    assert late <= early * GROWTH_MAX, samples


def assert_summaries(clerk):
    """A line each minute; gives how many packets they tell of."""
    lines = clerk.lines(r"last \d+ s: packets_received=")
    assert (SECONDS - LATE_S) // SUMMARY_S <= len(lines) <= SECONDS // SUMMARY_S + 1, lines
    return sum(int(re.search(r"packets_received=(\d+)", line)[1]) for line in lines)


def test_everything_adds_up_and_memory_does_not_grow(wire):
    assert SECONDS >= SHORTEST_S, "SOAK_SECONDS: at least %d" % SHORTEST_S
    with CountingCollector(wire.probe) as collector, \
         LiveClerk(wire.probe, "--interface", "watched", "--threads", 2, "--idle-timeout", IDLE_TIMEOUT_S,
                   "--active-timeout", ACTIVE_TIMEOUT_S, "--collector", "127.0.0.1:%d" % collector.port) as clerk:
        clerk.wait_until_capturing()
        with Sender(wire, "--kind", "mix", "--packets", RATE * ROUND_S, "--rate", RATE, "--seconds",
                    SECONDS) as sender:
            samples = sample_memory(clerk, sender)
            sent = sender.wait()
        summed = assert_summaries(clerk)
        run = clerk.stop()
        collected = collector.stop()
    counts = run.counts
    print("%d packets at %d a second, %d records" % (sent["packets"], sent["pps"], counts["records_exported"]))
    assert wire.probe.counters("watched").received_packets == sent["packets"]
    assert counts["packets_received"] + counts["packets_dropped"] == sent["packets"]
    assert counts["packets_dropped"] == 0
    assert counts["packets_exported"] == counts["packets_metered"] == sent["packets"] >= summed
    assert counts["octets_exported"] == sent["octets"]
    assert (counts["send_errors"], counts.get("records_lost", 0)) == (0, 0)
    assert {name: collected[name] for name in ("records", "packets", "octets", "records_missing", "malformed",
                                               "unknown_sets", "socket_drops")} == {
        "records": counts["records_exported"], "packets": sent["packets"], "octets": sent["octets"],
        "records_missing": 0, "malformed": 0, "unknown_sets": 0, "socket_drops": 0}
    assert_flat(samples)
