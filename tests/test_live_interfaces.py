"""Interfaces come and go while clerk watches them; what is missing at the start is told with the way out."""

import array
import fcntl
import socket
import struct

import pytest

import clerk_runner
import traffic
from flow_model import END_DETECTED, FORCED_END
from live_clerk import LiveClerk
from live_flows import assert_complete
from namespaces import Wire, two_namespaces
from packets import ACK, FIN, SYN
from traffic import packet_of, tcp_key, udp_key

IS_DOWN = "interface watched: is down; waiting for it to come up"
IS_UP = "interface watched: is up again"
WAS_REMOVED = "interface watched: was removed; waiting for it to come back"


@pytest.fixture
def unconnected_wire():
    with two_namespaces() as (probe, network):
        yield Wire(probe, network)


def of_flow(key, count):
    return [packet_of(key, 0, octets=100 + place) for place in range(count)]


# Down and up


@pytest.mark.parametrize("threads", [1, 2])
def test_packets_are_counted_after_the_interface_was_down(wire, threads):
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", threads) as clerk:
        clerk.wait_until_capturing()
        wire.send(traffic.random_traffic(1, flows=200, seconds=10))
        wire.lower_watched()
        clerk.wait_for_line(IS_DOWN)
        wire.raise_watched()
        clerk.wait_for_line(IS_UP)
        wire.send(traffic.random_traffic(2, flows=200, seconds=10))
        run = clerk.stop()
    wire.assert_quiet()
    assert_complete(run, wire.sent)
    assert len(clerk.lines("interface watched: is ")) == 2, run.stderr


@pytest.mark.parametrize("filter_", [[], ["--filter", "udp"]], ids=["", "with a filter"])
def test_an_interface_that_is_down_at_first_is_watched_once_it_is_up(wire, filter_):
    wire.lower_watched()
    # Before Linux 6.13 several threads wait for it in another way, and with other words.
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", 1, *filter_) as clerk:
        clerk.wait_for_line(IS_DOWN)
        wire.raise_watched()
        clerk.wait_for_line(IS_UP)
        wire.send(of_flow(udp_key(), 100))
        run = clerk.stop()
    assert_complete(run, wire.sent)


# Removed and made again


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interface_that_was_removed_is_watched_again_when_it_is_back(wire, threads):
    lasting = tcp_key(1)
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", threads) as clerk:
        clerk.wait_until_capturing()
        wire.send([*of_flow(udp_key(2), 100), packet_of(lasting, 0, tcp_flags=SYN),
                   packet_of(lasting, 0, tcp_flags=ACK)])
        wire.remove()
        clerk.wait_for_line(WAS_REMOVED)
        wire.connect()
        clerk.wait_until_capturing(count=2)
        wire.send([packet_of(lasting, 0, tcp_flags=ACK), packet_of(lasting, 0, tcp_flags=FIN | ACK),
                   *of_flow(udp_key(3), 100)])
        run = clerk.stop()
    assert_complete(run, wire.sent)
    assert {record.key: (record.packets, record.end_reason) for record in run.records()} == {
        lasting: (4, END_DETECTED), udp_key(2): (100, FORCED_END), udp_key(3): (100, FORCED_END)}
    assert len(clerk.lines(WAS_REMOVED)) == 1


def test_an_interface_may_be_removed_many_times(wire):
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", 2) as clerk:
        clerk.wait_until_capturing()
        for times in range(1, 4):
            wire.send(of_flow(udp_key(times), 500))
            wire.remove()
            clerk.wait_for_line(WAS_REMOVED, count=times)
            wire.connect()
            clerk.wait_until_capturing(count=times + 1)
        wire.send(of_flow(udp_key(1), 500))
        run = clerk.stop()
    assert_complete(run, wire.sent)


@pytest.mark.parametrize("arguments", [[], ["--threads", 2, "--filter", "udp"]], ids=["", "with a filter"])
def test_an_interface_may_be_back_at_once(wire, arguments):
    with LiveClerk(wire.probe, "--interface", "watched", *arguments) as clerk:
        clerk.wait_until_capturing()
        wire.send(of_flow(udp_key(1), 500))
        wire.remove()
        wire.connect()
        clerk.wait_until_capturing(count=2)
        wire.send(of_flow(udp_key(1), 500))
        run = clerk.stop()
    assert_complete(run, wire.sent)
    assert len(run.records()) == 1


def test_a_signal_ends_a_run_whose_interface_is_gone(wire):
    with LiveClerk(wire.probe, "--interface", "watched") as clerk:
        clerk.wait_until_capturing()
        wire.send(of_flow(udp_key(), 100))
        wire.remove()
        clerk.wait_for_line(WAS_REMOVED)
        run = clerk.stop()
    assert_complete(run, wire.sent)


@pytest.mark.parametrize("loss", ["removed", "down"])
def test_what_happens_to_one_interface_does_not_stop_another(wire, loss):
    other = Wire(wire.probe, wire.network, "other", "otherlink")
    other.connect()
    with LiveClerk(wire.probe, "--interface", "watched", "--interface", "other") as clerk:
        clerk.wait_until_capturing("watched").wait_until_capturing("other")
        wire.send(of_flow(udp_key(1), 100))
        other.send(of_flow(udp_key(2), 100))
        if loss == "removed":
            wire.remove()
            clerk.wait_for_line(WAS_REMOVED)
        else:
            wire.lower_watched()
            clerk.wait_for_line(IS_DOWN)
        other.send(of_flow(udp_key(2), 100))
        run = clerk.stop()
    assert_complete(run, wire.sent + other.sent)


# At start


def test_with_wait_an_interface_may_appear_later(unconnected_wire):
    wire = unconnected_wire
    with LiveClerk(wire.probe, "--interface", "watched", "--wait", "--threads", 2) as clerk:
        clerk.wait_for_line("interface watched.*waiting")
        wire.connect()
        clerk.wait_until_capturing()
        wire.send(traffic.random_traffic(3, flows=200, seconds=10))
        run = clerk.stop()
    assert_complete(run, wire.sent)


def test_with_wait_the_interfaces_that_are_there_are_watched_meanwhile(wire):
    with LiveClerk(wire.probe, "--interface", "missing", "--interface", "watched", "--wait") as clerk:
        clerk.wait_until_capturing()
        wire.send(of_flow(udp_key(), 100))
        run = clerk.stop()
    assert_complete(run, wire.sent)


def one_error(clerk):
    """What a clerk that could not start says about it, in one line."""
    run = clerk.ended(expect=1)
    assert run.stdout == b"" and not run.counts
    [line] = [line for line in run.stderr.splitlines() if "error" in line.lower() or "--" in line]
    return line


def test_without_wait_a_missing_interface_is_an_error_that_names_the_way_out(wire):
    with LiveClerk(wire.probe, "--interface", "missing") as clerk:
        line = one_error(clerk)
    assert "missing" in line and "--wait" in line


def test_one_missing_interface_of_several_is_an_error_too(wire):
    with LiveClerk(wire.probe, "--interface", "watched", "--interface", "missing") as clerk:
        line = one_error(clerk)
    assert "missing" in line and "--wait" in line


@pytest.mark.parametrize("arguments", [["--filter", "port port"], ["--cpus", "4000"]], ids=["filter", "CPU"])
def test_what_cannot_be_is_told_before_anything_is_captured(wire, arguments):
    with LiveClerk(wire.probe, "--interface", "watched", *arguments) as clerk:
        assert clerk.process.wait(timeout=clerk_runner.PATIENCE_S) in (1, 2)
        assert arguments[0] in clerk.log()
        assert not clerk.lines("capturing")


# The plan


def checked(wire, *arguments, expect):
    with LiveClerk(wire.probe, "--check", *arguments) as clerk:
        assert clerk.process.wait(timeout=clerk_runner.PATIENCE_S) == expect, clerk.log()
        return clerk.output() + clerk.log()


def test_check_prints_the_plan_and_captures_nothing(wire, tmp_path):
    path = tmp_path / "flows.csv"
    said = checked(wire, "--interface", "watched", "--threads", 2, "--collector", "csv:%s" % path, expect=0)
    assert "watched" in said and str(path) in said and "MiB" in said
    assert not path.exists()


def test_check_names_everything_that_is_missing(wire, tmp_path):
    asns = tmp_path / "no-asns.csv"
    said = checked(wire, "--interface", "missing1", "--interface", "watched", "--interface", "missing2", "--asns_csv",
                   asns, "--collector", "csv:%s/no/flows.csv" % tmp_path, expect=1)
    for missing in ("missing1", "missing2", str(asns), "no/flows.csv"):
        assert missing in said, said


def test_the_interface_is_promiscuous_while_it_is_watched_and_unless_it_may_not_be(wire):
    def is_promiscuous():
        return "promiscuity 0" not in wire.probe.output("ip", "-d", "link", "show", "watched")

    for flags, expected in (([], True), (["--promiscuous"], True), (["--no-promiscuous"], False)):
        with LiveClerk(wire.probe, "--interface", "watched", "--threads", 2, *flags) as clerk:
            clerk.wait_until_capturing()
            assert is_promiscuous() == expected
            clerk.stop()
        assert not is_promiscuous()


def test_files_and_interfaces_are_not_read_together(wire, tmp_path):
    capture = traffic.write_capture(tmp_path / "x.pcap", of_flow(udp_key(), 2))
    with LiveClerk(wire.probe, "--interface", "watched", "--read", capture) as clerk:
        assert clerk.process.wait(timeout=clerk_runner.PATIENCE_S) == 2
        assert "--read" in clerk.log() and "--interface" in clerk.log()


def test_two_names_of_one_interface_are_refused(wire):
    wire.probe.ip("link", "property", "add", "dev", "watched", "altname", "mirror1")
    with LiveClerk(wire.probe, "--interface", "watched", "--interface", "mirror1") as clerk:
        run = clerk.ended(expect=1)
    assert "is watched too; each of its packets would count twice" in run.stderr


def test_a_renamed_interface_goes_on_being_captured_and_its_news_are_its_own(wire):
    with LiveClerk(wire.probe, "--interface", "watched") as clerk:
        clerk.wait_until_capturing()
        wire.probe.ip("link", "set", "watched", "name", "renamed")
        clerk.wait_for_line("interface watched: is called renamed now")
        wire.send([packet_of(udp_key(1), 0)] * 3)
        wire.probe.ip("link", "set", "renamed", "down")
        clerk.wait_for_line("interface watched: is down")
        wire.probe.ip("link", "set", "renamed", "up")
        clerk.wait_for_line("interface watched: is up again")
        run = clerk.stop()
    assert run.counts["packets_received"] == 3


@pytest.mark.parametrize("offload, warned", [("on", True), ("off", False)])
def test_an_interface_that_merges_packets_is_warned_of(wire, offload, warned):
    set_gro(wire.probe, "watched", offload == "on")
    with LiveClerk(wire.probe, "--interface", "watched") as clerk:
        clerk.wait_until_capturing()
        clerk.stop()
        assert bool(clerk.lines("warning: interface watched: merges packets.*ethtool -K watched gro off")) == warned


def set_gro(namespace, interface, on):
    """As ethtool does it (ETHTOOL_SGRO of SIOCETHTOOL)."""
    set_generic_receive_offload, siocethtool = 0x2C, 0x8946
    value = array.array("I", [set_generic_receive_offload, int(on)])
    request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
    with namespace.entered():
        control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with control:
        fcntl.ioctl(control, siocethtool, request)
