"""A testimony daemon for tests: it greets whoever connects, passes a ring and hands over its blocks.

A ring is a real one of the kernel (`KernelRing`), bound to an interface, or a file that a test fills block by block
(`PictureRing`). The daemon runs on a thread of its own; one client at a time has each ring.
"""

import contextlib
import mmap
import os
import select
import socket
import struct
import threading
import time

INDEX_TLV_OCTETS = 8
FANOUT_SIZE, BLOCK_SIZE, NUM_BLOCKS, WAITING, KERNEL_COUNTERS = 0x8003, 0x8004, 0x8005, 0x8002, 0x8006

SOL_PACKET, PACKET_RX_RING, PACKET_VERSION, PACKET_FANOUT = 263, 5, 10, 18
TPACKET_V3 = 2
ETH_P_ALL = 3
RETIRE_MS = 20

STATUS_KERNEL, STATUS_USER, STATUS_LOSING = 0, 1, 4
VLAN_VALID = 1 << 4
STATUS_OFFSET = 8

DESCRIPTION = struct.Struct("=II IIII Q II II")
PACKET = struct.Struct("=IIIIII HH IIHH8x")
ADDRESS = struct.Struct("=H2siHBB8s")
MAC_OFFSET = 82

def tlv(kind, *numbers):
    return struct.pack(">HH", kind, 4 * len(numbers)) + b"".join(struct.pack(">I", number) for number in numbers)


def kernel_counters(packets, drops):
    return struct.pack(">HHQQ", KERNEL_COUNTERS, 16, packets, drops)


def greeting(fanout_size, block_size, blocks):
    return (b"\2" + tlv(FANOUT_SIZE, fanout_size) + tlv(BLOCK_SIZE, block_size) + tlv(NUM_BLOCKS, blocks) +
            tlv(WAITING))


def _packet(frame, time_ns, vlan_id, is_last):
    size = (MAC_OFFSET + len(frame) + 15) // 16 * 16
    status, tag = (VLAN_VALID, vlan_id) if vlan_id is not None else (0, 0)
    header = PACKET.pack(0 if is_last else size, *divmod(time_ns, 10**9), len(frame), len(frame), status,
                         MAC_OFFSET, MAC_OFFSET + 14, 0, tag, 0, 0)
    address = ADDRESS.pack(socket.AF_PACKET, frame[12:14], 1, 1, 0, 6, bytes(8))
    octets = (header + address).ljust(MAC_OFFSET, b"\0") + frame
    return octets.ljust(size, b"\0")


def block_of(frames, sequence, status=STATUS_USER, vlan_id=None, claimed=None):
    """As the kernel writes it. `vlan_id` is of tags that it took off; `claimed` is a wrong number of packets."""
    now_ns = time.time_ns()
    count = len(frames) if claimed is None else claimed
    packets = b"".join(_packet(frame, now_ns + place, vlan_id, place == len(frames) - 1)
                       for place, frame in enumerate(frames))
    return DESCRIPTION.pack(TPACKET_V3, 48, status, count, 48, 48 + len(packets), sequence, 0, 0, 0, 0) + packets


class PictureRing:
    """A file in the place of a ring. `deliver` fills the next block and announces it."""

    def __init__(self, block_size=65536, blocks=4):
        self.block_size, self.blocks = block_size, blocks
        self.descriptor = os.memfd_create("ring")
        os.truncate(self.descriptor, block_size * blocks)
        self.sequence = 0
        self._announced, self._lock = [], threading.Lock()

    def deliver(self, frames, **options):
        self.sequence += 1
        self.deliver_octets(block_of(frames, self.sequence, **options))

    def deliver_octets(self, octets, index=None):
        index = self.sequence % self.blocks if index is None else index
        os.pwrite(self.descriptor, octets, index * self.block_size)
        self.announce(index)

    def announce(self, index):
        with self._lock:
            self._announced.append(index)

    def take_ready(self):
        """The blocks to hand over now."""
        with self._lock:
            ready, self._announced = self._announced, []
        return ready

    def release(self, index):
        pass

    def close(self):
        os.close(self.descriptor)


class KernelRing:
    """A ring on an interface, made by the packet socket that the daemon passes. Members of one `group` share it."""

    def __init__(self, namespace, interface, group=None, block_size=65536, blocks=128):
        self.block_size, self.blocks = block_size, blocks
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.descriptor = self._socket.fileno()
        self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        self._socket.setsockopt(SOL_PACKET, PACKET_RX_RING,
                                struct.pack("7I", block_size, blocks, 2048, block_size * blocks // 2048, RETIRE_MS,
                                            0, 0))
        self._memory = mmap.mmap(self.descriptor, block_size * blocks, mmap.MAP_SHARED,
                                 mmap.PROT_READ | mmap.PROT_WRITE)
        self._socket.bind((interface, ETH_P_ALL))
        if group is not None:
            self._socket.setsockopt(SOL_PACKET, PACKET_FANOUT, group)
        self._next, self._lent = 0, set()

    def take_ready(self):
        ready = []
        while self._next not in self._lent and self._status(self._next) & STATUS_USER:
            ready.append(self._next)
            self._lent.add(self._next)
            self._next = (self._next + 1) % self.blocks
        return ready

    def release(self, index):
        struct.pack_into("=I", self._memory, index * self.block_size + STATUS_OFFSET, STATUS_KERNEL)
        self._lent.discard(index)

    def _status(self, index):
        return struct.unpack_from("=I", self._memory, index * self.block_size + STATUS_OFFSET)[0]

    def close(self):
        self._memory.close()
        self._socket.close()


class Daemon:
    """Serves the rings, one for each fanout index, until the context ends. Then the socket file stays, as with a
    daemon that was killed, unless `unlink` is called.

    `greets` and `passes` may be switched off; `counters` is what it tells behind each ring, or None.
    """

    def __init__(self, path, rings, geometry=None, greets=True, passes=True, counters=(0, 0)):
        self.path, self.rings = str(path), rings
        self._geometry = geometry or (len(rings), rings[0].block_size, rings[0].blocks)
        self._greets, self._passes, self._counters = greets, passes, counters
        self._clients, self._strangers, self._listener = {}, [], None
        self._is_over, self._lock = threading.Event(), threading.Lock()
        self.errors = []

    def __enter__(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(16)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        for connection in [self._listener, *self._clients.values(), *self._strangers]:
            connection.close()
        assert not self.errors, self.errors

    # What a test has it do

    def say(self, index, octets):
        """Octets of the test's own to the client of this index."""
        with self._lock:
            self._clients[index].sendall(octets)

    def serves(self, index):
        with self._lock:
            return index in self._clients

    # The thread

    def _run(self):
        try:
            while not self._is_over.is_set():
                with self._lock:
                    self._take_messages()
                    self._hand_over()
                time.sleep(0.002)
        except Exception as error:  # a test that goes on without a daemon would only wait
            self.errors.append(error)
            raise

    def _take_messages(self):
        names = {connection: index for index, connection in self._clients.items()}
        ready, _, _ = select.select([self._listener, *names], [], [], 0)
        for connection in ready:
            if connection is self._listener:
                self._greet(connection.accept()[0])
            else:
                self._take_back(names[connection], connection)

    def _greet(self, connection):
        connection.settimeout(1)
        if self._greets:
            connection.sendall(greeting(*self._geometry))
        if not self._greets or not self._passes:
            self._strangers.append(connection)
            return
        asked = b""
        with contextlib.suppress(OSError):
            asked = connection.recv(INDEX_TLV_OCTETS, socket.MSG_WAITALL)
        index = int.from_bytes(asked[4:], "big")
        if len(asked) < INDEX_TLV_OCTETS or index >= len(self.rings):
            connection.close()  # who only wanted to know the geometry, or what there is not
            return
        with contextlib.suppress(OSError):
            socket.send_fds(connection, [b"\0"], [self.rings[index].descriptor])
            if self._counters is not None:
                connection.sendall(kernel_counters(*self._counters))
        self._clients[index] = connection

    def _take_back(self, index, connection):
        octets = b""
        with contextlib.suppress(OSError):
            octets = connection.recv(4096)
        for place in range(0, len(octets), 4):
            self.rings[index].release(int.from_bytes(octets[place:place + 4], "big"))
        if not octets:
            self._clients.pop(index).close()

    def _hand_over(self):
        for index, ring in enumerate(self.rings):
            if index not in self._clients and isinstance(ring, PictureRing):
                continue  # a test's blocks wait for somebody
            for block in ring.take_ready():
                if index in self._clients:
                    with contextlib.suppress(OSError):
                        self._clients[index].sendall(struct.pack(">I", block))
                else:
                    ring.release(block)
