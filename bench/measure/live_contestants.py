"""Who counts the packets of an interface: the bare ring reader, clerk in two ways, and a peer.

`measure` has packets injected while one of them counts, and gives a LiveFigure. Packets for which there was no room are
part of the result, but what was counted and what was dropped must be what was injected.
"""

import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass

import totals
from collector import Collector
from contestants import UNPACED
from processes import Program, WrongTotals, run
from wire import WATCHED, NotPermitted

FLOWS = 1 << 18

# Of all of them, as clerk has it by default.
RING_MIB = 64

PATIENCE_SECONDS = 20


@dataclass
class LiveFigure:
    cpu_ns: float  # a packet that was counted
    injected: int
    lost: int
    packets_per_second: float
    anonymous_mib: float
    core_share: float = 0  # of the daemon, where there is one
    remark: str = ""


class RingReader:
    name = "ring_reader prefetch"

    def is_there(self):
        return True

    def measure(self, settings, wire):
        with Program(wire.command(settings.programs / "ring_reader", "--interface", WATCHED, "--flows", FLOWS,
                                  "--ring_mib", RING_MIB)) as reader:
            reader.wait_for("reading")
            injected = _inject(settings, wire)
            done = reader.stop()
        report = json.loads(done.stdout.splitlines()[-1])
        _require_sum(self.name, injected, report["packets"], report["drops"])
        totals.require(self.name, [("octets", report["octets"] * injected["packets"],
                                    injected["octets"] * report["packets"])])
        return LiveFigure(report["cpu_ns_per_packet"], injected["packets"], report["drops"], injected["pps"],
                          done.anonymous_mib)


class Clerk:
    """With a ring of its own, one thread, and a collector in the same namespace."""

    name = "clerk --interface"

    def is_there(self):
        return True

    def measure(self, settings, wire):
        with _collected_clerk(settings, wire, "--interface", WATCHED, "--threads", 1, "--ring_mib",
                              RING_MIB) as (clerk, collector):
            clerk.wait_for("capturing with")
            injected = _inject(settings, wire)
            return _figure_of_clerk(self.name, injected, clerk.stop(), collector.stop())


class TestimonyClerk:
    """Behind testimonyd, whose own time is told as its share of a core while packets come."""

    name = "clerk --testimony"

    def is_there(self):
        return True

    def measure(self, settings, wire):
        with _daemon(settings, wire) as daemon, \
             _collected_clerk(settings, wire, "--testimony", daemon.socket) as (clerk, collector):
            clerk.wait_for("reading 1 of 1 indexes")
            before, begin = daemon.program.cpu_seconds(), time.monotonic()
            injected = _inject(settings, wire)
            share = (daemon.program.cpu_seconds() - before) / (time.monotonic() - begin)
            daemon.wait_until_told(injected["packets"])
            figure = _figure_of_clerk(self.name, injected, clerk.stop(), collector.stop())
            daemon.program.stop()
        figure.core_share = share
        return figure


class Softflowd:
    """With its defaults: it exports nearly each packet, for it holds 8192 flows. What it lost the collector knows."""

    name = "softflowd"

    # Until it captures, and until it has read what was captured.
    PAUSE_SECONDS = 1.5

    def is_there(self):
        return shutil.which("softflowd") is not None

    def measure(self, settings, wire):
        with Collector(settings.programs, wire.prefix) as collector, tempfile.TemporaryDirectory() as folder, \
             Program(wire.command("softflowd", "-d", "-i", WATCHED, "-n", collector.destination(), "-v", "10",
                                  "-p", folder + "/pid", "-c", folder + "/control")) as softflowd:
            _wait_until(pathlib.Path(folder, "control").exists, "softflowd to start")
            time.sleep(self.PAUSE_SECONDS)
            injected = _inject(settings, wire)
            time.sleep(self.PAUSE_SECONDS)
            # The way on which it exports what it holds. Its status is 1 then.
            subprocess.run(["softflowctl", "-c", folder + "/control", "shutdown"], check=True, capture_output=True)
            done, collected = softflowd.wait(expect=1), collector.stop()
        counted = collected["packets"]
        remark = "" if not collected["socket_drops"] else "%d datagrams not received" % collected["socket_drops"]
        return LiveFigure(done.cpu_ns(max(counted, 1)), injected["packets"], injected["packets"] - counted,
                          injected["pps"], done.anonymous_mib, remark=remark)


class _Daemon:
    def __init__(self, program, folder):
        self.program, self.socket, self._stats = program, folder / "testimony.sock", folder / "stats.sock"

    def wait_until_told(self, packets):
        """The daemon has seen all packets and has all blocks back, and its client knows what was dropped."""
        _wait_until(lambda: self._ring()["packets"] >= packets and not self._ring()["blocks_held"],
                    "testimonyd to have seen %d packets" % packets)
        time.sleep(2.2)  # it tells each second

    def _ring(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as inquiry:
            inquiry.connect(str(self._stats))
            octets = b"".join(iter(lambda: inquiry.recv(65536), b""))
        return json.loads(octets)["sockets"][0]["rings"][0]


@contextlib.contextmanager
def _daemon(settings, wire):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        config = folder / "testimony.conf"
        config.write_text(json.dumps([{"SocketName": name + "/testimony.sock", "Interface": WATCHED,
                                       "BlockSize": 1 << 20, "NumBlocks": RING_MIB, "BlockTimeoutMillis": 40}]))
        with Program(wire.command(settings.programs / "testimonyd", "--config", config, "--stats_socket",
                                  folder / "stats.sock")) as program:
            program.wait_for("serving 1 socket")
            yield _Daemon(program, folder)


@contextlib.contextmanager
def _collected_clerk(settings, wire, *flags):
    with Collector(settings.programs, wire.prefix) as collector:
        with Program(wire.command(settings.programs / "clerk", "--collector", collector.destination(), *UNPACED,
                                  *flags, *settings.clerk_flags)) as clerk:
            yield clerk, collector


def permitted(settings, wire):
    """NotPermitted where no frames can be injected."""
    try:
        run(_injection(settings, wire, "--packets", 1))
    except WrongTotals as error:
        raise NotPermitted(str(error)) from error


def _inject(settings, wire):
    return json.loads(run(_injection(settings, wire, "--seconds", settings.live_seconds)).stdout)


def _injection(settings, wire, *end):
    return wire.command(settings.programs / "injector", "--interface", WATCHED, "--flows", FLOWS, *end)


def _figure_of_clerk(name, injected, done, collected):
    """Packets that came while all its tables were waiting for the ledger it has ignored, and they are lost too."""
    counts = totals.final_counts(done.stderr)
    ignored, missed = counts.get("ignored_lack_of_resources", 0), counts.get("blocks_missed", 0)
    counted = counts["packets_received"] - ignored
    if missed == 0:
        _require_sum(name, injected, counted, counts["packets_dropped"] + ignored)
    octets = injected["octets"] // injected["packets"] * counted
    totals.require_of_clerk(name, counts, counted, octets)
    totals.require_of_collector(name, collected, counts)
    return LiveFigure(done.cpu_ns(max(counted, 1)), injected["packets"], injected["packets"] - counted,
                      injected["pps"], done.anonymous_mib, remark=_named_losses(ignored, missed))


def _named_losses(ignored, missed):
    told = ["%d ignored for lack of resources" % ignored] * bool(ignored) + ["%d blocks missed" % missed] * bool(missed)
    return ", ".join(told)


def _require_sum(name, injected, counted, dropped):
    totals.require(name, [("counted %d and dropped %d, together" % (counted, dropped), counted + dropped,
                           injected["packets"])])


def _wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise WrongTotals("waited in vain for " + what)
        time.sleep(0.02)
