"""A wire of its own for a test: two fresh network namespaces, joined by a veth pair on which nobody else speaks.

clerk runs in the namespace `probe` and watches the interface `watched`; the test sends whole frames onto the other
end, `uplink` in the namespace `network`. The kernel itself is silent there: IPv6 is off, ARP is off, and neither end
has an address. So what `watched` received is what was sent, to the packet.
"""

import contextlib
import ctypes
import errno
import itertools
import os
import socket
import subprocess
import time
from typing import NamedTuple

import pytest

import flow_model
import traffic

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
NOT_PERMITTED = "NETWORK NAMESPACES CANNOT BE MADE HERE: %s"
PATIENCE_S = 20

_numbers = itertools.count()


class Namespace:
    """A network namespace that `ip netns` knows, with its loopback interface up."""

    def __init__(self, purpose):
        self.name = "clerk-%s-%d-%d" % (purpose, os.getpid(), next(_numbers))
        ip("netns", "add", self.name)
        try:
            with self.entered():
                _write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1")
                _write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
            self.ip("link", "set", "lo", "up")
        except BaseException:
            self.delete()
            raise

    def delete(self):
        ip("netns", "delete", self.name)

    def command(self, *words):
        """The words that run a command inside; the process that they start becomes the command's."""
        return ["ip", "netns", "exec", self.name, *map(str, words)]

    def ip(self, *words):
        ip("-n", self.name, *words)

    def output(self, *words):
        """What a command that succeeds prints."""
        return subprocess.run(self.command(*words), check=True, capture_output=True, timeout=PATIENCE_S).stdout.decode()

    @contextlib.contextmanager
    def entered(self):
        """This thread, the sockets it makes and the processes it starts belong to the namespace."""
        with open("/proc/thread-self/ns/net") as home, open("/run/netns/" + self.name) as inside:
            _set_namespace(inside)
            try:
                yield
            finally:
                _set_namespace(home)

    def counters(self, interface):
        """What the interface counted so far: packets and octets received, packets and octets sent."""
        with self.entered(), open("/proc/thread-self/net/dev") as table:
            for line in table:
                name, _, numbers = line.partition(":")
                if name.strip() == interface:
                    columns = list(map(int, numbers.split()))
                    return Counters(columns[1], columns[0], columns[9], columns[8])
        raise LookupError("%s: no interface %s" % (self.name, interface))

    def frame_socket(self, interface):
        """A socket that sends whole frames and hears nothing. It lives as long as the interface."""
        with self.entered():
            frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            frames.bind((interface, 0))
        return frames


class Counters(NamedTuple):
    received_packets: int
    received_octets: int
    sent_packets: int
    sent_octets: int


class Sent(NamedTuple):
    """A packet that the kernel accepted, and the wall clock's times just before and after that."""

    packet: flow_model.Packet
    before_ns: int
    after_ns: int


class Wire:
    """One veth pair between two namespaces. `sent` holds everything that `send` has put onto it."""

    def __init__(self, probe, network, watched="watched", uplink="uplink"):
        self.probe, self.network = probe, network
        self.watched, self.uplink = watched, uplink
        self.sent = []
        self._frames = None

    def connect(self, mtu=1500):
        """Makes the pair, also after `remove`: then the interfaces are new ones with the old names."""
        ip("link", "add", self.watched, "netns", self.probe.name, "mtu", mtu, "arp", "off", "type", "veth",
           "peer", "name", self.uplink, "netns", self.network.name, "mtu", mtu, "arp", "off")
        self.network.ip("link", "set", self.uplink, "up")
        self.raise_watched()

    def raise_watched(self):
        """Until the uplink sends. While its end has no queue yet the kernel drops packets without a word."""
        self.probe.ip("link", "set", self.watched, "up")
        deadline = time.monotonic() + PATIENCE_S
        while b" state UP " not in ip("-n", self.network.name, "-o", "link", "show", self.uplink):
            assert time.monotonic() < deadline, "the wire does not come up"
        # The state comes just before the queue, but a change of any link waits until both are there.
        self.network.ip("link", "set", self.uplink, "up")

    def lower_watched(self):
        self.probe.ip("link", "set", self.watched, "down")

    def remove(self):
        """Both ends go."""
        self.probe.ip("link", "delete", self.watched)
        self._frames = None

    def send(self, described, frame_of=traffic.frame_of, gap_s=0):
        """Puts the packets onto the wire, in their order but not in their time: at once, or `gap_s` apart."""
        self._frames = self._frames or self.network.frame_socket(self.uplink)
        return self.send_through(self._frames, described, frame_of, gap_s)

    def send_through(self, frames, described, frame_of=traffic.frame_of, gap_s=0):
        """The same on a socket of the caller's."""
        ready = [(packet, frame_of(packet)) for packet in described]
        sent = []
        for packet, frame in ready:
            sent.append(Sent(packet, *send_frame(frames, frame)))
            if gap_s:
                time.sleep(gap_s)
        self.sent += sent
        return sent

    def assert_quiet(self):
        """The watched end received what was sent since it exists, nothing less and nothing else."""
        assert self.probe.counters(self.watched).received_packets == len(self.sent)


def send_frame(frames, frame):
    """Until the kernel accepts it: while the other end's queue is full it says ENOBUFS.

    Gives the wall clock's times just before and after that.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        before_ns = time.time_ns()
        try:
            frames.send(frame)
            return before_ns, time.time_ns()
        except OSError as error:
            if error.errno != errno.ENOBUFS or time.monotonic() > deadline:
                raise


@contextlib.contextmanager
def two_namespaces():
    """probe and network, deleted at the end. Skips the test where they cannot be made."""
    with contextlib.ExitStack() as stack:
        made = []
        for purpose in ("probe", "network"):
            try:
                made.append(Namespace(purpose))
            except (OSError, subprocess.CalledProcessError) as error:
                pytest.skip(NOT_PERMITTED % _reason(error))
            stack.callback(made[-1].delete)
        yield made


@contextlib.contextmanager
def connected_wire():
    with two_namespaces() as (probe, network):
        wire = Wire(probe, network)
        wire.connect()
        yield wire


def ip(*words):
    """What it prints."""
    return subprocess.run(["ip", *map(str, words)], check=True, capture_output=True, timeout=PATIENCE_S).stdout


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)


def _set_namespace(file):
    if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns: " + os.strerror(ctypes.get_errno()))


def _reason(error):
    if isinstance(error, subprocess.CalledProcessError):
        return error.stderr.decode(errors="replace").strip()
    return str(error)
