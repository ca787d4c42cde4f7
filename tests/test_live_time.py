"""The wall clock drives a live run: records leave when due though nothing arrives, and after a sleep of any length."""

import time

import pytest

import ipfix_reader
import traffic
from collectors import wait_until
from flow_model import ACTIVE_TIMEOUT, END_DETECTED, FORCED_END, IDLE_TIMEOUT, SECOND
from live_clerk import LiveClerk, receiver_in
from live_flows import assert_complete, assert_flows, reasons
from packets import ACK, FIN, PSH, RST, SYN
from traffic import packet_of, tcp_key, udp_key

# A record is due within a second of its timeout. This is what a slow machine and the way may add.
SLACK_S = 1.0


def watching(wire, receiver, *arguments):
    return LiveClerk(wire.probe, "--interface", "watched", "--collector", "127.0.0.1:%d" % receiver.port, *arguments)


def timed_records(receiver):
    """(arrival on the monotonic clock, record) of every record that came so far."""
    arrivals = list(receiver.arrivals)
    messages = ipfix_reader.read_datagrams([octets for _, _, octets in arrivals])
    return [(arrival, record) for (arrival, _, _), message in zip(arrivals, messages)
            for record in ipfix_reader.flow_records([message])]


def wait_for_records(receiver, count, patience_s=30):
    wait_until(lambda: len(timed_records(receiver)) >= count, "%d records arrive" % count, patience_s)
    return timed_records(receiver)


def test_a_silent_flow_leaves_though_nothing_else_arrives(wire):
    with receiver_in(wire.probe) as receiver, watching(wire, receiver, "--idle-timeout", 1) as clerk:
        clerk.wait_until_capturing()
        wire.send([packet_of(udp_key(), 0)])
        sent = time.monotonic()
        [(arrival, record)] = wait_for_records(receiver, 1)
        run = clerk.stop()
    assert (record.key, record.packets, record.end_reason) == (udp_key(), 1, IDLE_TIMEOUT)
    assert 1 <= arrival - sent <= 2 + SLACK_S
    assert run.counts["records_exported"] == 1


def test_the_export_time_is_the_wall_clocks(wire):
    with receiver_in(wire.probe) as receiver, watching(wire, receiver, "--idle-timeout", 1) as clerk:
        clerk.wait_until_capturing()
        begin_s = time.time()
        wire.send([packet_of(udp_key(), 0)])
        wait_for_records(receiver, 1)
        clerk.stop()
        times = [message.export_time for message in ipfix_reader.read_datagrams(receiver.datagrams())]
    assert all(begin_s - 60 <= export_time <= time.time() + 1 for export_time in times)
    assert times[-1] >= begin_s


def test_a_lasting_flow_is_reported_at_every_active_timeout(wire):
    with receiver_in(wire.probe) as receiver, watching(wire, receiver, "--active-timeout", 2) as clerk:
        clerk.wait_until_capturing()
        sent = wire.send([packet_of(udp_key(), 0)] * 28, gap_s=0.25)
        run = clerk.stop()
        timed = timed_records(receiver)
    *active, last = [record for _, record in timed]
    assert len(active) >= 2 and reasons(active) == {ACTIVE_TIMEOUT}
    assert last.end_reason == FORCED_END
    assert all(record.last_ns - record.first_ns <= 3 * SECOND for record in active)
    assert_flows([*active, last], [packet for packet, _, _ in sent])
    assert run.counts["packets_exported"] == len(sent)


@pytest.mark.parametrize("last_flags", [FIN | ACK, RST], ids=["FIN", "RST"])
def test_an_ended_connection_leaves_two_to_three_seconds_later(wire, last_flags):
    with receiver_in(wire.probe) as receiver, watching(wire, receiver) as clerk:
        clerk.wait_until_capturing()
        wire.send([packet_of(tcp_key(), 0, tcp_flags=flags) for flags in (SYN, ACK | PSH, last_flags)])
        ended = time.monotonic()
        wire.send([packet_of(tcp_key(), 0, tcp_flags=ACK)])
        [(arrival, record)] = wait_for_records(receiver, 1)
        clerk.stop()
    assert (record.packets, record.end_reason) == (4, END_DETECTED)
    assert record.tcp_flags == SYN | ACK | PSH | last_flags
    assert 2 <= arrival - ended <= 3 + SLACK_S


def test_a_connection_that_opens_again_is_a_new_flow(wire):
    connection = [packet_of(tcp_key(), 0, tcp_flags=flags) for flags in (SYN, ACK, FIN | ACK)]
    with receiver_in(wire.probe) as receiver, watching(wire, receiver) as clerk:
        clerk.wait_until_capturing()
        wire.send(connection * 3)
        records = [record for _, record in wait_for_records(receiver, 3)]
        clerk.stop()
    assert [(record.packets, record.end_reason) for record in records] == [(3, END_DETECTED)] * 3


def test_the_tick_takes_no_packet_with_it(wire):
    """A trickle across several ticks, with records leaving at each of them."""
    described = [packet_of(udp_key(number), 0) for number in range(400)]
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", 2, "--idle-timeout", 1) as clerk:
        clerk.wait_until_capturing()
        wire.send(described, gap_s=0.01)
        run = clerk.stop()
    assert_complete(run, wire.sent)
    assert reasons(run.records()) == {IDLE_TIMEOUT, FORCED_END}


# A machine that was asleep


ASLEEP_S = 4


@pytest.mark.parametrize("threads", [1, 2])
def test_after_a_sleep_longer_than_the_timeouts_everything_is_still_right(wire, threads):
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", threads, "--idle-timeout", 2) as clerk:
        clerk.wait_until_capturing()
        wire.send(traffic.random_traffic(1, flows=100, seconds=10))
        clerk.fall_asleep()
        wire.send(traffic.random_traffic(2, flows=100, seconds=10))
        time.sleep(ASLEEP_S)
        clerk.wake_up()
        wire.send(traffic.random_traffic(3, flows=100, seconds=10))
        run = clerk.stop()
    assert_complete(run, wire.sent)


def test_records_leave_on_time_after_a_sleep(wire):
    with receiver_in(wire.probe) as receiver, watching(wire, receiver, "--idle-timeout", 1) as clerk:
        clerk.wait_until_capturing()
        wire.send([packet_of(udp_key(1), 0)])
        clerk.fall_asleep()
        time.sleep(ASLEEP_S)
        clerk.wake_up()
        awake = time.monotonic()
        [(arrival, record)] = wait_for_records(receiver, 1)
        assert (record.key, record.end_reason) == (udp_key(1), IDLE_TIMEOUT)
        assert arrival - awake <= 1 + SLACK_S
        wire.send([packet_of(udp_key(2), 0)])
        sent = time.monotonic()
        arrival, record = wait_for_records(receiver, 2)[1]
        clerk.stop()
    assert (record.key, record.packets) == (udp_key(2), 1)
    assert 1 <= arrival - sent <= 2 + SLACK_S
