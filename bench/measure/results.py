"""Where and when a table was measured, and bench/RESULTS.md, which keeps the last one."""

import datetime
import os
import pathlib
import platform
import re
import subprocess

RESULTS = pathlib.Path(__file__).resolve().parent.parent / "RESULTS.md"

EXPLANATION = """\
Figures are CPU time (user and system) of the whole process for each packet, the median of the rounds; the remark begins
with the lowest and the highest. Ratios are to `roofline prefetch` on the same trace, or live to `ring_reader prefetch`,
taken within each round, and then their median. Offline clerk exports over UDP to a collector on the same
host, unpaced (`--udp_records_per_second 0`). RssAnon is the highest seen. Totals were exact in every run.
[README.md](README.md) says what each program is and how to run this."""


def machine(settings):
    """Lines that say what was measured, and on what."""
    return [
        "%d packets a trace, %d rounds, %d with peers; live %d rounds of %d s; a flood of %d packets" % (
            settings.packets, settings.rounds, min(settings.rounds, settings.peer_rounds), settings.live_rounds,
            settings.live_seconds, settings.flood_packets),
        "Machine: %s, %d CPUs, %.0f GiB of memory" % (_processor(), os.cpu_count(), _memory_gib()),
        "Kernel: %s %s" % (platform.system(), platform.release()),
        "Compiler: %s" % _compiler(settings),
        "Date: %s, commit %s" % (datetime.date.today().isoformat(), _commit()),
    ]


def write(settings, table):
    lines = "\n".join("- " + line for line in machine(settings))
    RESULTS.write_text("# The last run of `make bench`\n\n%s\n\n%s\n\n%s\n" % (lines, table.markdown(), EXPLANATION))


def _processor():
    return _first_match(r"model name\s*: (.*)", "/proc/cpuinfo", platform.machine())


def _memory_gib():
    return int(_first_match(r"MemTotal:\s*(\d+)", "/proc/meminfo", "0")) / 2**20


def _compiler(settings):
    """Which one the build under measurement was made with, and how."""
    cache = settings.build / "CMakeCache.txt"
    compiler = _first_match(r"^CMAKE_CXX_COMPILER:\w+=(.*)", cache, "c++")
    kind = _first_match(r"^CMAKE_BUILD_TYPE:\w+=(.*)", cache, "")
    flags = _first_match(r"^CMAKE_CXX_FLAGS_%s:\w+=(.*)" % kind.upper(), cache, "")
    version = _output(compiler, "--version").splitlines() or [compiler]
    return ", ".join(filter(None, (version[0], kind, flags)))


def _commit():
    return _output("git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty").strip() or "unknown"


def _output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _first_match(pattern, path, default):
    try:
        found = re.search(pattern, pathlib.Path(path).read_text(), re.M)
    except OSError:
        found = None
    return found[1] if found else default
