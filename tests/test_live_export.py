"""Export of a busy live run: many flows end at each tick, and a collector with a small receive buffer loses none.

EXPORT_RATE is how many flows begin each second and end a second later. Each is a record of its own. The collector's
buffer is 2 MiB as the kernel counts it, which is some 900 messages of 23 records.
"""

import os

from live_clerk import LiveClerk
from load import CountingCollector, Sender

RATE = int(os.environ.get("EXPORT_RATE", 200_000))
SECONDS = 8
RECEIVE_BUFFER_MIB = 1  # SO_RCVBUF, which the kernel doubles for its own bookkeeping
LOST = ("records_missing", "sequence_errors", "unknown_sets", "malformed", "socket_drops")


def exported(wire, *arguments):
    """A scan of RATE flows a second; gives the final counts of clerk and of its collector."""
    with CountingCollector(wire.probe, "--receive_buffer_mib", RECEIVE_BUFFER_MIB) as collector, \
         LiveClerk(wire.probe, "--interface", "watched", "--threads", 1, "--idle-timeout", 1, "--collector",
                   "127.0.0.1:%d" % collector.port, *arguments) as clerk:
        clerk.wait_until_capturing()
        with Sender(wire, "--kind", "scan", "--packets", RATE * SECONDS, "--rate", RATE) as sender:
            sent = sender.wait()
        run = clerk.stop()
        collected = collector.stop()
    assert run.counts["packets_dropped"] == 0
    assert run.counts["packets_exported"] == sent["packets"] == RATE * SECONDS
    return run.counts, collected


def test_a_collector_with_a_small_buffer_loses_nothing(wire):
    counts, collected = exported(wire)
    print(counts, collected)
    assert collected["receive_buffer_octets"] == 2 << 20
    assert (counts["send_errors"], counts.get("records_lost", 0)) == (0, 0)
    assert {name: collected[name] for name in LOST} == dict.fromkeys(LOST, 0)
    assert collected["records"] == counts["records_exported"] == RATE * SECONDS
    assert collected["packets"] == counts["packets_exported"]
