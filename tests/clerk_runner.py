"""Runs the real clerk. Every run that ends in final counts is held to the conservation law.

CLERK names the binary and CLERK_BUILD its build folder; CTest sets both.
"""

import csv
import io
import json
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import flow_model
import ipfix_reader

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("CLERK_BUILD", REPOSITORY / "build" / "dev"))
CLERK = Path(os.environ.get("CLERK", BUILD / "bin" / "clerk"))

CSV_HEADER = ("flowStart,flowEnd,sourceAddress,destinationAddress,sourceTransportPort,destinationTransportPort,"
              "protocolIdentifier,ipClassOfService,icmpTypeCode,tcpControlBits,vlanId,bgpSourceAsNumber,"
              "bgpDestinationAsNumber,octetDeltaCount,packetDeltaCount,flowEndReason")

PATIENCE_S = 120


@dataclass
class Run:
    """What one run of clerk left behind. `counts` is empty when there was no final counts line."""

    exit_status: int
    stdout: bytes
    stderr: str
    counts: dict

    def records(self):
        """The CSV on stdout as flow records; there are as many as clerk says that it exported."""
        records = csv_records(self.stdout.decode())
        assert len(records) == self.counts["records_exported"]
        return records


def parse_counts(stderr):
    """The final counts line as a dict; a value that is not a number stays text."""
    lines = [line for line in stderr.splitlines() if line.startswith("packets_received=")]
    assert len(lines) <= 1, stderr
    pairs = [word.split("=", 1) for line in lines for word in line.split()]
    return {name: int(value) if value.isdigit() else value for name, value in pairs}


def assert_conserved(counts):
    """Every packet is in a record or in a named loss counter, and nothing is counted twice."""
    ignored = sum(value for name, value in counts.items() if name.startswith("ignored_"))
    assert counts["packets_received"] == counts["packets_metered"] + ignored, counts
    assert counts["packets_metered"] == counts["packets_exported"], counts
    assert counts["octets_metered"] == counts["octets_exported"], counts


def finished(exit_status, stdout, stderr):
    run = Run(exit_status, stdout, stderr, parse_counts(stderr))
    if run.counts:
        assert_conserved(run.counts)
    return run


def command(*arguments):
    return [str(CLERK), *map(str, arguments)]


def run_clerk(*arguments, expect=0, stdin=b"", timeout_s=PATIENCE_S):
    """Runs to the end. A run of `--read` that could start has to print its final counts."""
    process = subprocess.run(command(*arguments), input=stdin, capture_output=True, timeout=timeout_s)
    stderr = process.stderr.decode(errors="replace")
    assert process.returncode == expect, "exit status %d of %s:\n%s" % (process.returncode, process.args, stderr)
    return finished(process.returncode, process.stdout, stderr)


def read_capture(*arguments, **options):
    """A run that has to end in final counts."""
    run = run_clerk(*arguments, **options)
    assert run.counts, run.stderr
    return run


def start_clerk(*arguments, **options):
    """For tests that talk to clerk while it runs."""
    return subprocess.Popen(command(*arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **options)


def stop_clerk(process, signal_number):
    """Signals and waits for the end. Only then stdin is closed, lest the end of the input comes before the signal."""
    process.send_signal(signal_number)
    process.wait(timeout=PATIENCE_S)
    stdout, stderr = process.communicate()
    return finished(process.returncode, stdout, stderr.decode(errors="replace"))


def time_ns(text):
    """A time as the CSV and the JSON write it: RFC 3339, UTC, exactly nine decimals."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", text), text
    whole = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return int(whole.timestamp()) * 10**9 + int(text[20:29])


def csv_records(text):
    """The flow records of a CSV document with the header that users rely on."""
    assert text.startswith(CSV_HEADER + "\n"), text[:300]
    return [_csv_record(row) for row in csv.DictReader(io.StringIO(text))]


def _csv_record(row):
    numbers = {name: int(value) for name, value in row.items() if not name.endswith(("Address", "Start", "End"))}
    key = flow_model.FlowKey(row["sourceAddress"], row["destinationAddress"], numbers["protocolIdentifier"],
                             numbers["sourceTransportPort"], numbers["destinationTransportPort"],
                             numbers["icmpTypeCode"], numbers["vlanId"])
    return flow_model.Record(key, numbers["ipClassOfService"], numbers["packetDeltaCount"],
                             numbers["octetDeltaCount"], time_ns(row["flowStart"]), time_ns(row["flowEnd"]),
                             numbers["tcpControlBits"], numbers["flowEndReason"])


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def json_record(fields):
    """A JSON line as a flow record. Its keys are the IANA names, so an IPFIX decoder's rules fit."""
    times = {name: time_ns(fields[name]) for name in ("flowStartNanoseconds", "flowEndNanoseconds")}
    return ipfix_reader.flow_record({**fields, **times})
