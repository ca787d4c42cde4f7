"""testimonyd in a namespace, and clients of it that do as the test says: they speak the protocol octet by octet.

As a program of its own (`HoldingProcess`) it is a client that keeps every block.
"""

import collections
import contextlib
import json
import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple, Optional

import clerk_runner
import numbered
from collectors import wait_until
from live_clerk import PATIENCE_S, LiveClerk

TESTIMONYD = clerk_runner.BUILD / "bin" / "testimonyd"

BLOCK_SIZE, BLOCKS, RETIRE_MS = 65536, 16, 20

FANOUT_HASH, FANOUT_LB = 0, 1

FANOUT_SIZE_TLV, BLOCK_SIZE_TLV, NUM_BLOCKS_TLV, WAITING_TLV = 0x8003, 0x8004, 0x8005, 0x8002
KERNEL_COUNTERS_TLV, FANOUT_INDEX_TLV, ERROR_TLV = 0x8006, 0xC007, 0xFFFF

STATUS_KERNEL, STATUS_USER, STATUS_LOSING = 0, 1, 4
VLAN_VALID = 1 << 4
STATUS_AT, SEQUENCE_AT = 8, 24

_DESCRIPTION = struct.Struct("=II IIII Q")  # tpacket_block_desc, see Client.header
_PACKET = struct.Struct("=I8xIII H2x I I")  # tpacket3_hdr: next; snaplen, len, status; mac; rxhash, vlan_tci
_PACKET_OCTETS = 48
_WORD = struct.Struct(">I")
_BLOCK_INDEX_MAX = 0x7FFFFFFF


def socket_config(path, **keys):
    """One element of the configuration: a small ring of the wire's watched end, unless `keys` say otherwise."""
    return {"SocketName": str(path), "Interface": "watched", "BlockSize": BLOCK_SIZE, "NumBlocks": BLOCKS,
            "BlockTimeoutMillis": RETIRE_MS, **keys}


class TestimonyDaemon(LiveClerk):
    """testimonyd that serves the sockets of the configuration; `path` is the first one's. Its files are in `folder`."""

    __test__ = False  # pytest takes classes of this name for tests

    def __init__(self, namespace, folder, *sockets, flags=(), prefix=()):
        self.sockets = sockets
        self.path = sockets[0]["SocketName"] if sockets else None
        self.config_path, self.stats_path = Path(folder) / "testimony.conf", Path(folder) / "stats.sock"
        self.configure(*sockets)
        super().__init__(namespace, "--config", self.config_path, "--stats_socket", self.stats_path, *flags,
                         prefix=prefix, binary=TESTIMONYD)

    def wait_until_serving(self):
        self.wait_for_line(r"serving \d+ socket")
        return self

    def configure(self, *sockets):
        self.write_configuration(json.dumps(sockets, indent=1))

    def write_configuration(self, text):
        self.config_path.write_text(text)

    def reload(self, *sockets):
        """SIGHUP, and until the new configuration is at work."""
        self.configure(*sockets)
        self.hang_up("the configuration was read again")

    def hang_up(self, answer):
        count = len(self.lines(answer))
        self.signal(signal.SIGHUP)
        self.wait_for_line(answer, count + 1)

    def stats(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as inquiry:
            inquiry.settimeout(PATIENCE_S)
            inquiry.connect(str(self.stats_path))
            return json.loads(_until_end(inquiry))

    def socket_stats(self, place=0):
        return self.stats()["sockets"][place]

    def rings(self, place=0):
        """The statistics of each index of the socket."""
        return self.socket_stats(place)["rings"]

    def ring(self, index=0):
        return self.rings()[index]

    def wait_until_ring(self, what, index=0, **expected):
        """The statistics of an index have these values."""
        wait_until(lambda: expected.items() <= self.ring(index).items(), "%s: %s" % (what, expected))

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def processor_seconds(self):
        """To the nanosecond."""
        tasks = Path("/proc/%d/task" % self.process.pid)
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 10**9

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, expect=0, number=signal.SIGTERM):
        self.signal(number)
        assert self.process.wait(timeout=PATIENCE_S) == expect, self.log()

    def ended(self, expect):
        """What one that ends by itself has said."""
        assert self.process.wait(timeout=PATIENCE_S) == expect, self.log()
        return self.log()


def _until_end(connection):
    return b"".join(iter(lambda: connection.recv(65536), b""))


# The protocol


def tlv(kind, value=b""):
    return struct.pack(">HH", kind, len(value)) + value


def words(*numbers):
    return b"".join(map(_WORD.pack, numbers))


def fanout_index(index):
    return tlv(FANOUT_INDEX_TLV, words(index))


class Geometry(NamedTuple):
    fanout_size: int
    block_size: int
    blocks: int

    def octets(self):
        return self.block_size * self.blocks


class KernelCounters(NamedTuple):
    packets: int
    drops: int


class Packet(NamedTuple):
    number: int
    vlan_tci: Optional[int]
    octets: int  # of the frame on the wire, but for its tag


class Client:
    """A connection to the daemon. With an `index` it joins at once; else the test says what it says.

    `read` takes what has come: blocks are looked through and given back, but for the last `keep` ones. Every block
    must be one that the kernel has filled, and the one after the block before it. `numbers` are those of the `packets`.
    """

    def __init__(self, path, index=None, keep=0):
        self.keep = keep
        self.geometry = self.ring_socket = self.memory = None
        self.packets, self.numbers, self.held, self.counters_told = [], [], collections.deque(), []
        self.blocks, self.sequence = 0, None
        self.error = None
        self.is_over = False
        self._octets = b""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_S)
        try:
            self.socket.connect(str(path))
            if index is not None:
                self.join(index)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.hang_up()
        self.let_go()

    def hang_up(self):
        """The connection only; the ring stays."""
        self.socket.close()
        self.is_over = True

    def let_go(self):
        """The ring."""
        for each in (self.memory, self.ring_socket):
            if each is not None:
                each.close()
        self.memory = self.ring_socket = None

    # Octet by octet

    def say(self, octets):
        """False when nobody listens any more."""
        try:
            self.socket.sendall(octets)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def hear(self, count):
        octets = b""
        while len(octets) < count:
            more = self.socket.recv(count - len(octets))
            assert more, "the daemon closed the connection after %r" % octets
            octets += more
        return octets

    def hear_end(self):
        """Whatever comes until the connection is over. It has to end."""
        heard = b""
        with contextlib.suppress(ConnectionResetError):
            while more := self.socket.recv(65536):
                heard += more
        return heard

    def hears_nothing(self, seconds):
        """And the connection is open."""
        return not select.select([self.socket], [], [], seconds)[0]

    # The handshake

    def join(self, index):
        self.take_greeting()
        assert self.say(fanout_index(index))
        self.take_ring()
        return self

    def take_greeting(self):
        assert self.hear(1) == b"\2"
        numbers = {}
        while WAITING_TLV not in numbers:
            kind, size = struct.unpack(">HH", self.hear(4))
            numbers[kind] = int.from_bytes(self.hear(size), "big")
        self.geometry = Geometry(numbers[FANOUT_SIZE_TLV], numbers[BLOCK_SIZE_TLV], numbers[NUM_BLOCKS_TLV])

    def take_ring(self, protection=mmap.PROT_READ):
        octet, descriptors, _, _ = socket.recv_fds(self.socket, 1, 8)
        assert octet, "the daemon closed the connection instead of passing a ring"
        assert octet == b"\0" and len(descriptors) == 1, (octet, descriptors)
        self.ring_socket = socket.socket(fileno=descriptors[0])
        self.memory = mmap.mmap(self.ring_socket.fileno(), self.geometry.octets(), mmap.MAP_SHARED, protection)

    # Behind it

    def read(self):
        self._fetch()
        self._obey()

    def _fetch(self):
        """All that has come."""
        try:
            while not self.is_over:
                more = os.read(self.socket.fileno(), 65536)  # recv() would wait for something
                self._octets += more
                self.is_over = not more
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.is_over = True

    def _obey(self):
        at = 0
        while at + 4 <= len(self._octets):
            [word] = _WORD.unpack_from(self._octets, at)
            size = 0 if word <= _BLOCK_INDEX_MAX else word & 0xFFFF
            if at + 4 + size > len(self._octets):
                break
            value = self._octets[at + 4:at + 4 + size]
            at += 4 + size
            if word <= _BLOCK_INDEX_MAX:
                self._take_block(word)
            elif word >> 16 == KERNEL_COUNTERS_TLV:
                self.counters_told.append(KernelCounters(*struct.unpack(">QQ", value)))
            elif word >> 16 == ERROR_TLV:
                self.error = value.decode()
        self._octets = self._octets[at:]

    def _take_block(self, index):
        try:
            packets = self.packets_of(index)
        except AssertionError:
            if self._is_sent_away():
                return  # what it had is the kernel's again
            raise
        self.blocks += 1
        self.held.append(index)
        self.packets += packets
        self.numbers += [packet.number for packet in packets]
        while len(self.held) > self.keep:
            self.give_back(self.held[0])

    def _is_sent_away(self):
        deadline = time.monotonic() + 1
        while not self.is_over and time.monotonic() < deadline:
            self._fetch()
        return self.is_over

    def give_back(self, *indexes):
        """In one write."""
        for index in indexes:
            self.held.remove(index)
        self.say(words(*indexes))  # who is gone is found out by reading

    def give_all_back(self):
        self.give_back(*self.held)

    # The ring

    def header(self, index):
        """Version, private area; status, packets, where the first is, octets; number of the block."""
        return _DESCRIPTION.unpack_from(self.memory, index * self.geometry.block_size)

    def status(self, index):
        return self.header(index)[2]

    def packets_of(self, index):
        """All of them, each within its block."""
        assert index < self.geometry.blocks, index
        version, _, status, count, at, octets, sequence = header = self.header(index)
        assert version == 2 and status & STATUS_USER and octets <= self.geometry.block_size, header
        assert self.sequence in (None, sequence - 1), "block %s came behind %s" % (sequence, self.sequence)
        self.sequence = sequence
        start = index * self.geometry.block_size
        packets = list(_packets_in(self.memory[start:start + octets], at, count))
        assert self.header(index) == header, "somebody changed a block that was lent"
        return packets


def _packets_in(block, at, count):
    for place in range(count):
        step, snap_length, length, status, mac, _, tci = _PACKET.unpack_from(block, at)
        assert snap_length == length and at + mac + snap_length <= len(block), (at, mac, snap_length, len(block))
        assert step or place == count - 1, "the chain of packets ends early"
        yield Packet(numbered.number_in(block, at + mac), tci if status & VLAN_VALID else None, length)
        at += step


def pump(clients, until, what, patience_s=20):
    """The clients read until the condition is true."""
    deadline = time.monotonic() + patience_s
    while not until():
        assert time.monotonic() < deadline, "waited in vain until " + what
        _read_for_a_moment(clients)


def _read_for_a_moment(clients, moment_s=0.02):
    """The condition may take its time: meanwhile nobody reads, and none of them is to be late for that."""
    end = time.monotonic() + moment_s
    while (left_s := end - time.monotonic()) > 0:
        by_socket = {client.socket: client for client in clients if not client.is_over}
        for ready in select.select(list(by_socket), [], [], left_s)[0]:
            by_socket[ready].read()


def read_packets(clients, count, what="the clients have all packets"):
    """Until each has so many numbers."""
    pump(clients, lambda: all(len(client.numbers) >= count for client in clients), what)


def read_to_end(*clients):
    """Until each connection is over, from the daemon's side."""
    pump(clients, lambda: all(client.is_over for client in clients), "the connections are over")


class HoldingProcess:
    """A process of its own that joins, and keeps every block."""

    def __init__(self, path, index=0):
        self.process = subprocess.Popen([sys.executable, "-B", __file__, str(path), str(index)],
                                        stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"joined\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


if __name__ == "__main__":
    with Client(sys.argv[1], int(sys.argv[2]), keep=1 << 30) as holder:
        print("joined", flush=True)
        pump([holder], lambda: False, "it is killed", patience_s=600)
