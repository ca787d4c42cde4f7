"""clerk and a testimony daemon: packets of somebody else's ring, and all that a daemon may do to its clients."""

import contextlib
import os
import pwd
import random
import re
import shutil
import struct
import tempfile
import time
from pathlib import Path

import pytest

import clerk_runner
import packets
import traffic
from collectors import wait_until
from live_clerk import LiveClerk
from live_flows import assert_complete, assert_flows
from packets import ACK
from testimony_daemon import STATUS_LOSING, STATUS_USER, Daemon, KernelRing, PictureRing, block_of, kernel_counters
from traffic import packet_of, tcp_key, udp_key

READING = "testimony .*: reading %d of %d indexes"
# By then the kernel has handed over a block that was not full, and the daemon has passed it on.
HANDED_OVER_S = 0.5

CLOSED = "testimony .*: the daemon closed the connection; connecting again"


class Here:
    """In the place of a namespace: where the test itself is."""

    @staticmethod
    def command(*words):
        return list(map(str, words))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "testimony.sock"


@pytest.fixture
def rings():
    """Makes rings that are files, and closes them."""
    with contextlib.ExitStack() as stack:
        def make(count=1, **options):
            made = [PictureRing(**options) for _ in range(count)]
            for ring in made:
                stack.callback(ring.close)
            return made
        yield make


def clerk_at(path, *arguments, **options):
    return LiveClerk(Here, "--testimony", path, *arguments, **options)


def wait_until_reading(clerk, indexes=1, count=1):
    clerk.wait_for_line(READING % (indexes, indexes), count)


def wait_until_counted(clerk, ring_or_rings):
    """Every block that was delivered has been taken; its packets are counted by a stop from then on."""
    for ring in ring_or_rings if isinstance(ring_or_rings, list) else [ring_or_rings]:
        wait_until(lambda ring=ring: not ring._announced, "the blocks are handed over")
    time.sleep(0.2)
    assert clerk.is_running(), clerk.log()


def frames_of(described):
    return [traffic.frame_of(packet) for packet in described]


def a_flow(count, number=1):
    return [packet_of(tcp_key(number), 0, tcp_flags=ACK)] * count


def needs_root():
    if os.geteuid() != 0:
        pytest.skip("THIS TAKES ROOT")


# A daemon that comes, goes and comes back


def test_clerk_waits_for_a_daemon_that_is_not_there_yet(path, rings):
    both = rings(2)
    with clerk_at(path, "--threads", 1) as clerk:
        clerk.wait_for_line("testimony .*: there is no such socket.*; waiting for it")
        with Daemon(path, both):
            wait_until_reading(clerk, 2)
            both[0].deliver(frames_of(a_flow(5)))
            both[1].deliver(frames_of(a_flow(7)))
            wait_until_counted(clerk, both)
            run = clerk.stop()
    assert run.counts["packets_received"] == 12 and run.counts["packets_dropped"] == 0
    assert "source_outages" not in run.counts
    assert [record.packets for record in run.records()] == [12], "one flow, though two threads may have seen it"


def test_flows_live_on_while_the_daemon_is_started_again(path, rings):
    [ring] = rings()
    with clerk_at(path) as clerk:
        for _ in range(3):
            with Daemon(path, [ring]):
                wait_until_reading(clerk)
                ring.deliver(frames_of(a_flow(10)))
                wait_until_counted(clerk, ring)
        run = clerk.stop()
    assert [record.packets for record in run.records()] == [30]
    assert run.counts["source_outages"] == 3 and run.counts["source_outage_ms"] > 0
    assert clerk.lines(CLOSED)


def test_a_daemon_may_come_back_with_another_number_of_indexes(path, rings):
    with clerk_at(path) as clerk:
        for size in (2, 5, 1):
            made = rings(size)
            with Daemon(path, made) as daemon:
                wait_until(lambda: all(daemon.serves(index) for index in range(size)), "all are connected")
                for ring in made:
                    ring.deliver(frames_of(a_flow(3)))
                wait_until_counted(clerk, made)
        run = clerk.stop()
    assert run.counts["packets_metered"] == 3 * (2 + 5 + 1)


@pytest.mark.parametrize("manners", [{"greets": False}, {"passes": False}], ids=["no greeting", "no ring"])
def test_a_daemon_that_falls_silent_in_its_greeting_does_not_hold_up_the_end(path, rings, manners):
    with Daemon(path, rings(), **manners), clerk_at(path) as clerk:
        clerk.wait_for_line("the daemon does not answer")
        since = time.monotonic()
        run = clerk.stop()
        assert time.monotonic() - since < 5
    assert run.counts["packets_received"] == 0


def test_nothing_of_a_ring_is_kept_when_its_daemon_is_gone(path, rings):
    """Whoever keeps the packet socket goes on taking a share of the traffic."""
    with clerk_at(path) as clerk:
        with Daemon(path, rings(2)):
            wait_until_reading(clerk, 2)
            assert len(open_rings(clerk)) == 2
        clerk.wait_for_line(CLOSED)
        wait_until(lambda: not open_rings(clerk), "the rings are closed")
        clerk.stop()


def open_rings(clerk):
    folder = Path("/proc/%d/fd" % clerk.process.pid)
    links = []
    for name in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(name))
    return [link for link in links if "memfd:ring" in link]


# What is lost


def test_drops_are_known_behind_a_daemon_that_tells_them(path, rings):
    [ring] = rings()
    with Daemon(path, [ring], counters=(1000, 900)) as daemon, clerk_at(path) as clerk:
        wait_until_reading(clerk)
        ring.deliver(frames_of(a_flow(4)))
        wait_until_counted(clerk, ring)
        daemon.say(0, kernel_counters(1011, 907))
        time.sleep(0.3)
        run = clerk.stop()
    assert run.counts["packets_dropped"] == 7, "what was dropped before clerk came is not its loss"


def test_drops_are_unknown_behind_a_daemon_that_does_not_tell_them(path, rings):
    [ring] = rings()
    with Daemon(path, [ring], counters=None), clerk_at(path) as clerk:
        wait_until_reading(clerk)
        ring.deliver(frames_of(a_flow(4)))
        wait_until_counted(clerk, ring)
        run = clerk.stop()
    assert run.counts["packets_dropped"] == "unknown" and "packets_dropped_at_least" not in run.counts
    assert run.counts["packets_metered"] == 4


def test_blocks_that_the_daemon_mixes_up_are_counted_by_name(path, rings):
    [ring] = rings()
    with Daemon(path, [ring]), clerk_at(path) as clerk:
        wait_until_reading(clerk)
        ring.deliver_octets(block_of(frames_of(a_flow(4)), 1), index=0)
        wait_until_counted(clerk, ring)
        ring.announce(0)
        wait_until_counted(clerk, ring)
        ring.deliver_octets(block_of(frames_of(a_flow(3)), 4, status=STATUS_USER | STATUS_LOSING), index=1)
        wait_until_counted(clerk, ring)
        run = clerk.stop()
    assert run.counts["packets_metered"] == 7, "a block that comes twice counts once"
    assert (run.counts["blocks_stale"], run.counts["blocks_losing"], run.counts["blocks_missed"]) == (1, 1, 2)


# A daemon that means no good


@pytest.mark.parametrize("geometry", [(0, 4096, 4), (1, 0, 4), (1, 4096, 0), (1, 4095, 4), (1, 16, 4),
                                      (2**32 - 1, 4096, 4), (1, 2**32 - 8, 2**32 - 1)], ids=str)
def test_a_geometry_that_no_ring_has_is_told_at_the_start(path, rings, geometry):
    with Daemon(path, rings(), geometry=geometry), clerk_at(path) as clerk:
        run = clerk.ended(expect=1)
    assert re.search(r"--testimony %s: .*geometry" % re.escape(str(path)), run.stderr)


def test_a_geometry_larger_than_the_ring_ends_no_run(path, rings):
    """What the ring does not have reads as blocks that are not ours."""
    [ring] = rings()
    with Daemon(path, [ring], geometry=(1, 65536, 64)), clerk_at(path) as clerk:
        wait_until_reading(clerk)
        ring.announce(63)
        ring.deliver(frames_of(a_flow(2)))
        wait_until_counted(clerk, ring)
        run = clerk.stop()
    assert (run.counts["packets_received"], run.counts["blocks_stale"]) == (2, 1)


@pytest.mark.parametrize("octets", [struct.pack(">I", 4), struct.pack(">I", 0x7FFFFFFF), b"\xff\xff\0\5hello"],
                         ids=["behind the ring", "far behind it", "an error"])
def test_after_an_error_clerk_connects_again(path, rings, octets):
    [ring] = rings()
    with Daemon(path, [ring]) as daemon, clerk_at(path) as clerk:
        wait_until_reading(clerk)
        daemon.say(0, octets)
        clerk.wait_for_line("connecting again")
        wait_until_reading(clerk, count=2)
        ring.deliver(frames_of(a_flow(2)))
        wait_until_counted(clerk, ring)
        run = clerk.stop()
    assert (run.counts["packets_received"], run.counts["source_outages"]) == (2, 1)


def test_broken_blocks_are_counted_packet_by_packet(path, rings):
    [ring] = rings()
    with Daemon(path, [ring]), clerk_at(path) as clerk:
        wait_until_reading(clerk)
        ring.deliver(frames_of(a_flow(3)), claimed=10)
        wait_until_counted(clerk, ring)
        run = clerk.stop()
    assert run.counts["packets_received"] == 10
    assert (run.counts["packets_metered"], run.counts["ignored_malformed"]) == (3, 7)


def test_blocks_of_random_octets_are_survived(path, rings):
    """That every packet they claim to hold is accounted for was checked with the run."""
    chance = random.Random(5)
    [ring] = rings()
    whole = block_of(frames_of(a_flow(100)), 0)
    with Daemon(path, [ring]), clerk_at(path) as clerk:
        wait_until_reading(clerk)
        for sequence in range(1, 201):
            octets = bytearray(whole) if sequence % 2 else bytearray(chance.randbytes(ring.block_size))
            for _ in range(chance.randrange(20)):
                octets[chance.randrange(len(octets))] = chance.randrange(256)
            struct.pack_into("=I", octets, 8, STATUS_USER)
            struct.pack_into("=Q", octets, 24, sequence)
            ring.deliver_octets(bytes(octets), index=sequence % ring.blocks)
            if sequence % ring.blocks == 0:
                wait_until(lambda: not ring._announced, "the blocks are handed over")
                time.sleep(0.01)
        wait_until_counted(clerk, ring)
        run = clerk.stop()
    assert run.counts["packets_received"] > 1000


# Super-packets


@pytest.mark.parametrize("arguments, super_packets", [((), 2), (("--mtu", 9000), None)])
def test_the_link_of_a_socket_is_ethernet_unless_the_user_says_more(path, rings, arguments, super_packets):
    [ring] = rings()
    with Daemon(path, [ring]), clerk_at(path, *arguments) as clerk:
        wait_until_reading(clerk)
        ring.deliver(frames_of([packet_of(tcp_key(), 0, octets=octets) for octets in (1500, 1501, 9000)]))
        wait_until_counted(clerk, ring)
        run = clerk.stop()
    assert run.counts["packets_metered"] == 3
    assert run.counts.get("super_packets") == super_packets


# The filter


def test_a_filter_finds_tags_that_the_kernel_took_off(path, rings):
    [ring] = rings()
    with Daemon(path, [ring]), clerk_at(path, "--filter", "vlan 7") as clerk:
        wait_until_reading(clerk)
        ring.deliver(frames_of(a_flow(3)), vlan_id=7)
        ring.deliver(frames_of(a_flow(4)), vlan_id=8)
        ring.deliver(frames_of(a_flow(5)))
        ring.deliver(frames_of([packet_of(tcp_key(vlan_id=7), 0, tcp_flags=ACK)] * 6))
        wait_until_counted(clerk, ring)
        run = clerk.stop()
    assert (run.counts["packets_received"], run.counts["packets_filtered"]) == (9, 9)
    assert {record.key.vlan_id for record in run.records()} == {7}


def test_a_wrong_filter_is_told_before_anything_else(path):
    run = clerk_runner.run_clerk("--testimony", path, "--filter", "prot 80", expect=2)
    assert "--filter 'prot 80'" in run.stderr


# A ring of the kernel


def kernel_rings(stack, wire, count, group):
    made = [KernelRing(wire.probe, wire.watched, group if count > 1 else None) for _ in range(count)]
    for ring in made:
        stack.callback(ring.close)
    return made


@pytest.mark.parametrize("indexes", [1, 2])
def test_every_packet_of_a_ring_is_counted(wire, path, indexes):
    with contextlib.ExitStack() as stack:
        rings = kernel_rings(stack, wire, indexes, group=4711)
        stack.enter_context(Daemon(path, rings))
        clerk = stack.enter_context(LiveClerk(wire.probe, "--testimony", path))
        wait_until_reading(clerk, indexes)
        wire.send(traffic.random_traffic(21, flows=500, seconds=10))
        time.sleep(HANDED_OVER_S)
        run = clerk.stop()
    wire.assert_quiet()
    assert_complete(run, wire.sent)


@pytest.mark.parametrize("expression, named", [
    ("vlan 100", lambda key: key.vlan_id == 100),
    ("udp or vlan 100", lambda key: key.vlan_id == 100 or key.vlan_id == 0 and key.protocol == packets.PROTOCOL_UDP)])
def test_a_filter_passes_exactly_the_packets_that_it_names(wire, path, expression, named):
    described = traffic.random_traffic(11, flows=500, seconds=10)
    wanted = [packet for packet in described if named(packet.key)]
    assert 0 < len(wanted) < len(described)
    with contextlib.ExitStack() as stack:
        stack.enter_context(Daemon(path, kernel_rings(stack, wire, 1, None)))
        clerk = stack.enter_context(LiveClerk(wire.probe, "--testimony", path, "--filter", expression))
        wait_until_reading(clerk)
        wire.send(described)
        time.sleep(HANDED_OVER_S)
        run = clerk.stop()
    assert run.counts["packets_received"] == len(wanted)
    assert run.counts["packets_filtered"] == len(described) - len(wanted)
    assert_flows(run.records(), wanted)


def test_an_interface_beside_a_socket_is_another_source(wire, path):
    described = traffic.random_traffic(3, flows=100, seconds=5)
    with contextlib.ExitStack() as stack:
        stack.enter_context(Daemon(path, kernel_rings(stack, wire, 1, None)))
        clerk = stack.enter_context(LiveClerk(wire.probe, "--testimony", path, "--interface", "watched",
                                              "--user", "root"))
        wait_until_reading(clerk)
        clerk.wait_until_capturing()
        wire.send(described)
        time.sleep(HANDED_OVER_S)
        run = clerk.stop()
    assert run.counts["packets_received"] == 2 * len(described)
    assert_flows(run.records(), described + described)


# Who may connect


def uids(clerk):
    return {int(number) for text in clerk.status("Uid") for number in text.split()}


def capabilities(clerk):
    return {int(value, 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb") for value in clerk.status(name)}


@pytest.fixture
def public_path():
    """In a folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="clerk-public-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder) / "testimony.sock"


def test_root_becomes_the_owner_of_the_socket_and_keeps_no_capability(public_path, rings):
    needs_root()
    nobody = pwd.getpwnam("nobody").pw_uid
    [ring] = rings()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(Daemon(public_path, [ring]))
        os.chown(public_path, nobody, -1)
        os.chmod(public_path, 0o600)
        clerk = stack.enter_context(clerk_at(public_path))
        wait_until_reading(clerk)
        wait_until(lambda: len(clerk.status("Uid")) >= 3, "the threads are started")
        assert uids(clerk) == {nobody} and capabilities(clerk) == {0}
        first.close()
        clerk.wait_for_line(CLOSED)
        stack.enter_context(Daemon(public_path, [ring]))
        os.chown(public_path, nobody, -1)
        wait_until_reading(clerk, count=2)
        clerk.stop()


def test_root_stays_root_where_the_socket_is_roots_and_keeps_no_capability(path, rings):
    needs_root()
    with Daemon(path, rings()), clerk_at(path) as clerk:
        wait_until_reading(clerk)
        assert uids(clerk) == {0} and capabilities(clerk) == {0}
        clerk.stop()


def test_who_may_not_connect_is_told_at_the_start(public_path, rings):
    needs_root()
    with Daemon(public_path, rings()):
        os.chmod(public_path, 0o600)
        with clerk_at(public_path, "--user", "nobody") as clerk:
            run = clerk.ended(expect=1)
    [line] = [line for line in run.stderr.splitlines() if "may not connect" in line]
    assert "--testimony %s: " % public_path in line
    assert "nobody" in line and "root" in line and "--user" in line and "Group" in line
    assert not run.counts


def test_a_socket_that_is_given_to_its_owner_a_moment_later_is_waited_for(public_path, rings):
    """Daemons make the socket first and change its owner then."""
    needs_root()
    with Daemon(public_path, rings()):
        os.chmod(public_path, 0o600)
        with clerk_at(public_path, "--user", "nobody") as clerk:
            clerk.wait_for_line("user nobody")
            os.chmod(public_path, 0o666)
            wait_until_reading(clerk)
            clerk.stop()


def test_who_may_not_connect_any_more_is_told_and_waits(public_path, rings):
    needs_root()
    [ring] = rings()
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(Daemon(public_path, [ring]))
        os.chmod(public_path, 0o666)  # before it starts: of each kind of failure it logs one a minute
        clerk = stack.enter_context(clerk_at(public_path, "--user", "nobody"))
        wait_until_reading(clerk)
        first.close()
        stack.enter_context(Daemon(public_path, [ring]))
        os.chmod(public_path, 0o600)
        clerk.wait_for_line("user nobody .* may not connect: .*root.*; trying again")
        os.chmod(public_path, 0o666)
        wait_until_reading(clerk, count=2)
        run = clerk.stop()
    assert run.counts["source_outages"] == 1


def test_an_ordinary_user_reads_a_socket_that_is_open_to_it(public_path, rings):
    needs_root()
    binary = public_path.parent / "clerk"
    shutil.copy(clerk_runner.CLERK, binary)
    [ring] = rings()
    with Daemon(public_path, [ring]):
        os.chmod(public_path, 0o666)
        with clerk_at(public_path, binary=binary, prefix=["setpriv", "--reuid", "nobody", "--regid", "nogroup",
                                                          "--clear-groups", "--inh-caps=-all"]) as clerk:
            wait_until_reading(clerk)
            ring.deliver(frames_of(a_flow(2)))
            wait_until_counted(clerk, ring)
            assert clerk.stop().counts["packets_metered"] == 2


# Before a run


def test_one_socket_under_two_names_is_refused(path, rings):
    other = path.with_name("other.sock")
    with Daemon(path, rings()):
        other.symlink_to(path)
        with LiveClerk(Here, "--testimony", path, "--testimony", other) as clerk:
            run = clerk.ended(expect=1)
    assert "--testimony %s: is %s too; each of its packets would count twice" % (other, path) in run.stderr


@pytest.mark.parametrize("content", [b"", None], ids=["a file", "a folder"])
def test_what_is_no_socket_is_told(path, content):
    path.mkdir() if content is None else path.write_bytes(content)
    run = clerk_runner.run_clerk("--testimony", path, expect=1)
    assert "--testimony %s: it is no socket" % path in run.stderr


def test_check_tells_what_there_is_to_read(path, rings):
    with Daemon(path, rings(2)):
        run = clerk_runner.run_clerk("--testimony", path, "--check")
    plan = run.stdout.decode()
    assert "read testimony %s: 2 indexes, 4 blocks of 64 KiB each\n" % path in plan
    assert re.search(r"for 2 meters .* the rings of testimony sockets are the daemon's", plan)


def test_check_tells_that_a_daemon_is_missing_and_would_be_waited_for(path):
    run = clerk_runner.run_clerk("--testimony", path, "--check", expect=1)
    assert re.search(r"--testimony %s: there is no such socket.*; a run would wait for it" % re.escape(str(path)),
                     run.stderr)
    assert b"send to stdout" in run.stdout, "the rest of the plan is there"


def test_check_asks_as_the_user_that_the_run_becomes(public_path, rings):
    needs_root()
    with Daemon(public_path, rings()):
        os.chmod(public_path, 0o600)
        run = clerk_runner.run_clerk("--testimony", public_path, "--user", "nobody", "--check", expect=1)
    assert "user nobody" in run.stderr and "may not connect" in run.stderr
