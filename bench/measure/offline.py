"""The comparison on capture files: roofline, clerk and peers in turn, round after round.

What disturbs a shared machine disturbs a whole round, so ratios are taken within rounds, and then their median.
"""

import hashlib
import statistics
import subprocess

import targets
from contestants import Clerk, Roofline, peers
from processes import WrongTotals, warm_memory
from progress import tell
from table import Row, nanoseconds, times, verdict
from traces import generated_traces

REFERENCE = Roofline("prefetch")
AHEAD = Roofline("ahead")
CLERK = Clerk()
TWO_THREADS = Clerk("--threads", "2")


class Rounds:
    """The figures of all contestants on one trace, by name; those of a round have the same place."""

    def __init__(self, settings, trace):
        self.settings, self.trace = settings, trace
        self.figures = {}

    def measure(self, contestants, rivals):
        for number in range(self.settings.rounds):
            tell("%s, round %d of %d" % (self.trace.kind, number + 1, self.settings.rounds))
            for contestant in contestants:
                self._measure(contestant)
            if number < self.settings.peer_rounds:
                for rival in rivals:
                    self._measure(rival)
        return self

    def _measure(self, contestant):
        warm_memory()
        self.figures.setdefault(contestant.name, []).append(contestant.measure(self.settings, self.trace))

    def nanoseconds(self, contestant):
        return statistics.median(figure.cpu_ns for figure in self.figures[contestant.name])

    def ratio(self, contestant, to):
        pairs = zip(self.figures[contestant.name], self.figures[to.name])
        return statistics.median(one.cpu_ns / other.cpu_ns for one, other in pairs)

    def speed_ratio(self, contestant, to):
        """Of packets a second."""
        pairs = zip(self.figures[contestant.name], self.figures[to.name])
        return statistics.median(other.wall_seconds / one.wall_seconds for one, other in pairs)

    def anonymous_mib(self, contestant):
        return max(figure.anonymous_mib for figure in self.figures[contestant.name])

    def row(self, contestant):
        figures = self.figures[contestant.name]
        spread = "%.0f-%.0f" % (min(each.cpu_ns for each in figures), max(each.cpu_ns for each in figures))
        return Row(self.trace.kind, contestant.name, nanoseconds(self.nanoseconds(contestant)),
                   times(self.ratio(contestant, REFERENCE)), memory="%.0f" % self.anonymous_mib(contestant),
                   remark=", ".join(filter(None, (spread, figures[-1].remark))))


def compare(settings, table):
    with generated_traces(settings.programs, settings.packets) as traces:
        for trace in traces:
            _compare_on(settings, trace, table)
            if trace.kind == "scan":
                table.add(_flows_held_row(settings, trace))


def _compare_on(settings, trace, table):
    rivals = peers()
    rounds = Rounds(settings, trace).measure((REFERENCE, AHEAD, CLERK, TWO_THREADS), rivals)
    table.add(rounds.row(REFERENCE), rounds.row(AHEAD), _clerk_row(rounds, rivals), _threads_row(rounds))
    table.add(*(rounds.row(rival) for rival in rivals), *_memory_rows(rounds))


def check_totals(settings):
    """Of each contestant, once, and nothing about times."""
    modes = ("walk", "parse", "table", "prefetch", "ahead")
    with generated_traces(settings.programs, settings.packets) as traces:
        for trace in traces:
            for contestant in (*map(Roofline, modes), CLERK, TWO_THREADS):
                contestant.measure(settings, trace)
            _require_same_octets(settings, trace)
            print("%s: %d packets, totals of roofline and clerk exact" % (trace.kind, trace.packets), flush=True)


def _clerk_row(rounds, rivals):
    row = rounds.row(CLERK)
    limit = targets.OVER_ROOFLINE[rounds.trace.kind]
    row.target = "≤ %g × roofline prefetch" % limit
    row.met = verdict(rounds.ratio(CLERK, REFERENCE) <= limit)
    if rivals:
        row.faster = times(rounds.ratio(min(rivals, key=rounds.nanoseconds), CLERK))
    return row


def _threads_row(rounds):
    row = rounds.row(TWO_THREADS)
    row.remark += ", %s × the packets a second of one" % times(rounds.speed_ratio(TWO_THREADS, CLERK))
    _require_same_octets(rounds.settings, rounds.trace)
    row.target, row.met = "same octets as one thread", verdict(True)
    return row


def _memory_rows(rounds):
    limit = targets.ANONYMOUS_MIB.get(rounds.trace.kind)
    if limit is None:
        return []
    peak = rounds.anonymous_mib(CLERK)
    return [Row(rounds.trace.kind, "clerk, memory", "%.0f MiB" % peak, target="≤ %d MiB" % limit,
                met=verdict(peak <= limit))]


def _flows_held_row(settings, scan):
    """Nothing times out before the scan is over, so at its end each of its flows is held."""
    forever = ("--idle_timeout", "3600", "--active_timeout", "3600", "--flows_max", str(scan.packets))
    figure = Clerk(*forever).measure(settings, scan)
    octets = figure.anonymous_mib * 2**20 / scan.one_way_flows
    return Row("scan", "clerk, all flows held", "%.0f octets a flow" % octets,
               target="≤ %d" % targets.OCTETS_PER_FLOW_HELD, met=verdict(octets <= targets.OCTETS_PER_FLOW_HELD),
               memory="%.0f" % figure.anonymous_mib, remark="%d flows" % scan.one_way_flows)


def _require_same_octets(settings, trace):
    one, two = (_octets_digest(settings, trace, contestant) for contestant in (CLERK, TWO_THREADS))
    if one != two:
        raise WrongTotals("%s: two threads write other octets than one" % trace.kind)


def _octets_digest(settings, trace, contestant):
    command = [settings.programs / "clerk", "--read", trace.path, "--collector", "file:-", "--log_level", "error",
               *contestant.flags, *settings.clerk_flags]
    digest = hashlib.sha256()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        while chunk := process.stdout.read(1 << 20):
            digest.update(chunk)
    if process.returncode != 0:
        raise WrongTotals("%s: %s: exit status %d" % (trace.kind, contestant.name, process.returncode))
    return digest.hexdigest()
