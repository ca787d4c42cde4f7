"""The daemon ends, the interface goes, the configuration changes: who must connect again is told, and nobody else."""

import contextlib
import signal

import pytest

from collectors import wait_until
from namespaces import Wire, two_namespaces
from numbered import Numbered, is_run
from testimony import (ERROR_TLV, FANOUT_HASH, FANOUT_LB, Client, TestimonyDaemon, pump, read_packets, read_to_end,
                       socket_config, tlv)

# Of 64 KiB: so many that a reader which the machine holds up for half a second is not late.
AMPLE_BLOCKS = 64

IS_DOWN = "interface watched is down; waiting for it to come up"
IS_UP = "interface watched is up again"
WAS_REMOVED = "interface watched was removed; waiting for it to come back"
IS_MISSING = "there is no interface watched"
NOT_THERE = b"\2" + tlv(ERROR_TLV, b"interface watched is not there")


def assert_all_come(daemon, numbered, indexes=1, count=200):
    """To whoever connects now, and to nobody else."""
    first = numbered.sent
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon.path, index)) for index in range(indexes)]
        numbered.send(count)
        pump(clients, lambda: sum(len(client.numbers) for client in clients) >= count, "all packets came")
        assert sorted(sum((client.numbers for client in clients), [])) == list(range(first, first + count))


# The daemon


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["told to end", "killed"])
def test_a_daemon_is_started_again_amid_traffic(serve, numbered, end):
    daemon = serve(NumBlocks=AMPLE_BLOCKS)
    with contextlib.ExitStack() as stack:
        traffic = stack.enter_context(numbered.sending(60_000, rate=20_000))
        before = [stack.enter_context(Client(daemon.path, 0)) for _ in range(2)]
        read_packets(before, 3000)
        daemon.signal(end)
        daemon.process.wait()
        read_to_end(*before)
        for client in before:
            client.close()
        again = serve(NumBlocks=AMPLE_BLOCKS)
        after = [stack.enter_context(Client(again.path, 0)) for _ in range(2)]
        read_packets(after, 3000)
        sent = traffic.stop()
        pump(after, lambda: all(client.numbers[-1] == sent - 1 for client in after), "the rest came")
    assert all(is_run(client.numbers) for client in before + after)
    assert before[0].numbers[-1] < after[0].numbers[0]
    again.stop()


def test_a_stopped_daemon_takes_its_sockets_along(serve, tmp_path):
    daemon = serve()
    with Client(daemon.path, 0) as client:
        daemon.stop()
        read_to_end(client)
        assert not list(tmp_path.glob("*.sock"))


@pytest.mark.parametrize("keys", [
    {}, {"FanoutSize": 2, "FanoutType": FANOUT_LB}, {"FanoutID": 77},
    {"FanoutSize": 2, "FanoutType": FANOUT_LB, "FanoutID": 77}, {"FanoutType": FANOUT_HASH, "FanoutID": 77}],
    ids=["one", "two", "one of a group with a number", "two of a group with a number", "hash"])
def test_a_client_that_keeps_the_ring_of_a_dead_daemon_takes_no_packet_from_the_next(serve, numbered, keys):
    daemon = serve(**keys)
    indexes = keys.get("FanoutSize", 1)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon.path, index)) for index in range(indexes)]
        numbered.send(1000)
        pump(clients, lambda: sum(len(client.numbers) for client in clients) == 1000, "all came")
        daemon.kill()
        for client in clients:
            client.hang_up()
            assert client.ring_socket.fileno() >= 0 and client.memory is not None
        again = serve(**keys)
        assert_all_come(again, numbered, indexes, 2000)
        assert len(again.lines("FanoutID 77 cannot be had")) == ("FanoutID" in keys)
        again.stop()


# The interface


def test_after_an_interface_was_removed_there_is_a_new_ring_of_the_new_one(serve, wire, numbered):
    daemon = serve()
    for times in (1, 2):
        with Client(daemon.path, 0) as first, Client(daemon.path, 0) as second:
            begin = numbered.sent
            numbered.send(500)
            wire.remove()
            read_to_end(first, second)
            # What came shortly before is not lost.
            assert first.numbers == second.numbers == list(range(begin, numbered.sent))
        daemon.wait_for_line(WAS_REMOVED, times)
        wait_until(lambda: not daemon.socket_stats()["capturing"], "the ring is gone")
        with Client(daemon.path) as early:
            assert early.hear_end() == NOT_THERE
        wire.connect()
        numbered.reconnect()
        wait_until(lambda: daemon.socket_stats()["capturing"], "there is a new ring")
        assert_all_come(daemon, numbered)
        daemon.wait_until_ring("the counts go on", packets=numbered.sent, drops=0, clients_joined=3 * times)
    assert daemon.socket_stats()["rings_made"] == 3
    assert len(daemon.lines(WAS_REMOVED)) == 2
    daemon.stop()


@pytest.mark.parametrize("keys", [{}, {"FanoutID": 77}], ids=["", "of a group with a number"])
def test_a_client_that_keeps_the_ring_of_a_removed_interface_does_not_keep_the_next_from_coming(serve, wire, numbered,
                                                                                                keys):
    daemon = serve(FanoutType=FANOUT_LB, **keys)
    with Client(daemon.path, 0) as keeping:
        wire.remove()
        read_to_end(keeping)
        keeping.hang_up()
        wire.connect()
        wait_until(lambda: daemon.socket_stats()["rings_made"] == 2, "there is a new ring")
        assert_all_come(daemon, numbered)
    daemon.stop()


def test_an_interface_may_be_back_at_once(serve, wire, numbered):
    daemon = serve()
    with Client(daemon.path, 0) as client:
        numbered.send(100)
        read_packets([client], 100)
        wire.remove()
        wire.connect()
        numbered.reconnect()
        read_to_end(client)
    wait_until(lambda: daemon.socket_stats()["rings_made"] == 2, "there is a new ring")
    assert_all_come(daemon, numbered)
    daemon.stop()


def test_while_an_interface_is_down_clients_wait_and_then_get_what_comes(serve, wire, numbered):
    daemon = serve()
    with Client(daemon.path, 0) as client:
        numbered.send(100)
        read_packets([client], 100)
        wire.lower_watched()
        daemon.wait_for_line(IS_DOWN)
        assert not daemon.socket_stats()["capturing"]
        with Client(daemon.path, 0) as late:
            wire.raise_watched()
            daemon.wait_for_line(IS_UP)
            numbered.send(100)
            read_packets([client], 200)
            read_packets([late], 100)
            assert client.numbers == list(range(200)) and late.numbers == list(range(100, 200))
    assert len(daemon.lines("interface watched is ")) == 2 and daemon.socket_stats()["rings_made"] == 1
    daemon.stop()


@pytest.mark.parametrize("indexes", [1, 2])
def test_an_interface_that_is_down_at_the_start_is_served_once_it_is_up(serve, wire, numbered, indexes):
    wire.lower_watched()
    daemon = serve(FanoutType=FANOUT_LB, FanoutSize=indexes)
    daemon.wait_for_line("waiting for it to come up")
    wire.raise_watched()
    wait_until(lambda: daemon.socket_stats()["capturing"], "it captures")
    assert_all_come(daemon, numbered, indexes)
    daemon.stop()


def test_an_interface_that_is_not_there_at_the_start_is_waited_for(tmp_path):
    with two_namespaces() as (probe, network):
        wire = Wire(probe, network)
        config = socket_config(tmp_path / "testimony.sock", FanoutType=FANOUT_LB, FanoutSize=2)
        with TestimonyDaemon(probe, tmp_path, config) as daemon:
            daemon.wait_until_serving()
            assert len(daemon.lines(IS_MISSING)) == 1
            with Client(daemon.path) as early:
                assert early.hear_end() == NOT_THERE
            assert not daemon.socket_stats()["capturing"] and len(daemon.rings()) == 2
            wire.connect()
            wait_until(lambda: daemon.socket_stats()["capturing"], "it captures")
            assert_all_come(daemon, Numbered(wire), 2)
            daemon.stop()


@pytest.mark.parametrize("loss", [Wire.remove, Wire.lower_watched], ids=["removed", "down"])
def test_what_happens_to_one_interface_is_nothing_to_another(serve, wire, numbered, tmp_path, loss):
    other = Wire(wire.probe, wire.network, "other", "otherlink")
    other.connect()
    daemon = serve()
    beside = socket_config(tmp_path / "other.sock", Interface="other")
    daemon.reload(daemon.sockets[0], beside)
    with Client(beside["SocketName"], 0) as client, Client(daemon.path, 0):
        others = Numbered(other)
        others.send(100)
        loss(wire)
        daemon.wait_for_line("interface watched .*; waiting for it")
        others.send(100)
        read_packets([client], 200)
        assert client.numbers == list(range(200)) and not client.is_over
    daemon.stop()


# The configuration


@contextlib.contextmanager
def undisturbed(daemon, numbered):
    """A client that goes on under traffic all the time, and loses nothing."""
    with Client(daemon.path, 0) as client, numbered.sending(60_000, rate=10_000) as traffic:
        read_packets([client], 500)
        yield client
        pump([client], lambda: client.numbers[-1] > 3000, "it goes on")
        sent = traffic.stop()
        read_packets([client], sent)
        assert client.numbers == list(range(sent)) and not client.is_over


def test_a_socket_that_is_added_or_removed_is_nothing_to_another(serve, numbered, tmp_path):
    daemon = serve(NumBlocks=AMPLE_BLOCKS)
    added = socket_config(tmp_path / "added.sock")
    with undisturbed(daemon, numbered):
        daemon.reload(daemon.sockets[0], added)
        assert daemon.lines("read again: 1 kept, 0 ended, 1 begun, 0 failed")
        with Client(added["SocketName"], 0) as client:
            read_packets([client], 100)
            assert is_run(client.numbers)
            daemon.reload(daemon.sockets[0])
            assert daemon.lines("read again: 1 kept, 1 ended, 0 begun, 0 failed")
            read_to_end(client)
        assert not (tmp_path / "added.sock").exists()
    daemon.stop()


def test_a_socket_that_did_not_change_goes_on_and_one_that_did_starts_over(serve, numbered, tmp_path):
    daemon = serve(NumBlocks=AMPLE_BLOCKS)
    other = socket_config(tmp_path / "other.sock")
    daemon.reload(daemon.sockets[0], other)
    with undisturbed(daemon, numbered), Client(other["SocketName"], 0) as client:
        changed = {**other, "NumBlocks": 2 * other["NumBlocks"]}
        daemon.reload(changed, {key: daemon.sockets[0][key] for key in reversed(daemon.sockets[0])})
        assert daemon.lines("read again: 1 kept, 1 ended, 1 begun, 0 failed")
        read_to_end(client)
        with Client(other["SocketName"], 0) as again:
            assert again.geometry.blocks == changed["NumBlocks"]
            read_packets([again], 100)
            assert is_run(again.numbers)
    daemon.stop()


BROKEN = {"no JSON": "[{", "an object": "{}", "a wrong value": '[{"SocketName": 5}]', "nothing": ""}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_configuration_that_cannot_be_used_changes_nothing(serve, numbered, text):
    daemon = serve(NumBlocks=AMPLE_BLOCKS)
    with undisturbed(daemon, numbered) if text == "[{" else contextlib.nullcontext():
        daemon.write_configuration(text)
        daemon.hang_up("going on as before")
        assert daemon.lines(r"testimony\.conf:1:\d+: ")
    assert_all_come(daemon, numbered)
    daemon.reload(*daemon.sockets)
    assert daemon.lines("read again: 1 kept, 0 ended, 0 begun, 0 failed")
    daemon.stop()


def test_a_configuration_that_is_gone_changes_nothing(serve, numbered):
    daemon = serve()
    daemon.config_path.unlink()
    daemon.hang_up("going on as before")
    assert_all_come(daemon, numbered)
    daemon.stop()


def test_a_socket_that_cannot_be_opened_is_tried_again(serve, numbered, tmp_path):
    daemon = serve()
    blocked = tmp_path / "blocked.sock"
    blocked.write_text("a file of somebody else's")
    with Client(daemon.path, 0) as client:
        daemon.reload(daemon.sockets[0], socket_config(blocked))
        assert daemon.lines("blocked.sock.*is there already and no socket")
        assert daemon.lines("read again: 1 kept, 0 ended, 0 begun, 1 failed")
        assert blocked.read_text() == "a file of somebody else's"
        blocked.unlink()
        daemon.wait_for_line("blocked.sock: interface .* ring")
        numbered.send(10)
        read_packets([client], 10)
        with Client(blocked, 0) as other:
            numbered.send(10)
            read_packets([other], 10)
    daemon.stop()


def test_all_sockets_may_go_and_come_back(serve, numbered):
    daemon = serve()
    with Client(daemon.path, 0) as client:
        daemon.reload()
        read_to_end(client)
    assert daemon.stats()["sockets"] == []
    daemon.reload(*daemon.sockets)
    assert_all_come(daemon, numbered)
    daemon.stop()


def test_a_change_beside_a_client_that_keeps_the_old_ring_loses_no_packet(serve, numbered):
    daemon = serve(FanoutID=99, FanoutType=FANOUT_LB)
    with Client(daemon.path, 0) as keeping:
        numbered.send(10)
        read_packets([keeping], 10)
        daemon.reload({**daemon.sockets[0], "NumBlocks": 32})
        keeping.hang_up()
        assert_all_come(daemon, numbered, count=500)
    daemon.stop()
