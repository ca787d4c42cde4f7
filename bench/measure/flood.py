"""A flood of SYNs, each a flow of its own, from the generator's stdout: memory stays bounded and no packet is lost."""

import json
import re
import subprocess
import tempfile

import totals
from collector import LACK_OF_RESOURCES, Collector
from contestants import UNPACED
from processes import Program, WrongTotals
from progress import tell
from table import Row, nanoseconds, verdict

# So many of the packets find no more flows held than that: about clerk's default for 100,000,000.
PACKETS_PER_FLOW_HELD = 25


def measure(settings, table):
    tell("flood")
    flows_max = max(settings.flood_packets // PACKETS_PER_FLOW_HELD, 1)
    with Collector(settings.programs) as collector, tempfile.NamedTemporaryFile("r") as told:
        generator = subprocess.Popen([settings.programs / "trace", "--kind", "scan", "--output", "-", "--packets",
                                      str(settings.flood_packets), "--totals", told.name], stdout=subprocess.PIPE)
        with generator, Program([settings.programs / "clerk", "--read", "-", "--collector", collector.destination(),
                                 *UNPACED, "--flows_max", flows_max, *settings.clerk_flags],
                                stdin=generator.stdout) as clerk:
            generator.stdout.close()
            done = clerk.wait()
        trace, collected = json.loads(told.read()), collector.stop()
    counts = totals.final_counts(done.stderr)
    totals.require_of_clerk("flood", counts, trace["packets"], trace["ip_octets"])
    totals.require("flood", [("clerk's packets_received", counts["packets_received"], trace["packets"])])
    _require_all_records(trace, counts, collected)
    table.add(_row(done, trace, collected))


def _require_all_records(trace, counts, collected):
    """A packet is a record. Those that the collector's buffer had no room for are missing by their sequence numbers."""
    packets = trace["packets"]
    octets = trace["ip_octets"] // packets
    totals.require("flood", [
        ("clerk's records_exported", counts["records_exported"], packets),
        ("records collected and missing", collected["records"] + collected["records_missing"], packets),
        ("packets collected", collected["packets"], collected["records"]),
        ("octets collected", collected["octets"], collected["records"] * octets),
        ("records by their end reasons", sum(collected["end_reasons"]), collected["records"]),
        ("malformed messages", collected["malformed"] + collected["unknown_sets"], 0),
    ])
    if collected["records_missing"] and not collected["socket_drops"]:
        raise WrongTotals("flood: %d records missing, and no datagram dropped" % collected["records_missing"])


def _row(done, trace, collected):
    bound_mib = int(re.search(r"memory: at most (\d+) MiB", done.stderr)[1])
    evicted = collected["end_reasons"][LACK_OF_RESOURCES]
    remark = "exact; %.1f s, %d records left for lack of room" % (done.wall_seconds, evicted)
    if collected["records_missing"]:
        remark += ", %d not received" % collected["records_missing"]
    return Row("flood, %g M flows" % (trace["packets"] / 1e6), "clerk --read -",
               nanoseconds(done.cpu_ns(trace["packets"])), target="≤ %d MiB, reason 5" % bound_mib,
               met=verdict(done.anonymous_mib <= bound_mib and evicted > 0), memory="%.0f" % done.anonymous_mib,
               remark=remark)
