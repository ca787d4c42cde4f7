"""testimonyd and two clerks, under load: every packet is in the records of each clerk, or counted as dropped.

TESTIMONY_PACKETS and TESTIMONY_RATE say how many, and how many a second.
"""

import contextlib
import os
import time

import pytest

from collectors import wait_until
from live_clerk import LiveClerk
from live_flows import totals_of_packets, totals_of_records
from load import CountingCollector, Sender
from testimony import FANOUT_HASH, FANOUT_LB, Client, pump
from traffic import packet_of, udp_key

PACKETS = int(os.environ.get("TESTIMONY_PACKETS", 10_000_000))
RATE = int(os.environ.get("TESTIMONY_RATE", 200_000))
INDEXES = 2
READING = "testimony .*: reading %d of %d indexes"

# 128 MiB in all: what comes in about half a second.
AMPLE = {"BlockSize": 1 << 20, "NumBlocks": 64, "FanoutSize": INDEXES}


def clerk_on(wire, daemon, *arguments):
    return LiveClerk(wire.probe, "--testimony", daemon.path, *arguments)


def wait_until_reading(clerk, indexes=INDEXES, count=1):
    clerk.wait_for_line(READING % (indexes, indexes), count)


def sums(daemon, name):
    return sum(ring[name] for ring in daemon.rings())


def wait_until_told(daemon, sent):
    """The kernel has counted all that was sent, each client knows what was dropped, and all blocks came back."""
    wait_until(lambda: sums(daemon, "packets") == sent, "the kernel has counted %d packets" % sent)
    with contextlib.ExitStack() as stack:
        late = [stack.enter_context(Client(daemon.path, index)) for index in range(INDEXES)]
        # At once, and twice when all clients are told, a second apart: by then the last block has come, too.
        pump(late, lambda: all(len(client.counters_told) == 3 for client in late), "all clients are told")
    wait_until(lambda: sums(daemon, "blocks_held") == 0, "all blocks came back")


@pytest.mark.parametrize("kind, mode", [("mix", FANOUT_HASH), ("scan", FANOUT_LB)])
def test_every_packet_is_in_the_records_of_each_clerk_or_counted_as_dropped(serve, wire, kind, mode):
    daemon = serve(FanoutType=mode, **AMPLE)
    packets = PACKETS if kind == "mix" else PACKETS // 8  # each packet of a scan is a flow
    with contextlib.ExitStack() as stack:
        collectors = [stack.enter_context(CountingCollector(wire.probe)) for _ in range(2)]
        clerks = [stack.enter_context(clerk_on(wire, daemon, "--idle-timeout", 1, "--collector",
                                               "127.0.0.1:%d" % collector.port)) for collector in collectors]
        for clerk in clerks:
            wait_until_reading(clerk)
        with Sender(wire, "--kind", kind, "--packets", packets, "--rate", RATE) as sender:
            sent = sender.wait(patience_s=600)
        assert sent["packets"] == packets
        wait_until_told(daemon, packets)
        dropped = sums(daemon, "drops")
        runs = [clerk.stop() for clerk in clerks]
        collected = [collector.stop() for collector in collectors]
    assert sums(daemon, "evictions") == 0
    print("sent %d packets, %d dropped, %.0f a second" % (packets, dropped, sent["pps"]))
    for run, counted in zip(runs, collected):
        assert counted["packets"] + dropped == packets and run.counts["packets_dropped"] == dropped
        assert dropped or counted["octets"] == sent["octets"]
        assert (counted["records_missing"], counted["malformed"], counted["unknown_sets"]) == (0, 0, 0)
        assert "source_outages" not in run.counts, run.stderr
    daemon.stop()


def test_what_the_kernel_drops_is_each_clerks_loss_to_the_packet(serve, wire):
    daemon = serve(FanoutType=FANOUT_LB, FanoutSize=INDEXES)
    packets = 40_000
    with clerk_on(wire, daemon, "--collector", "csv:/dev/null") as first, \
         clerk_on(wire, daemon, "--collector", "csv:/dev/null") as second:
        for clerk in (first, second):
            wait_until_reading(clerk)
        daemon.fall_asleep()
        with Sender(wire, "--kind", "mix", "--packets", packets) as sender:
            sender.wait()
        daemon.wake_up()
        wait_until_told(daemon, packets)
        dropped = sums(daemon, "drops")
        runs = [first.stop(), second.stop()]
    assert 0 < dropped < packets and sums(daemon, "evictions") == 0
    for run in runs:
        assert run.counts["packets_dropped"] == dropped and run.counts["packets_received"] == packets - dropped
    daemon.stop()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_comes_while_there_is_no_daemon_is_all_that_is_missing(serve, wire, end):
    """A daemon ends amid traffic and another one comes: clerk's flows go on."""
    daemon = serve(FanoutType=FANOUT_HASH, **AMPLE)
    with clerk_on(wire, daemon) as clerk:
        wait_until_reading(clerk)
        lasting = [packet_of(udp_key(number), 0) for number in range(100)]
        wire.send(lasting * 10)
        wait_until_told(daemon, 1000)
        getattr(daemon, end)()
        clerk.wait_for_line("the daemon closed the connection; connecting again")
        wire.send(lasting * 7)
        again = serve(FanoutType=FANOUT_HASH, **AMPLE)
        wait_until_reading(clerk, count=2)
        wire.send(lasting * 5)
        wait_until_told(again, 500)
        run = clerk.stop()
    assert totals_of_records(run.records()) == totals_of_packets(lasting * 15)
    assert len(run.records()) == 100, "the flows are those from before"
    assert run.counts["source_outages"] == 1 and run.counts["source_outage_ms"] > 0
    assert (run.counts["packets_received"], run.counts["packets_dropped"]) == (1500, 0)
    again.stop()


def test_a_daemon_that_is_killed_under_load_costs_what_came_meanwhile_and_no_more(serve, wire):
    daemon = serve(FanoutType=FANOUT_HASH, **AMPLE)
    with CountingCollector(wire.probe) as collector, \
         clerk_on(wire, daemon, "--collector", "127.0.0.1:%d" % collector.port) as clerk:
        wait_until_reading(clerk)
        with Sender(wire, "--kind", "mix", "--packets", 400_000, "--rate", 50_000) as sender:
            wait_until(lambda: sums(daemon, "packets") > 20_000, "traffic flows")
            daemon.kill()
            again = serve(FanoutType=FANOUT_HASH, **AMPLE)
            wait_until_reading(clerk, count=2)
            joined = sums(again, "packets")
            wait_until(lambda: sums(again, "packets") > joined + 20_000, "traffic flows again")
            sent = sender.stop()["packets"]
        behind = wait_for_all(again)
        run = clerk.stop()
        collected = collector.stop()
    counts = run.counts
    assert counts["source_outages"] == 1
    assert collected["packets"] == counts["packets_received"] and counts["packets_dropped"] == 0
    lost = sent - counts["packets_received"]
    # Missed are those without a daemon, and those that its successor counted before clerk was there again.
    assert 0 < lost <= sent - 20_000 - (behind - joined), (sent, counts, behind, joined)
    again.stop()


def wait_for_all(daemon):
    """Until no more packets come; how many did."""
    seen = [-1, sums(daemon, "packets")]
    while seen[-1] != seen[-2] or sums(daemon, "blocks_held"):
        time.sleep(1.1)  # the daemon looks each second
        seen.append(sums(daemon, "packets"))
    return seen[-1]


def test_what_an_evicted_clerk_has_missed_is_counted(serve, wire):
    daemon = serve(BlockSize=1 << 16, NumBlocks=16, BlockTimeoutMillis=10)
    with clerk_on(wire, daemon) as clerk, Sender(wire, "--kind", "mix", "--packets", 40_000, "--rate", 20_000) as sender:
        wait_until_reading(clerk, indexes=1)
        wait_until(lambda: sums(daemon, "packets") > 4000, "packets come")
        clerk.fall_asleep()
        wait_until(lambda: sums(daemon, "evictions") == 1, "clerk is too slow")
        wait_until(lambda: sums(daemon, "packets") > 20_000, "more packets come")
        clerk.wake_up()
        wait_until_reading(clerk, indexes=1, count=2)
        sender.wait()
        wait_until(lambda: sums(daemon, "packets") == 40_000 and sums(daemon, "blocks_held") == 0, "all have come")
        run = clerk.stop()
    assert run.counts["source_outages"] == 1
    assert 0 < run.counts["blocks_missed"] < sums(daemon, "blocks")
    assert run.counts["packets_received"] < 40_000
