"""Messages fit the path: shorter than 1400 octets where the MTU is smaller, never longer where it is larger.

The small path is the loopback interface of a network namespace of its own, so it needs root.
"""

import contextlib
import ctypes
import os
import subprocess

import pytest

import clerk_runner
import ipfix_reader
import traffic
from collectors import UdpReceiver, wait_until

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
IPV4_AND_UDP_HEADERS, IPV6_AND_UDP_HEADERS = 28, 48
MESSAGE_AND_SET_HEADERS, IPV4_RECORD = 20, 60


@contextlib.contextmanager
def network_of_its_own(mtu):
    """This thread, and what it starts, live in a new namespace with nothing but a loopback interface."""
    with open("/proc/thread-self/ns/net") as home:
        if LIBC.unshare(CLONE_NEWNET) != 0:
            pytest.skip("NETWORK NAMESPACES CANNOT BE MADE HERE: %s" % os.strerror(ctypes.get_errno()))
        try:
            subprocess.run(["ip", "link", "set", "lo", "up", "mtu", str(mtu)], check=True)
            yield
        finally:
            assert LIBC.setns(home.fileno(), CLONE_NEWNET) == 0


def messages_over(tmp_path, host, mtu):
    flows = [traffic.packet_of(traffic.udp_key(number), number * 1e-6) for number in range(1, 501)]
    capture = traffic.write_capture(tmp_path / "x.pcap", flows)
    with network_of_its_own(mtu), UdpReceiver(host.strip("[]")) as receiver:
        run = clerk_runner.read_capture("--read", capture, "--collector", "%s:%d" % (host, receiver.port))
        messages = ipfix_reader.read_datagrams(receiver.datagrams())
    assert len(ipfix_reader.flow_records(messages)) == run.counts["records_exported"] == 500
    assert run.counts["send_errors"] == 0
    return messages


def test_messages_shrink_to_a_small_ipv4_path(tmp_path):
    messages = messages_over(tmp_path, "127.0.0.1", 1000)
    room = 1000 - IPV4_AND_UDP_HEADERS
    assert max(len(message.octets) for message in messages) <= room
    full = (room - MESSAGE_AND_SET_HEADERS) // IPV4_RECORD
    assert [len(message.records) for message in messages if message.records] == [full] * (500 // full) + [500 % full]


def test_messages_shrink_to_a_small_ipv6_path(tmp_path):
    messages = messages_over(tmp_path, "[::1]", 1300)
    assert max(len(message.octets) for message in messages) <= 1300 - IPV6_AND_UDP_HEADERS


def test_messages_shrink_when_the_path_does_during_a_session(tmp_path):
    seconds = [[traffic.packet_of(traffic.udp_key(second + number), second + number * 1e-6)
                for number in range(1, 101)] for second in (0, 100, 200)]
    capture = traffic.write_capture(tmp_path / "x.pcap", [packet for second in seconds for packet in second])
    octets = capture.read_bytes()
    cut = len(octets) * 2 // 3 + 300  # a packet of the third second: the flows of the first two are due
    with network_of_its_own(1500), UdpReceiver("127.0.0.1") as receiver:
        process = clerk_runner.start_clerk("--read", "-", "--collector", "127.0.0.1:%d" % receiver.port)
        process.stdin.write(octets[:cut])
        process.stdin.flush()
        wait_until(lambda: len(receiver.arrivals) > 8, "the messages of two seconds")
        subprocess.run(["ip", "link", "set", "lo", "mtu", "600"], check=True)
        process.stdin.write(octets[cut:])
        stdout, stderr = process.communicate(timeout=clerk_runner.PATIENCE_S)
        run = clerk_runner.finished(process.returncode, stdout, stderr.decode())
        sizes = [len(message.octets) for message in ipfix_reader.read_datagrams(receiver.datagrams())]
    assert run.counts["send_errors"] == 0
    assert max(sizes) > 1300, sizes
    assert max(sizes[-8:]) <= 600 - IPV4_AND_UDP_HEADERS, sizes


def test_messages_do_not_grow_with_a_large_path(tmp_path):
    messages = messages_over(tmp_path, "127.0.0.1", 9000)
    assert 1300 < max(len(message.octets) for message in messages) <= 1400
