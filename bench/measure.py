"""Runs a probe over the traces that bench/run made, with bench/collector.cc at the other end.

CPU time is user and system time of the probe's process, its send path included and the collector
not. A row is the median of the runs. Totals must be exact in every run: what the trace holds, what
clerk says and what the collector received are compared, and any difference is an error.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

KINDS = ("mix", "scan", "elephants")

# CPU nanoseconds a packet that clerk must not exceed.
GOALS_NS = {"mix": 120}

# No run takes this long, even with sanitizers: a probe that hangs is ended and fails.
RUN_SECONDS_MAX = 240

# More than clerk holds for any of the traces. See warm_memory().
WARM_OCTETS = 512 << 20

# Often enough to see the peak within a few MiB, rarely enough to cost nothing.
SAMPLE_SECONDS = 0.01


class WrongTotals(Exception):
    pass


@dataclass
class Run:
    cpu_seconds: float
    wall_seconds: float
    anonymous_mib: float
    stderr: str
    collected: dict


class Collector:
    """udp_collector as a context: its port while it runs, its counts from stop()."""

    def __init__(self, binary):
        self.process = subprocess.Popen([binary], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return json.loads(self.process.communicate(timeout=60)[0])


def warm_memory():
    """A virtual machine's first touch of a page is many times as dear as later ones: pay it now."""
    page_octets = os.sysconf("SC_PAGE_SIZE")
    pages = bytearray(WARM_OCTETS)
    pages[::page_octets] = b"\1" * (WARM_OCTETS // page_octets)


def anonymous_kib(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(lines[0].split()[1]) if lines else 0


def wait_and_sample(process, deadline):
    """Returns what wait4() says of the process, and its highest RssAnon seen, in KiB."""
    peak_kib = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid != 0:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage, peak_kib
        if time.monotonic() > deadline:
            process.kill()
        peak_kib = max(peak_kib, anonymous_kib(process.pid))
        time.sleep(SAMPLE_SECONDS)


def run_probe(binaries, command_for):
    collector_binary = binaries / "udp_collector"
    with Collector(collector_binary) as collector, tempfile.TemporaryFile("w+") as stderr:
        command = [str(word) for word in command_for(collector.port)]
        begin = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        usage, peak_kib = wait_and_sample(process, begin + RUN_SECONDS_MAX)
        wall_seconds = time.monotonic() - begin
        stderr.seek(0)
        messages = stderr.read()
        if process.returncode != 0:
            words = " ".join(command)
            raise WrongTotals(f"{words}: exit status {process.returncode}\n{messages[-2000:]}")
        return Run(
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            wall_seconds=wall_seconds,
            anonymous_mib=peak_kib / 1024,
            stderr=messages,
            collected=collector.stop(),
        )


def final_counts(stderr):
    """clerk's last line of name=value pairs."""
    lines = [line for line in stderr.splitlines() if "packets_exported=" in line]
    if not lines:
        raise WrongTotals(f"no final counts on stderr:\n{stderr[-2000:]}")
    pairs = (word.split("=", 1) for word in lines[-1].split() if "=" in word)
    return {name: int(value) for name, value in pairs if value.isdecimal()}


def check_totals(kind, trace, run):
    clerk = final_counts(run.stderr)
    collected = run.collected
    expected = [
        ("clerk's packets_received", clerk.get("packets_received"), trace["packets"]),
        ("clerk's packets_metered", clerk.get("packets_metered"), trace["packets"]),
        ("clerk's packets_exported", clerk.get("packets_exported"), trace["packets"]),
        ("the collector's packets", collected["packets"], trace["packets"]),
        ("clerk's octets_exported", clerk.get("octets_exported"), trace["ip_octets"]),
        ("the collector's octets", collected["octets"], trace["ip_octets"]),
        ("the collector's records", collected["records"], clerk.get("records_exported")),
        ("clerk's send_errors", clerk.get("send_errors"), 0),
    ]
    faults = ("sequence_errors", "records_missing", "unknown_sets", "malformed", "socket_drops")
    expected += [(f"the collector's {fault}", collected[fault], 0) for fault in faults]
    if kind == "scan":
        expected.append(("records of a scan", collected["records"], trace["one_way_flows"]))
    wrong = [f"{what}: {got}, not {want}" for what, got, want in expected if got != want]
    if collected["records"] < trace["one_way_flows"]:
        flows = trace["one_way_flows"]
        wrong.append(f"records: {collected['records']}, fewer than the {flows} flows")
    if wrong:
        raise WrongTotals("\n".join(f"{kind}: {line}" for line in wrong))


def clerk_command(options, trace):
    def command(port):
        return [options.bin / "clerk", "--read", trace, "--collector", f"127.0.0.1:{port}",
                "--udp_records_per_second", "0", *options.clerk_flags]
    return command


def softflowd_command(trace, pid_file):
    def command(port):
        return ["softflowd", "-d", "-r", trace, "-n", f"127.0.0.1:{port}", "-v", "10",
                "-p", pid_file, "-c", "none"]
    return command


def print_row(kind, probe, trace, runs):
    nanoseconds = [run.cpu_seconds * 1e9 / trace["packets"] for run in runs]
    median = statistics.median(nanoseconds)
    goal = GOALS_NS.get(kind) if probe == "clerk" else None
    verdict = "" if goal is None else f"{goal} {'reached' if median <= goal else 'MISSED'}"
    spread = f"{min(nanoseconds):.0f}-{max(nanoseconds):.0f}"
    print(f"{kind:<10} {probe:<10} {median:>13.1f} {spread:>11} {verdict:>12} "
          f"{statistics.median(run.wall_seconds for run in runs):>7.2f} "
          f"{max(run.anonymous_mib for run in runs):>12.1f} {runs[-1].collected['records']:>9}",
          flush=True)


def print_header(options, traces):
    print(f"{traces['mix']['packets']:,} packets a trace, from {options.traces.parent}; "
          f"median of {options.runs}; --udp_records_per_second 0")
    print(f"{'trace':<10} {'probe':<10} {'CPU ns/packet':>13} {'lowest-high':>11} {'goal':>12} "
          f"{'wall s':>7} {'RssAnon MiB':>12} {'records':>9}")


def measure_clerk(options, kind, trace):
    runs = []
    for _ in range(options.runs):
        if not options.totals_only:
            warm_memory()
        runs.append(run_probe(options.bin, clerk_command(options, options.traces / f"{kind}.pcap")))
        check_totals(kind, trace, runs[-1])
    if options.totals_only:
        records = runs[-1].collected["records"]
        print(f"{kind}: {trace['packets']} packets in {records} records, totals exact")
    else:
        print_row(kind, "clerk", trace, runs)
    return runs[-1]


def measure_peer(options, trace):
    """softflowd with its defaults, for scale. What it counts is its own affair."""
    if shutil.which("softflowd") is None:
        return
    pid_file = options.traces / "softflowd.pid"
    command = softflowd_command(options.traces / "mix.pcap", pid_file)
    try:
        runs = [run_probe(options.bin, command) for _ in range(options.runs)]
    except WrongTotals as error:
        print(f"softflowd left out: {error}", file=sys.stderr)
        return
    print_row("mix", "softflowd", trace, runs)


def parse_options():
    parser = argparse.ArgumentParser(description="Measures clerk on the traces of bench/run.")
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--traces", type=pathlib.Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--totals-only", action="store_true", help="check, print no times")
    parser.add_argument("clerk_flags", nargs="*", help="passed on to clerk, after --")
    return parser.parse_args()


def main():
    options = parse_options()
    traces = {kind: json.loads((options.traces / f"{kind}.json").read_text()) for kind in KINDS}
    if not options.totals_only:
        print_header(options, traces)
    try:
        runs = [measure_clerk(options, kind, traces[kind]) for kind in KINDS]
    except WrongTotals as error:
        sys.exit(f"bench/run: wrong totals\n{error}")
    if not options.totals_only:
        measure_peer(options, traces["mix"])
        buffer_mib = runs[-1].collected["receive_buffer_octets"] >> 20
        print("Totals exact in every run: trace, clerk and collector agree. "
              f"Collector's receive buffer: {buffer_mib} MiB.")


if __name__ == "__main__":
    main()
