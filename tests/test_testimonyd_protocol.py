"""What testimonyd says to its clients, octet by octet, and what it does when they say something wrong.

One daemon serves all of these tests. A client that does everything right is connected to each index all the time:
whatever happens in a test, it gets every packet.
"""

import contextlib
import socket
import struct
import time

import pytest

import namespaces
from collectors import wait_until
from numbered import Numbered
from testimony import (BLOCK_SIZE, BLOCKS, ERROR_TLV, FANOUT_INDEX_TLV, FANOUT_LB, KERNEL_COUNTERS_TLV, Client,
                       HoldingProcess, TestimonyDaemon, fanout_index, pump, read_packets, socket_config, tlv, words)

INDEXES = 2
GREETING = bytes.fromhex("02" "80030004 00000002" "80040004 00010000" "80050004 00000010" "80020000")


class Setting:
    """The daemon, a client on each index that is always there, and packets."""

    def __init__(self, daemon, path, numbered):
        self.daemon, self.path, self.numbered = daemon, path, numbered
        self.bystanders = [Client(path, index) for index in range(INDEXES)]

    def client(self, index=None, **options):
        return contextlib.closing(Client(self.path, index, **options))

    def blocks_for(self, *clients, count=1):
        """One after another, each of them a packet for each index."""
        clients = clients or self.bystanders
        for _ in range(count):
            before = [client.blocks for client in clients]
            self.numbered.send(INDEXES)
            pump([*clients, *self.bystanders], lambda: all(
                client.blocks > known for client, known in zip(clients, before)), "the block came")

    def assert_nothing_was_lost(self):
        """By those who did nothing wrong; and nobody keeps a block."""
        self.numbered.send(INDEXES)
        pump(self.bystanders, lambda: sum(len(each.numbers) for each in self.bystanders) >= self.numbered.sent,
             "all packets came")
        assert sorted(sum((each.numbers for each in self.bystanders), [])) == list(range(self.numbered.sent))
        for index in range(INDEXES):
            self.daemon.wait_until_ring("nobody holds a block", index, blocks_held=0)
            assert self.daemon.ring(index)["drops"] == 0
        assert self.daemon.is_running()

    def refused(self):
        return self.daemon.socket_stats()["clients_refused"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    folder = tmp_path_factory.mktemp("daemon")
    path = folder / "testimony.sock"
    with namespaces.connected_wire() as wire, \
         TestimonyDaemon(wire.probe, folder, socket_config(path, FanoutType=FANOUT_LB, FanoutSize=INDEXES)) as daemon:
        daemon.wait_until_serving()
        setting = Setting(daemon, path, Numbered(wire))
        yield setting
        for client in setting.bystanders:
            client.close()
        daemon.stop()


@pytest.fixture
def setting(serving):
    yield serving
    serving.assert_nothing_was_lost()


# The greeting


def test_the_greeting_is_these_octets_and_then_it_waits(setting):
    with setting.client() as client:
        assert client.hear(len(GREETING)) == GREETING
        assert client.hears_nothing(0.1)


def test_a_client_that_only_wants_the_geometry_may_go(setting):
    refused = setting.refused()
    for _ in range(20):
        with setting.client() as client:
            client.take_greeting()
            assert client.geometry == (INDEXES, BLOCK_SIZE, BLOCKS)
    with setting.client():
        pass  # nor need it read that
    wait_until(lambda: setting.daemon.socket_stats()["clients_greeting"] == 0, "they are gone")
    assert setting.refused() == refused


# The index


def join_in_pieces(setting, index, *pieces):
    with setting.client() as client:
        client.take_greeting()
        for piece in pieces:
            assert client.say(piece)
            time.sleep(0.002)  # so that the daemon reads the pieces one by one
        client.take_ring()
        setting.blocks_for(client)
        assert set(client.numbers) <= set(setting.bystanders[index].numbers)


@pytest.mark.parametrize("place", range(1, 8))
def test_the_index_may_come_in_two_pieces(setting, place):
    octets = fanout_index(1)
    join_in_pieces(setting, 1, octets[:place], octets[place:])


def test_the_index_may_come_octet_by_octet(setting):
    join_in_pieces(setting, 0, *(bytes([octet]) for octet in fanout_index(0)))


def test_the_index_may_come_before_the_greeting_was_read(setting):
    with setting.client() as client:
        assert client.say(fanout_index(1))
        client.take_greeting()
        client.take_ring()
        setting.blocks_for(client)


WRONG_INDEXES = {
    "unknown TLV first": tlv(0xC0FF) + fanout_index(0),
    "unknown TLV with a value first": tlv(0xC0FF, b"abcd") + fanout_index(0),
    "type below": tlv(FANOUT_INDEX_TLV - 1, words(0)),
    "type above": tlv(FANOUT_INDEX_TLV + 1, words(0)),
    "a type of the daemon": tlv(0x8003, words(0)),
    "error TLV": tlv(ERROR_TLV, b"help"),
    "length 0": tlv(FANOUT_INDEX_TLV),
    "length 3": tlv(FANOUT_INDEX_TLV, b"\0\0\0"),
    "length 5": tlv(FANOUT_INDEX_TLV, b"\0\0\0\0\0"),
    "length 65535": tlv(FANOUT_INDEX_TLV, bytes(65535)),
    "little-endian": b"\4\0\7\xc0\0\0\0\0",
    "words of 32 bits": words(FANOUT_INDEX_TLV, 4, 0),
    "zeros": bytes(8),
    "a block": words(0),
    "a block first": words(0) + fanout_index(0),
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "garbage": bytes(range(255, 0, -1)) * 100,
}


@pytest.mark.parametrize("octets", WRONG_INDEXES.values(), ids=WRONG_INDEXES.keys())
def test_whoever_says_something_else_is_sent_away_alone(setting, octets):
    refused = setting.refused()
    with setting.client() as client:
        client.take_greeting()
        client.say(octets)
        assert client.hear_end() == b""
    assert setting.refused() == refused + 1


@pytest.mark.parametrize("index", [INDEXES, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_an_index_that_there_is_not_ends_the_connection_without_a_ring(setting, index):
    with setting.client() as client:
        client.take_greeting()
        assert client.say(fanout_index(index))
        octets, descriptors, _, _ = socket.recv_fds(client.socket, 64, 8)
        assert (octets, descriptors) == (b"", [])


def test_half_an_index_and_the_end_is_a_client_that_has_gone(setting):
    with setting.client() as client:
        client.take_greeting()
        client.say(fanout_index(0)[:5])
        client.socket.shutdown(socket.SHUT_WR)
        assert client.hear_end() == b""


# The ring


def test_one_octet_brings_one_packet_socket_that_is_a_ring(setting):
    with setting.client() as client:
        client.take_greeting()
        assert client.say(fanout_index(1))
        octet, descriptors, flags, _ = socket.recv_fds(client.socket, 64, 8)
        with contextlib.ExitStack() as stack:
            rings = [stack.enter_context(socket.socket(fileno=descriptor)) for descriptor in descriptors]
            assert octet == b"\0" and len(rings) == 1 and not flags & socket.MSG_CTRUNC
            assert (rings[0].family, rings[0].type) == (socket.AF_PACKET, socket.SOCK_RAW)
        assert client.hear(4) == struct.pack(">HH", KERNEL_COUNTERS_TLV, 16)


def test_the_kernels_counters_follow_at_once_and_then_each_second(setting):
    with setting.client() as client:
        client.take_greeting()
        client.say(fanout_index(0))
        client.take_ring()
        begin, times = time.monotonic(), []
        for _ in range(3):
            kind, size = struct.unpack(">HH", client.hear(4))
            assert (kind, size) == (KERNEL_COUNTERS_TLV, 16)
            counted, drops = struct.unpack(">QQ", client.hear(16))
            times.append(time.monotonic() - begin)
            assert (counted, drops) == (len(setting.bystanders[0].numbers), 0)
        assert times[0] < 0.5 and times[1] < 1.5 and 0.7 < times[2] - times[1] < 1.5, times


def test_counters_grow_by_what_came(setting):
    with setting.client(0) as client:
        setting.blocks_for(client, count=3)
        known = len(setting.bystanders[0].numbers)
        pump([client, *setting.bystanders], lambda: client.counters_told[-1:] == [(known, 0)], "the counters came")


# Giving back


def held_blocks(setting, client, count):
    """As many blocks as are asked for, kept by the client."""
    client.keep = BLOCKS
    setting.blocks_for(client, count=count)
    assert len(client.held) == count
    return list(client.held)


def assert_everything_was_returned(setting, client, count):
    setting.blocks_for(client)  # it goes on
    client.give_all_back()
    setting.daemon.wait_until_ring("all is given back", 0, blocks_held=0)
    assert count + 1 == client.blocks


ORDERS = {"in order": [0, 1, 2, 3, 4], "backwards": [4, 3, 2, 1, 0], "mixed": [2, 0, 4, 1, 3]}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("together", [True, False], ids=["in one write", "one by one"])
def test_blocks_come_back_in_any_order(setting, order, together):
    with setting.client(0) as client:
        held = held_blocks(setting, client, 5)
        returned = [held[place] for place in order]
        for batch in [returned] if together else [[each] for each in returned]:
            client.give_back(*batch)
        setting.daemon.wait_until_ring("all is given back", 0, blocks_held=0)
        assert_everything_was_returned(setting, client, 5)


def test_a_block_is_free_when_the_last_client_has_returned_it(setting):
    with setting.client(0) as first, setting.client(0) as second:
        first.keep = second.keep = BLOCKS
        setting.blocks_for(first, second, count=2)
        setting.daemon.wait_until_ring("two are held", 0, blocks_held=2)
        first.give_all_back()
        second.give_back(second.held[1])
        setting.daemon.wait_until_ring("one is held by one", 0, blocks_held=1)
        second.give_all_back()
        setting.daemon.wait_until_ring("none is held", 0, blocks_held=0)


SKIPPED = [tlv(0xC0FF), tlv(0xC0FF, b"1"), tlv(0x8003, words(5)), tlv(0xFFFF, b"what?"), tlv(0xC007, words(1)),
           tlv(0xC123, bytes(65535)), tlv(0x8000), tlv(0xFFFF, b"\xff" * 65535)]


def test_tlvs_of_a_client_are_skipped(setting):
    with setting.client(0) as client:
        for octets in SKIPPED:
            [index] = held_blocks(setting, client, 1)
            assert client.say(octets)
            client.give_back(index)
        setting.daemon.wait_until_ring("all is given back", 0, blocks_held=0)
        assert_everything_was_returned(setting, client, len(SKIPPED))


def test_tlvs_and_blocks_may_stand_in_one_write(setting):
    with setting.client(0) as client:
        first, second = held_blocks(setting, client, 2)
        assert client.say(tlv(0xC0FF, b"abc") + words(second) + tlv(0xC0FF) + words(first) + tlv(0xFFFF, b"x"))
        client.held.clear()
        setting.daemon.wait_until_ring("all is given back", 0, blocks_held=0)
        assert_everything_was_returned(setting, client, 2)


def test_a_tlv_may_come_slowly(setting):
    octets = tlv(0xC0FF, bytes(1000))
    with setting.client(0) as client:
        [index] = held_blocks(setting, client, 1)
        for place in range(0, len(octets), 100):
            assert client.say(octets[place:place + 100])
            time.sleep(0.002)
        client.give_back(index)
        assert_everything_was_returned(setting, client, 1)


WRONG_RETURNS = {
    "a block that it does not have": lambda held: words((held[-1] + 1) % BLOCKS),
    "a block twice": lambda held: words(held[0], held[0]),
    "a block twice, apart": lambda held: words(held[0], held[1], held[0]),
    "an index beyond": lambda held: words(BLOCKS),
    "an index far beyond": lambda held: words(0x7FFFFFFF),
    "half a word": lambda held: words(held[0])[:2],
    "a word and a half": lambda held: words(held[0], held[1])[:6],
    "an octet": lambda held: b"\0",
}


@pytest.mark.parametrize("octets_of", WRONG_RETURNS.values(), ids=WRONG_RETURNS.keys())
def test_who_returns_wrongly_is_sent_away_alone_and_its_blocks_are_free(setting, octets_of):
    refused = setting.refused()
    with setting.client(0) as client, setting.client(0) as other:
        held = held_blocks(setting, client, 3)
        pump([other], lambda: other.blocks == 3, "the other has them too")
        setting.daemon.wait_until_ring("three are held", 0, blocks_held=3)
        client.say(octets_of(held))
        client.hear_end()
        setting.daemon.wait_until_ring("none is held", 0, blocks_held=0)
        setting.blocks_for(other)
    assert setting.refused() == refused + 1


def test_who_ends_within_a_tlv_is_gone_and_its_blocks_are_free(setting):
    with setting.client(0) as client:
        held_blocks(setting, client, 3)
        client.say(tlv(0xC0FF, bytes(100))[:50])
        client.socket.shutdown(socket.SHUT_WR)
        client.hear_end()


def test_who_goes_without_a_word_leaves_its_blocks(setting):
    for leave in (Client.close, lambda client: client.socket.shutdown(socket.SHUT_RDWR)):
        with setting.client(0) as client:
            held_blocks(setting, client, 4)
            leave(client)
            setting.daemon.wait_until_ring("none is held", 0, blocks_held=0)


def test_a_process_that_is_killed_leaves_its_blocks(setting):
    with HoldingProcess(setting.path, 0) as holder:
        for held in range(1, 5):
            setting.numbered.send(INDEXES)
            pump(setting.bystanders, lambda: setting.daemon.ring(0)["blocks_held"] == held, "it holds another")
        holder.kill()
        pump(setting.bystanders, lambda: setting.daemon.ring(0)["blocks_held"] == 0, "none is held")


# Time


def test_who_does_not_finish_a_message_is_sent_away_in_time_and_a_silent_member_is_not(setting):
    with setting.client(0) as member, setting.client() as silent, setting.client() as slow, \
         setting.client(0) as lagging:
        slow.take_greeting()
        slow.say(fanout_index(0)[:7])
        held_blocks(setting, lagging, 1)
        lagging.say(tlv(0xC0FF, bytes(10))[:8])
        begin = time.monotonic()
        silent.take_greeting()
        for client in (silent, slow):
            client.socket.settimeout(10)
            assert client.hear_end() == b""
        lagging.hear_end()
        assert 4 < time.monotonic() - begin < 8
        setting.blocks_for()
        pump([member], lambda: member.blocks == 2, "it has what came before and after")


# Numbers


def test_there_may_be_no_more_clients_than_configured(serve):
    daemon = serve(MaxClients=3)
    path = daemon.path
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(path, 0)) for _ in range(2)]
        greeted = stack.enter_context(Client(path))
        greeted.take_greeting()
        with Client(path) as beyond:
            assert beyond.hear_end() == b"\2" + tlv(ERROR_TLV, b"there are too many clients already (MaxClients)")
        daemon.wait_for_line("MaxClients")
        assert (daemon.socket_stats()["clients_refused"], len(daemon.ring()["clients"])) == (1, 2)
        clients[0].close()
        wait_until(lambda: len(daemon.ring()["clients"]) == 1, "it is gone")
        stack.enter_context(Client(path, 0))
    daemon.stop()


@pytest.mark.parametrize("keys, error", [
    # What is sent fits the socket's buffer, with the words at the end; and it does not.
    ({"BlockSize": 65536, "NumBlocks": 16}, b"blocks were held too long"),
    ({"BlockSize": 4096, "NumBlocks": 2048}, None)], ids=["few blocks", "many blocks"])
def test_who_never_reads_is_evicted_under_traffic_and_nobody_else_loses_anything(serve, numbered, keys, error):
    daemon = serve(**keys)
    with Client(daemon.path, 0) as reader, Client(daemon.path) as stopped:
        stopped.take_greeting()
        stopped.say(fanout_index(0))
        with numbered.sending(60_000, rate=40_000, octets=400):
            pump([reader], lambda: daemon.ring()["evictions"] == 1, "the other one is evicted")
            read_packets([reader], len(reader.numbers) + 1000)
        heard = stopped.hear_end()
    assert heard.endswith(tlv(ERROR_TLV, error)) if error else ERROR_TLV.to_bytes(2, "big") not in heard
    assert reader.numbers == list(range(len(reader.numbers))) and daemon.ring()["drops"] == 0
    assert len(daemon.lines("holds .* blocks, .*; its connection is ended")) == 1
    daemon.stop()
