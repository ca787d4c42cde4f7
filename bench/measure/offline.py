"""The comparison on capture files: roofline, clerk and peers in turn, round after round.

What disturbs a shared machine disturbs a whole round, so ratios are taken within rounds, and then their median.
"""

import hashlib
import statistics
import subprocess

import targets
import totals
from contestants import Clerk, Roofline, peers
from processes import WrongTotals, run, warm_memory
from progress import tell
from table import Row, nanoseconds, times, verdict
from traces import generated_traces

REFERENCE = Roofline("prefetch")
AHEAD = Roofline("ahead")
CLERK = Clerk()
TWO_THREADS = Clerk("--threads", "2")

# Of the trace that two meters count.
REPETITIONS = 4


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
            if trace.kind == "elephants":
                table.add(_two_meters_row(settings, trace))


def _compare_on(settings, trace, table):
    rivals = peers() if settings.peer_rounds else []
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


def _two_meters_row(settings, elephants):
    """They count, and a ledger of a hundred flows is idle. Read several times, so that starting up weighs nothing."""
    pairs = [tuple(_count_repeatedly(settings, elephants, threads) for threads in (1, 2))
             for _ in range(settings.rounds)]
    speed = statistics.median(one.wall_seconds / two.wall_seconds for one, two in pairs)
    cpu = statistics.median(two.cpu_seconds / one.cpu_seconds for one, two in pairs)
    return Row("elephants, %d times" % REPETITIONS, "clerk --threads 2, no export", "%s × as fast" % times(speed),
               target="≥ %g × one thread, CPU ≤ %g ×" % (targets.TWO_METERS_SPEED, targets.TWO_METERS_CPU),
               met=verdict(speed >= targets.TWO_METERS_SPEED and cpu <= targets.TWO_METERS_CPU),
               remark="CPU a packet %s ×" % times(cpu))


def _count_repeatedly(settings, trace, threads):
    warm_memory()
    done = run([settings.programs / "clerk", *("--read", trace.path) * REPETITIONS, "--threads", threads,
                "--collector", "file:/dev/null", *settings.clerk_flags])
    totals.require_of_clerk("%s, %d times" % (trace.kind, REPETITIONS), totals.final_counts(done.stderr),
                            REPETITIONS * trace.packets, REPETITIONS * trace.ip_octets)
    return done


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
