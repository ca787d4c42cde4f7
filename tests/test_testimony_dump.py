"""testimony-dump as its users know it, before a daemon that this test plays: lines, pcap files, counts, signals, ends."""

import array
import contextlib
import os
import pty
import signal
import socket
import struct
import subprocess
import time

import pytest

import captures
import clerk_runner
import packets

DUMP = clerk_runner.BUILD / "bin" / "testimony-dump"
PATIENCE_S = 60

BLOCK_OCTETS = 4096
BLOCKS = 4
TIME_NS = 1_700_000_000_000_000_007

USER = 1
VLAN_VALID = 1 << 4

FRAME = packets.ethernet(packets.ipv4("192.0.2.1", "198.51.100.2", packets.udp(1024, 53, b"x" * 40)))
LINE = "2023-11-14T22:13:20.00000000%dZ %d wire %d captured %d%s IPv4 192.0.2.1:1024 > 198.51.100.2:53 UDP"


def block(sequence, frames, *, vlan_tci=None, status=USER):
    """A TPACKET_V3 block, as the kernel lays it out; each frame is a nanosecond later than the one before."""
    body = b""
    for number, frame in enumerate(frames):
        octets = (82 + len(frame) + 7) // 8 * 8
        header = struct.pack("=6I2H4I", 0 if number == len(frames) - 1 else octets, TIME_NS // 10**9,
                             TIME_NS % 10**9 + number, len(frame), len(frame),
                             0 if vlan_tci is None else VLAN_VALID, 82, 96, 0, vlan_tci or 0, 0, 0)
        address = struct.pack("=HHiHBB8x", socket.AF_PACKET, socket.htons(0x0800), 1, 1, 0, 6)
        body += ((header + address).ljust(82, b"\0") + frame).ljust(octets, b"\0")
    description = struct.pack("=6IQ16x", 2, 48, status, len(frames), 48, 48 + len(body), sequence)
    return (description + body).ljust(BLOCK_OCTETS, b"\0")


def tlv(kind, value=b""):
    return struct.pack(">HH", kind, len(value)) + value


class Daemon:
    """Serves one connection for each part of the ring, besides those that only ask for the geometry."""

    def __init__(self, path, parts=1):
        self.parts = parts
        self.rings = [os.memfd_create("ring") for _ in range(parts)]
        for ring in self.rings:
            os.ftruncate(ring, BLOCK_OCTETS * BLOCKS)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(8)
        self.listener.settimeout(PATIENCE_S)
        self.clients = {}

    def serve(self, wanted=None):
        """Until each wanted part has its client."""
        while len(self.clients) < (wanted or self.parts):
            client = self.listener.accept()[0]
            client.settimeout(PATIENCE_S)
            client.sendall(b"\x02" + b"".join(tlv(kind, struct.pack(">I", value)) for kind, value in
                                              ((0x8003, self.parts), (0x8004, BLOCK_OCTETS), (0x8005, BLOCKS)))
                           + tlv(0x8002))
            answer = client.recv(8, socket.MSG_WAITALL)
            if not answer:
                client.close()
                continue
            kind, length, part = struct.unpack(">HHI", answer)
            assert (kind, length) == (0xC007, 4)
            client.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [self.rings[part]]))])
            self.clients[part] = client

    def deliver(self, index, content, part=0):
        os.pwrite(self.rings[part], content, index * BLOCK_OCTETS)
        self.clients[part].sendall(struct.pack(">I", index))

    def take_back(self, part=0):
        return struct.unpack(">I", self.clients[part].recv(4, socket.MSG_WAITALL))[0]

    def close(self):
        for client in self.clients.values():
            client.close()
        self.listener.close()
        for ring in self.rings:
            os.close(ring)
        self.clients, self.rings = {}, []


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ring.sock"


@contextlib.contextmanager
def running(path, *arguments, parts=1, wanted=None):
    """A daemon and a testimony-dump that is connected to it."""
    daemon = Daemon(path, parts)
    process = subprocess.Popen([str(DUMP), str(path), *map(str, arguments)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    try:
        daemon.serve(wanted)
        yield daemon, process
    finally:
        daemon.close()
        process.kill()
        process.communicate()


def run(*arguments):
    return subprocess.run([str(DUMP), *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE_S)


def end_of(process, expect=0):
    """stdout, the counts, and what else is on stderr."""
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == expect, stderr
    lines = stderr.decode().splitlines()
    counts = [line for line in lines if line.startswith("packets=")]
    assert len(counts) == 1, lines
    return (stdout, {name: int(value) for name, value in (word.split("=") for word in counts[0].split())},
            [line for line in lines if line not in counts])


def line(number=0, part=0, *, vlan=None):
    return LINE % (7 + number, part, len(FRAME), len(FRAME), "" if vlan is None else " vlan %d" % vlan)


def test_a_line_for_each_packet(path):
    with running(path, "--count", 3) as (daemon, process):
        daemon.deliver(0, block(1, [FRAME, FRAME]))
        assert daemon.take_back() == 0
        daemon.deliver(1, block(2, [FRAME], vlan_tci=0x6007))
        stdout, counts, messages = end_of(process)
    assert stdout.decode().splitlines() == [line(0), line(1), line(0, vlan=7)]
    assert counts == {"packets": 3, "unreadable": 0, "blocks": 2, "stale": 0, "torn": 0, "missed": 0}
    assert messages == []


def test_a_count_is_exact(path):
    with running(path, "--count", 2) as (daemon, process):
        daemon.deliver(0, block(1, [FRAME] * 5))
        stdout, counts, _ = end_of(process)
    assert len(stdout.splitlines()) == 2 and counts["packets"] == 2


def test_lines_are_there_while_it_waits(path):
    with running(path) as (daemon, process):
        daemon.deliver(0, block(1, [FRAME]))
        assert process.stdout.readline().decode() == line() + "\n"
        process.send_signal(signal.SIGTERM)
        end_of(process)


def test_all_parts_or_one(path):
    with running(path, "--count", 2, parts=2) as (daemon, process):
        daemon.deliver(0, block(1, [FRAME]), part=1)
        assert daemon.take_back(1) == 0
        daemon.deliver(0, block(1, [FRAME]), part=0)
        stdout, counts, _ = end_of(process)
    assert stdout.decode().splitlines() == [line(part=1), line(part=0)] and counts["blocks"] == 2
    path.unlink()
    with running(path, "--index", 1, "--count", 1, parts=2, wanted=1) as (daemon, process):
        assert list(daemon.clients) == [1]
        daemon.deliver(0, block(1, [FRAME]), part=1)
        assert end_of(process)[0].decode().splitlines() == [line(part=1)]


@pytest.mark.parametrize("to_stdout", [False, True])
def test_a_pcap_file_has_the_packets_as_they_were_on_the_wire(path, tmp_path, to_stdout):
    file = tmp_path / "out.pcap"
    with running(path, "-w", "-" if to_stdout else file, "--count", 2) as (daemon, process):
        daemon.deliver(0, block(1, [FRAME]))
        assert daemon.take_back() == 0
        daemon.deliver(1, block(2, [FRAME], vlan_tci=0x6007))
        stdout, _, _ = end_of(process)
    tagged = FRAME[:12] + bytes.fromhex("81006007") + FRAME[12:]
    wanted = captures.pcap([captures.Captured(TIME_NS, FRAME), captures.Captured(TIME_NS, tagged)])
    written = stdout if to_stdout else file.read_bytes()
    assert written == wanted


def test_a_pcap_file_is_no_use_on_a_terminal(path):
    controller, terminal = pty.openpty()
    refused = subprocess.run([str(DUMP), str(path), "-w", "-"], stdout=terminal, stderr=subprocess.PIPE,
                             timeout=PATIENCE_S)
    os.close(controller)
    os.close(terminal)
    assert refused.returncode == 1 and b"terminal" in refused.stderr


def test_a_file_that_cannot_be_written(path, tmp_path):
    refused = run(path, "-w", tmp_path / "no" / "file")
    assert refused.returncode == 1 and "No such file or directory" in refused.stderr
    with running(path, "-w", "/dev/full") as (daemon, process):
        daemon.deliver(0, block(1, [FRAME]))
        assert "cannot be written" in end_of(process, expect=1)[2][0]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(path, tmp_path, signal_number):
    file = tmp_path / "out.pcap"
    with running(path, "-w", file) as (daemon, process):
        daemon.deliver(0, block(1, [FRAME]))
        assert daemon.take_back() == 0
        process.send_signal(signal_number)
        _, counts, messages = end_of(process)
    assert counts["packets"] == 1 and messages == []
    assert file.read_bytes() == captures.pcap([captures.Captured(TIME_NS, FRAME)])


def test_counts_tell_of_the_daemons_errors_and_the_kernels_drops(path):
    with running(path) as (daemon, process):
        daemon.deliver(0, block(1, [FRAME], status=0))
        assert daemon.take_back() == 0
        daemon.deliver(1, block(5, [FRAME]))
        assert daemon.take_back() == 1
        daemon.clients[0].sendall(tlv(0x8006, struct.pack(">QQ", 100, 7)))
        daemon.deliver(2, block(9, [FRAME]))
        assert daemon.take_back() == 2
        process.send_signal(signal.SIGTERM)
        _, counts, _ = end_of(process)
    assert counts == {"packets": 2, "unreadable": 0, "blocks": 2, "stale": 1, "torn": 0, "missed": 3, "drops": 7}


def test_the_end_of_the_daemon_is_an_error(path):
    with running(path) as (daemon, process):
        daemon.deliver(0, block(1, [FRAME]))
        assert daemon.take_back() == 0
        daemon.close()
        stdout, counts, messages = end_of(process, expect=1)
    assert stdout.decode().splitlines() == [line()] and counts["packets"] == 1
    assert len(messages) == 1 and messages[0].startswith("testimony-dump: %s: the daemon closed" % path)


def test_the_daemons_own_words_are_told(path):
    with running(path) as (daemon, process):
        daemon.clients[0].sendall(tlv(0xFFFF, b"the interface is gone"))
        assert "the interface is gone" in end_of(process, expect=1)[2][0]


def test_a_socket_that_is_not_there_is_not_waited_for(path):
    begin = time.monotonic()
    refused = run(path)
    assert time.monotonic() - begin < 5
    assert refused.returncode == 1 and refused.stdout == ""
    assert refused.stderr.startswith("testimony-dump: %s: there is no such socket" % path)


def test_a_part_that_there_is_not(path):
    daemon = Daemon(path)
    process = subprocess.Popen([str(DUMP), str(path), "--index", "3"], stderr=subprocess.PIPE)
    for _ in range(2):  # for the geometry, and for the part
        client = daemon.listener.accept()[0]
        client.sendall(b"\x02" + tlv(0x8003, b"\0\0\0\1") + tlv(0x8004, b"\0\0\x10\0") + tlv(0x8005, b"\0\0\0\4")
                       + tlv(0x8002))
        client.recv(1)
    _, stderr = process.communicate(timeout=PATIENCE_S)
    daemon.close()
    assert process.returncode == 1 and b"no part 3" in stderr


def test_usage():
    short = run()
    assert short.returncode == 2 and "Examples" in short.stderr and short.stdout == ""
    full = run("--help")
    assert full.returncode == 0 and "--count" in full.stdout and full.stderr == ""
    wrong = run("/x", "--count", "0")
    assert wrong.returncode == 2 and len(wrong.stderr.splitlines()) == 1 and "at least 1" in wrong.stderr
