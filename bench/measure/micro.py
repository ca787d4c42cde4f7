"""The targets that a micro-benchmark beside the code answers (src/*/*_bench.cc)."""

import json
from dataclasses import dataclass

import targets
from processes import run
from table import Row, verdict


@dataclass
class Limit:
    """Of a value that the benchmark reports, in units of `unit`."""

    value: str
    unit: str
    maximum: float
    scale: float = 1


@dataclass
class Target:
    """What one benchmark reports, and the limits of it. The first is the figure."""

    what: str
    program: str
    benchmark: str  # the beginning of its name, up to its end or a slash
    limits: tuple


ASN_LIMITS = (Limit("cpu_time", "ns", targets.ASN_LOOKUP_NS), Limit("MiB", "MiB", targets.ASN_TABLE_MIB))

# A tick comes each second, so what it takes of one is its share of a core.
TARGETS = (
    Target("ASN lookup, IPv4", "flow_bench", "find_ipv4", ASN_LIMITS),
    Target("ASN lookup, IPv6", "flow_bench", "find_ipv6", ASN_LIMITS),
    Target("export, encode and send, a record", "sink_bench", "send/segmentation/ipv6_of:5",
           (Limit("ns_per_record", "ns", targets.EXPORT_NS),)),
    Target("expiry, 4 M flows that live on", "flow_bench", "tick_with_flows_that_live_on",
           (Limit("real_time", "% of a core", targets.EXPIRY_PERCENT, 1e-7),)),
    Target("hand-over, 4 M flows held, longest undisturbed pause", "flow_bench", "hand_over_while_the_ledger_merges",
           (Limit("max_undisturbed_us", "µs", targets.HAND_OVER_US),)),
)


def measure(settings, table):
    for target in TARGETS:
        table.add(_row(settings, target))


def _row(settings, target):
    done = run([settings.programs / target.program, "--benchmark_filter=^%s(/|$)" % target.benchmark,
                "--benchmark_format=json"])
    [report] = json.loads(done.stdout)["benchmarks"]
    values = [report[limit.value] * limit.scale for limit in target.limits]
    told = ["%.3g %s" % (value, limit.unit) for value, limit in zip(values, target.limits)]
    return Row(target.what, target.program, told[0],
               target=", ".join("≤ %g %s" % (limit.maximum, limit.unit) for limit in target.limits),
               met=verdict(all(value <= limit.maximum for value, limit in zip(values, target.limits))),
               remark=", ".join(told[1:]))
