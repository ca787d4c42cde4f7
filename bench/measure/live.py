"""The comparison on an interface that receives packets of many flows as fast as one core can make them."""

import statistics

import targets
from live_contestants import FLOWS, Clerk, RingReader, Softflowd, TestimonyClerk, permitted
from processes import warm_memory
from progress import tell
from table import Row, nanoseconds, times, verdict
from wire import NotPermitted, connected_wire

REFERENCE = RingReader()
CLERK = Clerk()
TESTIMONY = TestimonyClerk()
PEER = Softflowd()

WHAT = "live, %d flows" % FLOWS


class LiveRounds:
    """The figures of all contestants by name; those of a round have the same place."""

    def __init__(self):
        self.figures = {}

    def measure(self, settings, wire, contestants):
        for number in range(settings.live_rounds):
            tell("live, round %d of %d" % (number + 1, settings.live_rounds))
            for contestant in contestants:
                warm_memory()
                self.figures.setdefault(contestant.name, []).append(contestant.measure(settings, wire))
        return self

    def ratio(self, contestant, to):
        pairs = zip(self.figures[contestant.name], self.figures[to.name])
        return statistics.median(one.cpu_ns / other.cpu_ns for one, other in pairs)

    def lost(self, contestant):
        return sum(figure.lost for figure in self.figures[contestant.name])

    def core_share(self, contestant):
        return statistics.median(figure.core_share for figure in self.figures[contestant.name])

    def row(self, contestant):
        figures = self.figures[contestant.name]
        injected = sum(figure.injected for figure in figures)
        pace = statistics.median(figure.packets_per_second for figure in figures)
        loss = "%d of %d packets lost (%.3g %%)" % (self.lost(contestant), injected,
                                                    100 * self.lost(contestant) / injected)
        return Row(WHAT, contestant.name, nanoseconds(statistics.median(figure.cpu_ns for figure in figures)),
                   times(self.ratio(contestant, REFERENCE)),
                   memory="%.0f" % max(figure.anonymous_mib for figure in figures),
                   remark=", ".join(filter(None, (loss, "%.2f Mpps" % (pace / 1e6), *(each.remark for each in figures)))))


def compare(settings, table):
    try:
        with connected_wire() as wire:
            permitted(settings, wire)
            contestants = [each for each in (REFERENCE, CLERK, TESTIMONY, PEER) if each.is_there()]
            _add_rows(LiveRounds().measure(settings, wire, contestants), contestants, table)
    except NotPermitted as error:
        _skip(error)
        table.add(Row(WHAT, "clerk", met="SKIPPED", remark=str(error).splitlines()[0]))


def check_totals(settings):
    """Once, and nothing about times or losses."""
    try:
        with connected_wire() as wire:
            permitted(settings, wire)
            for contestant in (REFERENCE, CLERK):
                figure = contestant.measure(settings, wire)
                print("live: %s: %d packets, %d of them lost, totals exact" % (contestant.name, figure.injected,
                                                                               figure.lost))
    except NotPermitted as error:
        _skip(error)


def _skip(error):
    print("*** THE LIVE COMPARISON IS SKIPPED, it takes root, network namespaces and XDP programs: %s" % error)


def _add_rows(rounds, contestants, table):
    clerk, testimony = rounds.row(CLERK), rounds.row(TESTIMONY)
    clerk.target = "≤ %g × ring_reader, 0 lost" % targets.OVER_RING_READER
    clerk.met = verdict(rounds.ratio(CLERK, REFERENCE) <= targets.OVER_RING_READER and rounds.lost(CLERK) == 0)
    over = rounds.ratio(TESTIMONY, CLERK)
    testimony.target = "≤ %g × clerk --interface, 0 lost" % targets.TESTIMONY_OVER_AF_PACKET
    testimony.met = verdict(over <= targets.TESTIMONY_OVER_AF_PACKET and rounds.lost(TESTIMONY) == 0)
    testimony.remark += ", %s × clerk --interface" % times(over)
    table.add(rounds.row(REFERENCE), clerk, testimony, _daemon_row(rounds))
    if PEER in contestants:
        clerk.faster = times(rounds.ratio(PEER, CLERK))
        table.add(rounds.row(PEER))


def _daemon_row(rounds):
    share = rounds.core_share(TESTIMONY)
    return Row(WHAT, "testimonyd", "%.2f %% of a core" % (100 * share),
               target="≤ %g %%" % (100 * targets.TESTIMONYD_CORE_SHARE),
               met=verdict(share <= targets.TESTIMONYD_CORE_SHARE))
