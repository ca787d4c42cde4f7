"""The targets that a micro-benchmark beside the code answers (src/*/*_bench.cc)."""

import json
from dataclasses import dataclass
from typing import Optional

import targets
from processes import run
from table import Row, nanoseconds, verdict


@dataclass
class Target:
    """Nanoseconds of an iteration of one benchmark, and perhaps of a counter that it reports."""

    what: str
    program: str
    benchmark: str
    nanoseconds_max: float
    counter: Optional[str] = None
    counter_max: float = 0


TARGETS = (
    Target("ASN lookup, IPv4", "flow_bench", "find_ipv4", targets.ASN_LOOKUP_NS, "MiB", targets.ASN_TABLE_MIB),
    Target("ASN lookup, IPv6", "flow_bench", "find_ipv6", targets.ASN_LOOKUP_NS, "MiB", targets.ASN_TABLE_MIB),
)


def measure(settings, table):
    for target in TARGETS:
        table.add(_row(settings, target))


def _row(settings, target):
    done = run([settings.programs / target.program, "--benchmark_filter=^%s$" % target.benchmark,
                "--benchmark_format=json"])
    [report] = json.loads(done.stdout)["benchmarks"]
    took = report["cpu_time"]
    reached = took <= target.nanoseconds_max
    row = Row(target.what, target.program, nanoseconds(took), target="≤ %g ns" % target.nanoseconds_max)
    if target.counter:
        value = report[target.counter]
        reached = reached and value <= target.counter_max
        row.target += ", ≤ %g %s" % (target.counter_max, target.counter)
        row.remark = "%.0f %s" % (value, target.counter)
    row.met = verdict(reached)
    return row
