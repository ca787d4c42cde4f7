"""A live run and the collectors it talks to: some are late, some go away, and none of them stops the capture."""

import time

import collectors
import ipfix_reader
from collectors import wait_until
from live_clerk import LiveClerk, receiver_in
from live_flows import totals_of_packets
from traffic import packet_of, udp_key

TEMPLATE_SECONDS = 30


class Trickle:
    """A new flow of one packet, again and again."""

    def __init__(self, wire):
        self._wire = wire
        self._number = 0

    def until(self, condition, what, patience_s=20):
        def sent_and_done():
            self._number += 1
            self._wire.send([packet_of(udp_key(self._number), 0)])
            time.sleep(0.05)
            return condition()

        wait_until(sent_and_done, what, patience_s)


def after_templates(receiver):
    """The records behind the first templates, which a collector has to wait for."""
    datagrams = [octets for _, _, octets in list(receiver.arrivals)]
    for place, octets in enumerate(datagrams):
        if octets[16:18] == b"\0\2":
            return ipfix_reader.flow_records(ipfix_reader.read_datagrams(datagrams[place:], check_sequence=False))
    return []


def test_a_collector_that_is_absent_at_first_gets_what_follows_the_next_templates(wire):
    with wire.probe.entered():
        port = collectors.free_udp_port()
    trickle = Trickle(wire)
    with LiveClerk(wire.probe, "--interface", "watched", "--idle-timeout", 1, "--collector",
                   "127.0.0.1:%d" % port) as clerk:
        clerk.wait_until_capturing()
        trickle.until(lambda: clerk.lines("warning: .*127.0.0.1:%d" % port), "clerk notices that nobody listens")
        with receiver_in(wire.probe, port) as receiver:
            trickle.until(lambda: after_templates(receiver), "templates are sent again", TEMPLATE_SECONDS + 20)
            seen = len(after_templates(receiver))
            trickle.until(lambda: len(after_templates(receiver)) > seen + 5, "records follow")
            run = clerk.stop()
            wait_until(lambda: wire.sent[-1].packet.key in {record.key for record in after_templates(receiver)},
                       "the last flow arrives")
            records = after_templates(receiver)
    assert run.counts["send_errors"] > 0
    assert run.counts["packets_received"] == len(wire.sent)
    sent = totals_of_packets(packet for packet, _, _ in wire.sent)
    assert all((record.key, 0) in sent and record.packets == 1 for record in records)


def test_a_collector_that_goes_away_does_not_stop_the_capture(wire):
    with wire.probe.entered():
        port = collectors.free_udp_port()
    trickle = Trickle(wire)
    with LiveClerk(wire.probe, "--interface", "watched", "--idle-timeout", 1, "--collector", "127.0.0.1:%d" % port,
                   "--collector", "stdout") as clerk:
        with receiver_in(wire.probe, port) as receiver:
            clerk.wait_until_capturing()
            trickle.until(lambda: after_templates(receiver), "records arrive")
        trickle.until(lambda: clerk.lines("warning: .*127.0.0.1:%d" % port), "clerk notices that nobody listens")
        run = clerk.stop()
    assert run.counts["send_errors"] > 0
    assert sum(record.packets for record in run.records()) == len(wire.sent)
    assert len(run.stderr.splitlines()) < 20, "errors are logged at a sane rate"
