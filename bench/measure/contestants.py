"""Who counts the packets of a trace: the roofline, clerk, and the peers that Debian has.

`measure` runs one of them over a trace and gives a Figure; WrongTotals when it did not count what is there. What a peer
counts is its own affair, and told when it is not everything.
"""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

import totals
from collector import Collector
from processes import run

# As fast as it goes: the collector's buffer is large enough to lose nothing.
UNPACED = ("--udp_records_per_second", "0")


@dataclass
class Figure:
    cpu_ns: float  # a packet
    wall_seconds: float
    anonymous_mib: float
    remark: str = ""


class Roofline:
    """Its own figure is taken: it counts all of the work, and not the check of the totals behind it."""

    def __init__(self, mode):
        self.mode = mode
        self.name = "roofline " + mode

    def measure(self, settings, trace):
        done = run([settings.programs / "roofline", "--read", trace.path, "--mode", self.mode,
                    "--flows", trace.one_way_flows])
        report = json.loads(done.stdout)
        totals.require_of_roofline(trace, report)
        return Figure(report["cpu_ns_per_packet"], done.wall_seconds, done.anonymous_mib)


class Clerk:
    """To a collector over UDP, with its defaults and the flags given."""

    def __init__(self, *flags):
        self.flags = flags
        self.name = " ".join(("clerk", *flags))

    def measure(self, settings, trace):
        with Collector(settings.programs) as collector:
            done = run([settings.programs / "clerk", "--read", trace.path, "--collector", collector.destination(),
                        *UNPACED, *self.flags, *settings.clerk_flags])
            collected = collector.stop()
        counts = totals.final_counts(done.stderr)
        subject = "%s: %s" % (trace.kind, self.name)
        totals.require_of_clerk(subject, counts, trace.packets, trace.ip_octets)
        totals.require(subject, [("clerk's packets_received", counts["packets_received"], trace.packets)])
        totals.require_of_collector(subject, collected, counts)
        totals.require_of_flows(subject, trace, collected["records"])
        return Figure(done.cpu_ns(trace.packets), done.wall_seconds, done.anonymous_mib,
                      "%d records" % collected["records"])


class Softflowd:
    """With its defaults, 8192 flows at once, to the same collector."""

    name = "softflowd"

    def is_there(self):
        return shutil.which("softflowd") is not None

    def measure(self, settings, trace):
        with Collector(settings.programs) as collector, tempfile.TemporaryDirectory() as folder:
            done = run(["softflowd", "-d", "-r", trace.path, "-n", collector.destination(), "-v", "10",
                        "-p", folder + "/pid", "-c", "none"])
            collected = collector.stop()
        return Figure(done.cpu_ns(trace.packets), done.wall_seconds, done.anonymous_mib,
                      _told_of(collected["packets"], trace))


class Nfpcapd:
    """Stores files in memory instead of sending: only nfcapd would understand what it sends."""

    name = "nfpcapd"

    def is_there(self):
        return shutil.which("nfpcapd") is not None and shutil.which("nfdump") is not None

    def measure(self, settings, trace):
        with tempfile.TemporaryDirectory(dir=trace.path.parent) as folder:
            done = run(["nfpcapd", "-r", trace.path, "-w", folder])
            stored = self._stored_packets(folder)
        return Figure(done.cpu_ns(trace.packets), done.wall_seconds, done.anonymous_mib,
                      "stores files; " + _told_of(stored, trace))

    @staticmethod
    def _stored_packets(folder):
        told = subprocess.run(["nfdump", "-R", folder, "-I"], capture_output=True, text=True, check=True).stdout
        return sum(map(int, re.findall(r"^Packets: (\d+)", told, re.M)))


def peers():
    """Those that are installed."""
    return [peer for peer in (Softflowd(), Nfpcapd()) if peer.is_there()]


def _told_of(packets, trace):
    return "told of all packets" if packets == trace.packets else "told of %.1f %% of the packets" % (
        100 * packets / trace.packets)
