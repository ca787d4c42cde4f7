"""A live run and the collectors it talks to: some are late, some go away, and none of them stops the capture."""

import contextlib
import os
import signal
import subprocess
import time

import collectors
import ipfix_reader
from collectors import wait_until
from live_clerk import LiveClerk, receiver_in
from live_flows import totals_of_packets
from namespaces import ip
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


def test_a_collector_is_reached_again_when_the_probe_gets_another_address(wire):
    """On a second wire, whose end at the probe changes its address: DHCP does that to a real one."""
    ip("link", "add", "export", "netns", wire.probe.name, "type", "veth", "peer", "name", "flows", "netns",
       wire.network.name)
    wire.network.ip("addr", "add", "10.9.0.9/24", "dev", "flows")
    wire.network.ip("link", "set", "flows", "up")
    wire.probe.ip("addr", "add", "10.9.0.1/24", "dev", "export")
    wire.probe.ip("link", "set", "export", "up")
    with wire.network.entered():
        receiver = collectors.UdpReceiver("10.9.0.9")
    trickle = Trickle(wire)
    with receiver, LiveClerk(wire.probe, "--interface", "watched", "--idle-timeout", 1, "--collector",
                             "10.9.0.9:%d" % receiver.port) as clerk:
        clerk.wait_until_capturing()
        trickle.until(lambda: after_templates(receiver), "records arrive from the first address")
        wire.probe.ip("addr", "del", "10.9.0.1/24", "dev", "export")
        wire.probe.ip("addr", "add", "10.9.0.2/24", "dev", "export")
        before = len(receiver.arrivals)
        trickle.until(lambda: len(receiver.arrivals) > before + 5, "messages arrive from the second one")
        clerk.stop()


def test_a_collector_that_stands_still_holds_back_no_other(wire, tmp_path):
    """A pipe that nobody empties, with more records than fit into it."""
    stuck, other = tmp_path / "stuck", tmp_path / "other.csv"
    os.mkfifo(stuck)
    reader = os.open(stuck, os.O_RDONLY | os.O_NONBLOCK)
    with LiveClerk(wire.probe, "--interface", "watched", "--idle-timeout", 1, "--collector", "csv:%s" % stuck,
                   "--collector", "csv:%s" % other) as clerk:
        clerk.wait_until_capturing()
        wire.send([packet_of(udp_key(number), 0) for number in range(3000)])
        wait_until(lambda: other.read_text().count("\n") == 3001, "the other one has all records")
        clerk.wait_for_line("warning: --collector csv:%s: has taken nothing for" % stuck)
        clerk.signal(signal.SIGTERM)
        clerk.wait_for_line(r"--collector csv:%s: \d+ records are still to be sent" % stuck)
        os.set_blocking(reader, True)
        taken = bytearray()
        while chunk := os.read(reader, 1 << 16):
            taken += chunk
        run = clerk.ended(expect=0)
    os.close(reader)
    assert taken.count(b"\n") == 3001
    assert run.counts["records_exported"] == 3000 and "records_lost" not in run.counts


def test_a_full_disk_is_told_when_it_happens_and_costs_no_other_collector(wire, tmp_path):
    with small_disk(tmp_path / "disk") as disk, \
            LiveClerk(wire.probe, "--interface", "watched", "--idle-timeout", 1, "--collector",
                      "csv:%s/flows.csv" % disk, "--collector", "stdout") as clerk:
        clerk.wait_until_capturing()
        wire.send([packet_of(udp_key(number), 0) for number in range(3000)])
        clerk.wait_for_line("error: --collector csv:%s/flows.csv: No space left on device" % disk)
        run = clerk.stop(expect=1)
    assert len(run.records()) == 3000
    assert run.counts["records_lost"] > 0


@contextlib.contextmanager
def small_disk(folder):
    """A file system of 64 KiB. `ip netns exec` gives commands mounts of their own, with those that were there."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=1777", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
