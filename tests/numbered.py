"""Packets that carry a number, so that a reader can tell which of them it saw, how often and in which order."""

import struct
import tempfile
from pathlib import Path

import captures
import namespaces
import packets
from load import Sender

FIRST_PORT = 1024
PORTS = 50_000
_NUMBER = struct.Struct(">Q")
_PORT = struct.Struct(">H")
_NUMBER_AT = 42  # behind Ethernet, IPv4 and UDP
_PORT_AT = 34


def frames(count, first=0, octets=60, vlan_id=None):
    """`count` UDP packets of as many flows (up to PORTS), numbered from `first`; their frames have `octets`."""
    network = packets.ipv4("10.1.1.1", "192.0.2.1", packets.udp(0, 53, bytes(octets - _NUMBER_AT)))
    if vlan_id is not None:
        network = packets.vlan(network, vlan_id)
    frame = bytearray(packets.ethernet(network, minimum=60))
    shift = 0 if vlan_id is None else 4
    for number in range(first, first + count):
        _PORT.pack_into(frame, _PORT_AT + shift, FIRST_PORT + number % PORTS)
        _NUMBER.pack_into(frame, _NUMBER_AT + shift, number)
        yield bytes(frame)


def number_in(memory, frame_at):
    """Of a frame without a tag: the kernel takes it off."""
    return _NUMBER.unpack_from(memory, frame_at + _NUMBER_AT)[0]


def is_run(numbers):
    """One after the other, none twice."""
    return list(numbers) == list(range(numbers[0], numbers[0] + len(numbers)))


class Numbered:
    """Sends numbered packets onto a wire; `sent` is how many there were, which is the next number too."""

    def __init__(self, wire):
        self.wire, self._socket = wire, None
        self.sent = 0

    def send(self, count, **options):
        """At once."""
        self._socket = self._socket or self.wire.network.frame_socket(self.wire.uplink)
        for frame in frames(count, self.sent, **options):
            namespaces.send_frame(self._socket, frame)
        self.sent += count

    def reconnect(self):
        """Behind `remove` and `connect` of the wire."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def sending(self, count, rate, **options):
        """The same by a process of its own, at so many packets a second. It need not be done at the end."""
        return _Sending(self, count, rate, **options)


class _Sending:
    def __init__(self, numbered, count, rate, **options):
        self._numbered, self._first, self._count = numbered, numbered.sent, count
        self._capture = tempfile.NamedTemporaryFile(suffix=".pcap")
        records = (captures.Captured(place, frame, len(frame))
                   for place, frame in enumerate(frames(count, self._first, **options)))
        Path(self._capture.name).write_bytes(captures.pcap(records))
        self._sender = Sender(numbered.wire, "--read", self._capture.name, "--rate", rate)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._sender.__exit__()
        self._capture.close()

    def is_running(self):
        return self._sender.is_running()

    def wait(self):
        """The number behind the last one that was sent."""
        return self._account(self._sender.wait())

    def stop(self):
        return self._account(self._sender.stop())

    def _account(self, totals):
        assert totals["packets"] <= self._count
        self._numbered.sent = self._first + totals["packets"]
        return self._numbered.sent
