"""What the kernel has to drop is counted to the packet, and what clerk does beside capturing drops nothing."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

import ipfix_reader
from collectors import wait_until
from live_clerk import LiveClerk, receiver_in
from load import CountingCollector, Sender
from traffic import packet_of, udp_key

SMALLEST_RING_MIB = 2
OCTETS = 46


def one_packet_each(flows):
    return [packet_of(udp_key(number), 0, octets=OCTETS) for number in range(flows)]


def assert_nothing_unsaid(counts, sent, octets):
    """Each packet was received or dropped; `octets` are those of all that were sent, if all had to be received."""
    assert counts["packets_received"] + counts["packets_dropped"] == sent
    if octets is not None:
        assert (counts["packets_dropped"], counts["octets_metered"]) == (0, octets)


# A ring that overflows


@pytest.mark.parametrize("threads, fanout", [(1, "hash"), (2, "hash"), (2, "lb"), (2, "rollover")])
def test_what_did_not_fit_into_the_ring_is_counted_to_the_packet(wire, threads, fanout):
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", threads, "--fanout", fanout, "--ring_mib",
                   SMALLEST_RING_MIB) as clerk:
        clerk.wait_until_capturing()
        clerk.fall_asleep()
        wire.send(one_packet_each(20_000) * 4)
        clerk.wake_up()
        run = clerk.stop()
    wire.assert_quiet()
    assert_nothing_unsaid(run.counts, len(wire.sent), None)
    assert run.counts["packets_dropped"] > 0 and run.counts["packets_received"] > 1000
    assert run.counts["octets_metered"] == run.counts["packets_received"] * OCTETS


def test_after_an_overflow_nothing_more_is_lost(wire):
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", 1, "--ring_mib", SMALLEST_RING_MIB) as clerk:
        clerk.wait_until_capturing()
        for _ in range(3):
            clerk.fall_asleep()
            wire.send(one_packet_each(40_000))
            clerk.wake_up()
            probe = packet_of(udp_key(50_000), 0, octets=999)
            wait_for_room(clerk)
            wire.send([probe] * 5)
        run = clerk.stop()
    wire.assert_quiet()
    assert_nothing_unsaid(run.counts, len(wire.sent), None)
    assert sum(record.packets for record in run.records() if record.key == udp_key(50_000)) == 15


@pytest.mark.parametrize("threads", [1, 2])
def test_the_drops_of_an_interface_that_was_removed_are_counted_too(wire, threads):
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", threads, "--ring_mib",
                   SMALLEST_RING_MIB) as clerk:
        clerk.wait_until_capturing()
        clerk.fall_asleep()
        wire.send(one_packet_each(20_000) * 4)
        wire.remove()
        clerk.wake_up()
        clerk.wait_for_line("was removed")
        wire.connect()
        clerk.wait_until_capturing(count=2)
        wire.send(one_packet_each(100))
        run = clerk.stop()
    assert_nothing_unsaid(run.counts, len(wire.sent), None)
    assert run.counts["packets_dropped"] > 0


def wait_for_room(clerk):
    """Until it has read its ring: then it waits for more, and its processor time stands still."""
    def ticks():
        return clerk.processor_time()

    seen = [ticks()]
    wait_until(lambda: seen.append(ticks()) or len(seen) > 5 and len(set(seen[-5:])) == 1, "clerk has caught up")


@pytest.mark.parametrize("threads", [1, 2])
def test_at_any_rate_received_and_dropped_are_what_was_sent(wire, threads):
    """As fast as the sender can, into the smallest ring."""
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", threads, "--ring_mib", SMALLEST_RING_MIB,
                   "--collector", "csv:/dev/null") as clerk:
        clerk.wait_until_capturing()
        with Sender(wire, "--kind", "mix", "--packets", 400_000) as sender:
            sent = sender.wait()
        run = clerk.stop()
    assert wire.probe.counters("watched").received_packets == sent["packets"] == 400_000
    assert_nothing_unsaid(run.counts, sent["packets"], None)


@pytest.mark.parametrize("kind", ["mix", "scan", "elephants"])
def test_at_a_sane_rate_the_collector_has_every_packet_and_octet(wire, kind):
    with CountingCollector(wire.probe) as collector, \
         LiveClerk(wire.probe, "--interface", "watched", "--threads", 2, "--idle-timeout", 1, "--collector",
                   "127.0.0.1:%d" % collector.port) as clerk:
        clerk.wait_until_capturing()
        with Sender(wire, "--kind", kind, "--packets", 60_000, "--rate", 20_000) as sender:
            sent = sender.wait()
        run = clerk.stop()
        collected = collector.stop()
    assert_nothing_unsaid(run.counts, sent["packets"], sent["octets"])
    assert (collected["packets"], collected["octets"]) == (sent["packets"], sent["octets"])
    assert (collected["records_missing"], collected["malformed"], collected["unknown_sets"]) == (0, 0, 0)


# AS numbers that change under load


@pytest.fixture
def table():
    """A table of AS numbers that the unprivileged clerk may read."""
    with tempfile.TemporaryDirectory(prefix="clerk-asns-") as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "asns.csv"
        write_table(path, 64500)
        yield path


def write_table(path, asn):
    path.write_text("10.0.0.0,10.255.255.255,%d\n::,::ffff,%d\n" % (asn, asn))


def source_asns(receiver):
    """The source AS numbers of all records so far of clients, which are 10.0.0.0/8, in the order of arrival."""
    datagrams = [octets for _, _, octets in list(receiver.arrivals)]
    return [record["bgpSourceAsNumber"] for message in ipfix_reader.read_datagrams(datagrams)
            for record in message.records if record.get("sourceIPv4Address", "").startswith("10.")]


def wait_for_asn(receiver, asn):
    wait_until(lambda: asn in source_asns(receiver)[-50:], "records carry AS %d" % asn)


def test_a_hangup_brings_new_as_numbers_and_loses_no_packet(wire, table):
    with receiver_in(wire.probe) as receiver, \
         LiveClerk(wire.probe, "--interface", "watched", "--threads", 2, "--idle-timeout", 1, "--asns_csv",
                   table, "--collector", "127.0.0.1:%d" % receiver.port) as clerk:
        clerk.wait_until_capturing()
        with Sender(wire, "--kind", "mix", "--packets", 10_000, "--rate", 10_000, "--seconds", 300) as sender:
            wait_for_asn(receiver, 64500)
            write_table(table, 64501)
            clerk.signal(signal.SIGHUP)
            wait_for_asn(receiver, 64501)
            table.write_text("this is no table\n")
            said = len(clerk.lines(str(table)))
            clerk.signal(signal.SIGHUP)
            wait_until(lambda: len(clerk.lines(str(table))) > said, "clerk complains of the table")
            complained = len(source_asns(receiver))
            wait_until(lambda: len(source_asns(receiver)) > complained + 500, "more records come")
            sent = sender.stop()
        run = clerk.stop()
        asns = source_asns(receiver)
    assert_nothing_unsaid(run.counts, sent["packets"], sent["octets"])
    assert set(asns) == {64500, 64501} and asns == sorted(asns), "the new numbers replace the old ones at once"


def test_a_table_that_is_broken_at_the_start_is_told(wire, table):
    table.write_text("10.0.0.0,10.255.255.255\n")
    with LiveClerk(wire.probe, "--interface", "watched", "--asns_csv", table) as clerk:
        run = clerk.ended(expect=1)
    assert str(table) in run.stderr and not run.counts
