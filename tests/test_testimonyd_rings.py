"""The rings of testimonyd and who reads them: each client gets every packet of its index, whatever the others do."""

import contextlib
import ctypes
import errno
import mmap
import random
import socket
import struct

import pytest

import numbered as numbered_packets
from collectors import wait_until
from numbered import is_run
from testimony import (BLOCKS, FANOUT_HASH, FANOUT_LB, SEQUENCE_AT, STATUS_AT, STATUS_USER, Client, HoldingProcess,
                       fanout_index, pump, read_packets, read_to_end)

# Of 64 KiB: so many that a reader which the machine holds up for half a second is not late.
AMPLE_BLOCKS = 64
TOO_LONG = "blocks were held too long"
EVICTED = "holds .* blocks, .*; its connection is ended"


@contextlib.contextmanager
def clients_at(daemon, *indexes, **options):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Client(daemon.path, index, **options)) for index in indexes]


def read_together(clients, count):
    """Until they have so many packets between them."""
    pump(clients, lambda: sum(len(client.numbers) for client in clients) >= count, "all packets came")


# Who gets which packets


@pytest.mark.parametrize("members", [1, 2, 4])
@pytest.mark.parametrize("mode", [FANOUT_HASH, FANOUT_LB], ids=["hash", "lb"])
def test_each_packet_comes_to_one_index(serve, numbered, members, mode):
    daemon = serve(FanoutType=mode, FanoutSize=members)
    with clients_at(daemon, *range(members)) as clients:
        numbered.send(4000)
        read_together(clients, 4000)
        assert sorted(sum((client.numbers for client in clients), [])) == list(range(4000))
        shares = [len(client.numbers) for client in clients]
        assert set(shares) == {4000 // members} if mode == FANOUT_LB else min(shares) > 0
        wait_until(lambda: [ring["packets"] for ring in daemon.rings()] == shares, "the kernel counted the same")
    daemon.stop()


def test_packets_of_a_flow_come_to_the_same_index(serve, numbered):
    daemon = serve(FanoutType=FANOUT_HASH, FanoutSize=3)
    with clients_at(daemon, 0, 1, 2) as clients:
        for _ in range(4):
            numbered.send(200)
            numbered.sent = 0
        read_together(clients, 800)
        flows = [set(client.numbers) for client in clients]
        assert sum(map(len, flows)) == 200 and set.union(*flows) == set(range(200))
    daemon.stop()


def test_clients_of_an_index_all_get_every_packet_of_it(serve, numbered):
    daemon = serve(FanoutType=FANOUT_LB, FanoutSize=2)
    with clients_at(daemon, 0, 0, 0, 1, 1) as clients:
        numbered.send(4000)
        read_packets(clients, 2000)
        first, second = clients[0].packets, clients[3].packets
        assert [client.packets == first for client in clients] == [True, True, True, False, False]
        assert clients[4].packets == second
        assert sorted(clients[0].numbers + clients[3].numbers) == list(range(4000))
    daemon.stop()


def test_two_sockets_of_an_interface_have_all_packets_each(wire, serve, numbered, tmp_path):
    daemon = serve(FanoutType=FANOUT_LB, FanoutSize=2)
    other = dict(daemon.sockets[0], SocketName=str(tmp_path / "other.sock"), FanoutSize=1)
    daemon.reload(daemon.sockets[0], other)
    with clients_at(daemon, 0, 1) as clients, Client(other["SocketName"], 0) as whole:
        numbered.send(2000)
        read_packets([whole], 2000)
        read_together(clients, 2000)
        assert whole.numbers == list(range(2000)) == sorted(clients[0].numbers + clients[1].numbers)
    daemon.stop()


def test_clients_may_join_and_leave_under_traffic(serve, numbered):
    daemon = serve(NumBlocks=AMPLE_BLOCKS)
    with Client(daemon.path, 0) as lasting, numbered.sending(60_000, rate=20_000) as traffic:
        for _ in range(10):
            with Client(daemon.path, 0) as first, Client(daemon.path, 0, keep=3) as second:
                guests = [first, second]
                pump([lasting, *guests], lambda: all(len(guest.numbers) > 1500 for guest in guests), "they read")
                assert is_run(first.numbers) and is_run(second.numbers)
        sent = traffic.stop()
        read_packets([lasting], sent)
        assert lasting.numbers == list(range(sent))
        daemon.wait_until_ring("nobody holds a block", blocks_held=0)
        assert daemon.ring()["clients_joined"] == 21 and daemon.ring()["evictions"] == 0
    daemon.stop()


def test_no_block_is_given_twice_or_out_of_order_whatever_clients_keep(serve, numbered):
    """The clients check each block for that, and that nobody changes it while they have it."""
    daemon = serve(BlockSize=4096, NumBlocks=1024)
    chance = random.Random(7011)
    with clients_at(daemon, 0, 0, 0, keep=BLOCKS) as clients, numbered.sending(50_000, rate=20_000) as traffic:
        def return_some():
            for client in clients:
                some = chance.sample(list(client.held), chance.randint(0, len(client.held)))
                client.give_back(*some)
            return not traffic.is_running()

        pump(clients, return_some, "the traffic is over")
        sent = traffic.wait()
        read_packets(clients, sent)
        for client in clients:
            assert client.numbers == list(range(sent)) and client.error is None
            client.give_all_back()
        ring = daemon.ring()
        assert ring["blocks_sent"] == 3 * ring["blocks"] == sum(client.blocks for client in clients)
        daemon.wait_until_ring("all came back", blocks_held=0, blocks_returned=ring["blocks_sent"])
    daemon.stop()


# Who keeps blocks too long


def one_block_each(numbered, client, count):
    """So many blocks come to the client, a packet in each."""
    for blocks in range(client.blocks + 1, client.blocks + count + 1):
        numbered.send(1)
        pump([client], lambda: client.blocks == blocks, "the block came")


@pytest.mark.parametrize("reserve", [0, 5, 12])
def test_a_client_is_late_when_so_few_blocks_are_left(serve, numbered, reserve):
    daemon = serve(ReserveBlocks=reserve)
    with Client(daemon.path, 0, keep=BLOCKS) as keeping:
        one_block_each(numbered, keeping, BLOCKS - reserve - 1)
        assert keeping.hears_nothing(0.05) and daemon.ring()["blocks_held"] == BLOCKS - reserve - 1
        numbered.send(1)
        read_to_end(keeping)
        assert keeping.error == TOO_LONG
        daemon.wait_until_ring("they are free", blocks=BLOCKS - reserve, blocks_held=0, evictions=1)
    assert len(daemon.lines(EVICTED)) == 1
    daemon.stop()


def test_a_quarter_is_the_reserve_unless_configured(serve, numbered):
    daemon = serve()
    with Client(daemon.path, 0, keep=BLOCKS) as keeping:
        one_block_each(numbered, keeping, BLOCKS - BLOCKS // 4 - 1)
        numbered.send(1)
        read_to_end(keeping)
    daemon.stop()


def test_who_keeps_one_old_block_is_late_though_it_returns_the_others(serve, numbered):
    """The kernel fills blocks in order, and cannot pass that one."""
    daemon = serve()
    with Client(daemon.path, 0) as reader, Client(daemon.path, 0, keep=BLOCKS) as keeping:
        one_block_each(numbered, keeping, 1)
        oldest = keeping.held[0]
        for _ in range(BLOCKS):
            reader.read()
            keeping.give_back(*(set(keeping.held) - {oldest}))
            numbered.send(1)
            pump([reader, keeping], lambda: len(reader.numbers) == numbered.sent and
                 keeping.is_over == (numbered.sent >= BLOCKS - BLOCKS // 4), "the block came")
        assert keeping.error == TOO_LONG
        assert reader.numbers == list(range(numbered.sent))
    daemon.stop()


def test_a_slow_client_is_evicted_and_the_others_lose_nothing(serve, numbered):
    daemon = serve(NumBlocks=AMPLE_BLOCKS)
    with Client(daemon.path, 0) as reader, Client(daemon.path, 0) as second, \
         Client(daemon.path, 0, keep=AMPLE_BLOCKS) as slow, numbered.sending(60_000, rate=30_000) as traffic:
        pump([reader, second, slow], lambda: not traffic.is_running(), "the traffic is over")
        sent = traffic.wait()
        read_packets([reader, second], sent)
        assert slow.is_over and slow.error == TOO_LONG
        assert reader.numbers == second.numbers == list(range(sent))
        assert slow.numbers == list(range(len(slow.numbers))) and len(slow.numbers) > 1000
        daemon.wait_until_ring("the kernel counted them", packets=sent, drops=0, freezes=0, evictions=1)
    daemon.stop()


def test_who_is_evicted_may_come_again(serve, numbered):
    daemon = serve()
    for evictions in (1, 2):
        with Client(daemon.path, 0, keep=BLOCKS) as keeping:
            one_block_each(numbered, keeping, 11)
            numbered.send(1)
            read_to_end(keeping)
        daemon.wait_until_ring("it is counted", evictions=evictions)
    with Client(daemon.path, 0) as reader:
        one_block_each(numbered, reader, BLOCKS * 2)
    daemon.stop()


def test_no_block_may_be_held_longer_than_configured(serve, numbered):
    daemon = serve(MaxHoldMillis=300)
    with Client(daemon.path, 0) as reader, Client(daemon.path, 0, keep=BLOCKS) as keeping:
        for _ in range(3):
            one_block_each(numbered, keeping, 1)
            reader.read()
            assert keeping.hears_nothing(0.1)
            keeping.give_all_back()
        one_block_each(numbered, keeping, 1)
        pump([reader, keeping], lambda: keeping.is_over, "it is sent away")
        assert keeping.error == TOO_LONG
        pump([reader], lambda: len(reader.numbers) == numbered.sent, "it has all")
    daemon.stop()


def test_clients_get_time_when_it_was_the_daemon_that_was_late(serve, numbered):
    """It wakes and lends the whole ring at once: nobody has been slow."""
    daemon = serve()
    with Client(daemon.path, 0, keep=BLOCKS) as first, Client(daemon.path, 0, keep=BLOCKS) as second:
        daemon.fall_asleep()
        numbered.send(1000, octets=1514)
        daemon.wake_up()
        pump([first, second], lambda: len(first.held) == len(second.held) == BLOCKS, "the ring is lent")
        first.give_all_back()
        second.give_all_back()
        daemon.wait_until_ring("all came back", blocks_held=0, evictions=0)
    with Client(daemon.path, 0, keep=BLOCKS) as keeping:
        daemon.fall_asleep()
        numbered.send(1000, octets=1514)
        daemon.wake_up()
        read_to_end(keeping)
    daemon.stop()


def test_without_that_one_block_may_be_held_as_long_as_there_is_room(serve, numbered):
    daemon = serve()
    with Client(daemon.path, 0, keep=1) as keeping:
        one_block_each(numbered, keeping, 5 * BLOCKS)
        assert daemon.ring()["blocks_held"] == 1 and daemon.ring()["evictions"] == 0
    daemon.stop()


def test_a_process_that_is_killed_under_traffic_takes_nothing_with_it(serve, numbered):
    daemon = serve(NumBlocks=AMPLE_BLOCKS)
    with Client(daemon.path, 0) as reader, HoldingProcess(daemon.path) as holder:
        with numbered.sending(40_000, rate=20_000) as traffic:
            pump([reader], lambda: daemon.ring()["blocks_held"] > 5, "it holds blocks")
            holder.kill()
            pump([reader], lambda: not traffic.is_running(), "the traffic is over")
            sent = traffic.wait()
        read_packets([reader], sent)
        assert reader.numbers == list(range(sent)) and daemon.ring()["evictions"] == 0
    daemon.stop()


def test_what_finds_no_room_while_the_daemon_sleeps_is_counted(serve, numbered):
    """And whoever reads knows how much, to the packet."""
    daemon = serve()
    with Client(daemon.path, 0) as reader:
        daemon.fall_asleep()
        numbered.send(12_000)
        daemon.wake_up()
        pump([reader], lambda: {told.packets for told in reader.counters_told} >= {12_000}, "the counters came")
        told = reader.counters_told[-1]
        read_packets([reader], told.packets - told.drops)
        assert told.drops > 0 and len(reader.numbers) == told.packets - told.drops
        assert daemon.ring()["drops"] == told.drops
        numbered.send(1)
        pump([reader], lambda: reader.numbers[-1] == 12_000, "the next one came")
    daemon.stop()


# What a ring is


def test_a_filter_passes_only_what_it_names(serve, numbered):
    first, last = numbered_packets.FIRST_PORT + 100, numbered_packets.FIRST_PORT + 976
    daemon = serve(Filter="udp src portrange %d-%d or udp src port %d" % (first, first + 99, last))
    with Client(daemon.path, 0) as reader:
        numbered.send(1000)
        read_packets([reader], 101)
        assert reader.numbers == [*range(100, 200), 976]
        daemon.wait_until_ring("only they are counted", packets=101, drops=0)
    daemon.stop()


def set_option(ring, level, option, value):
    """The errno of setsockopt(2), or 0."""
    try:
        ring.setsockopt(level, option, value)
    except OSError as error:
        return error.errno
    return 0


SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER = 26, 27, 44
SOL_PACKET, PACKET_RX_RING, PACKET_FANOUT = 263, 5, 18


@pytest.mark.parametrize("keys", [{}, {"Filter": "udp"}, {"FanoutSize": 2, "FanoutType": FANOUT_LB}],
                         ids=["", "with a filter", "of two"])
def test_who_has_a_ring_may_not_change_what_comes_into_it(serve, numbered, keys):
    daemon = serve(**keys)
    drop_all = mmap.mmap(-1, 8)
    drop_all.write(struct.pack("HBBI", 6, 0, 0, 0))
    with Client(daemon.path, 0) as client:
        ring = client.ring_socket
        program = struct.pack("HxxxxxxQ", 1, address_of(drop_all))
        assert set_option(ring, socket.SOL_SOCKET, SO_ATTACH_FILTER, program) == errno.EPERM
        assert set_option(ring, socket.SOL_SOCKET, SO_DETACH_FILTER, 0) == errno.EPERM
        assert set_option(ring, socket.SOL_SOCKET, SO_LOCK_FILTER, 0) == errno.EPERM
        assert set_option(ring, SOL_PACKET, PACKET_RX_RING, struct.pack("7I", 0, 0, 0, 0, 0, 0, 0)) == errno.EBUSY
        assert set_option(ring, SOL_PACKET, PACKET_FANOUT, 4711) == errno.EALREADY
        for interface in ("lo", "watched"):
            with pytest.raises(OSError) as refused:
                ring.bind((interface, 3))
            assert refused.value.errno == errno.EINVAL
        numbered.send(20)
        read_packets([client], 20 // keys.get("FanoutSize", 1))
    daemon.stop()


def address_of(memory):
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


@pytest.mark.parametrize("keys, expected", [({}, True), ({"Promiscuous": True}, True), ({"Promiscuous": False}, False),
                                            ({"FanoutSize": 3}, True)],
                         ids=["as it is", "on", "off", "of three"])
def test_the_interface_is_promiscuous_unless_it_may_not_be(serve, wire, keys, expected):
    def promiscuity():
        words = wire.probe.output("ip", "-d", "link", "show", "watched").split()
        return int(words[words.index("promiscuity") + 1])

    daemon = serve(**keys)
    assert promiscuity() == int(expected)
    daemon.stop()
    assert promiscuity() == 0


@pytest.mark.parametrize("filter_, numbers", [("", range(10)), ("vlan 7", range(5, 10)), ("not vlan", range(5))])
def test_tags_stand_in_the_packets_headers(serve, numbered, filter_, numbers):
    daemon = serve(Filter=filter_)
    with Client(daemon.path, 0) as client:
        numbered.send(5)
        numbered.send(5, vlan_id=7)
        read_packets([client], len(numbers))
        assert client.numbers == list(numbers)
        assert [packet.vlan_tci for packet in client.packets] == [None if each < 5 else 7 for each in numbers]
        assert {packet.octets for packet in client.packets} == {60}
    daemon.stop()


def test_large_packets_come_whole(serve, wire, numbered):
    daemon = serve()
    with Client(daemon.path, 0) as client:
        for octets in (60, 61, 1000, 1514):
            numbered.send(3, octets=octets)
        read_packets([client], 12)
        assert [packet.octets for packet in client.packets] == [each for each in (60, 61, 1000, 1514) for _ in range(3)]
    daemon.stop()


# Clients that write to the ring


def writing_client(daemon):
    client = Client(daemon.path)
    client.take_greeting()
    client.say(fanout_index(0))
    client.take_ring(mmap.PROT_READ | mmap.PROT_WRITE)
    return client


def write_word(client, index, at, value, size=4):
    start = index * client.geometry.block_size + at
    client.memory[start:start + size] = value.to_bytes(size, "little")


DAMAGE_TO_A_FULL_BLOCK = {
    "the status": (STATUS_AT, 0, 4),
    "the number": (SEQUENCE_AT, 77, 8),
    "the version": (0, 1, 4),
    "the length": (20, 0xFFFFFFFF, 4),
    "where the first packet is": (16, 0x80000000, 4),
}


def assert_made_anew(daemon, numbered, *clients):
    """Nobody goes on with the ring that was written to, and the next one is whole, though the old one is kept."""
    read_to_end(*clients)
    daemon.wait_for_line("a client has written to the ring")
    wait_until(lambda: daemon.socket_stats()["rings_made"] == 2, "the ring is made anew")
    before = numbered.sent
    with Client(daemon.path, 0) as again:
        numbered.send(100)
        read_packets([again], 100)
        assert again.numbers == list(range(before, numbered.sent))
    assert len(daemon.lines("a client has written to the ring")) == 1


@pytest.mark.parametrize("at, value, size", DAMAGE_TO_A_FULL_BLOCK.values(), ids=DAMAGE_TO_A_FULL_BLOCK.keys())
def test_a_full_block_that_a_client_has_written_to_is_given_to_nobody(serve, numbered, at, value, size):
    daemon = serve()
    with writing_client(daemon) as writer, Client(daemon.path, 0) as reader:
        numbered.send(1)
        read_packets([writer, reader], 1)
        daemon.fall_asleep()
        numbered.send(1)
        wait_until(lambda: writer.status(1) & STATUS_USER, "the kernel has filled the block")
        write_word(writer, 1, at, value, size)
        daemon.wake_up()
        numbered.send(1)  # which would come next
        assert_made_anew(daemon, numbered, writer, reader)
        assert reader.blocks == writer.blocks == 1
    daemon.stop()


@pytest.mark.parametrize("index", [2, BLOCKS - 1], ids=["the one after the next", "another"])
def test_a_block_that_a_client_calls_full_is_given_to_nobody(serve, numbered, index):
    daemon = serve()
    with writing_client(daemon) as writer, Client(daemon.path, 0) as reader:
        numbered.send(1)
        read_packets([writer, reader], 1)
        write_word(writer, index, STATUS_AT, STATUS_USER)
        assert_made_anew(daemon, numbered, writer, reader)
        assert reader.blocks == 1
    daemon.stop()


def test_the_next_block_that_a_client_calls_full_is_an_empty_one(serve, numbered):
    """The kernel has prepared it already, and there may be blocks without packets."""
    daemon = serve()
    with writing_client(daemon) as writer, Client(daemon.path, 0) as reader:
        numbered.send(1)
        read_packets([writer, reader], 1)
        write_word(writer, 1, STATUS_AT, STATUS_USER)
        pump([writer, reader], lambda: reader.blocks == writer.blocks == 2, "it came")
        assert reader.numbers == [0]
        numbered.send(1)
        assert_made_anew(daemon, numbered, writer, reader)
    daemon.stop()
