"""Totals must be exact: what a trace holds, what a program says and what the collector received are compared."""

from collector import FAULTS
from processes import WrongTotals


def require(subject, expected):
    """Each of `expected` is what it is about, what there was and what there had to be."""
    wrong = ["%s: %s: %s, not %s" % (subject, what, got, want) for what, got, want in expected if got != want]
    if wrong:
        raise WrongTotals("\n".join(wrong))


def final_counts(stderr):
    """clerk's last line of name=value pairs."""
    lines = [line for line in stderr.splitlines() if line.startswith("packets_received=")]
    if not lines:
        raise WrongTotals("no final counts on stderr:\n" + stderr[-2000:])
    pairs = (word.split("=", 1) for word in lines[-1].split() if "=" in word)
    return {name: int(value) for name, value in pairs if value.isdecimal()}


def require_of_clerk(subject, counts, packets, octets):
    """So many packets were metered and exported, and each one received was metered or ignored for a reason."""
    ignored = sum(count for name, count in counts.items() if name.startswith("ignored_"))
    require(subject, [
        ("clerk's packets_received", counts["packets_received"], packets + ignored),
        ("clerk's packets_metered", counts["packets_metered"], packets),
        ("clerk's packets_exported", counts["packets_exported"], packets),
        ("clerk's octets_exported", counts["octets_exported"], octets),
        ("clerk's send_errors", counts["send_errors"], 0),
    ])


def require_of_collector(subject, collected, counts):
    """What clerk says that it sent has arrived, and nothing was lost between."""
    require(subject, [
        ("the collector's packets", collected["packets"], counts["packets_exported"]),
        ("the collector's octets", collected["octets"], counts["octets_exported"]),
        ("the collector's records", collected["records"], counts["records_exported"]),
        *(("the collector's " + fault, collected[fault], 0) for fault in FAULTS),
    ])


def require_of_roofline(trace, report):
    """A mode that keeps no flows has null for them."""
    expected = [("packets", report["packets"], trace.packets), ("IP octets", report["ip_octets"], trace.ip_octets)]
    if report["one_way_flows"] is not None:
        expected.append(("flows", report["one_way_flows"], trace.one_way_flows))
    require("%s: roofline %s" % (trace.kind, report["mode"]), expected)


def require_of_flows(subject, trace, records):
    """A flow has one record at least, and in a scan just one."""
    if trace.kind == "scan":
        require(subject, [("records", records, trace.one_way_flows)])
    elif records < trace.one_way_flows:
        raise WrongTotals("%s: %d records for %d flows" % (subject, records, trace.one_way_flows))
