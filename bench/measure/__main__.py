"""Measures clerk beside the roofline and its peers, and prints one table. bench/run starts this; README.md explains."""

import argparse
import pathlib
import signal
import sys

import flood
import live
import micro
import offline
import results
from processes import WrongTotals
from settings import Settings
from table import Table

PROGRAMS = ("clerk", "testimonyd", "trace", "udp_collector", "roofline", "injector", "ring_reader")

MEASURE = {"offline": offline.compare, "live": live.compare, "flood": flood.measure, "micro": micro.measure}
PARTS = tuple(MEASURE)


def parse_settings():
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures clerk beside the roofline and its peers.")
    parser.add_argument("--quick", action="store_true",
                        help="check the totals of a few packets, print no times: a test")
    parser.add_argument("--only", action="append", choices=PARTS, default=[],
                        help="measure this part alone and leave RESULTS.md as it is; repeatable")
    parser.add_argument("--packets", type=int, default=5_000_000, help="packets of each trace (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (%(default)s)")
    parser.add_argument("--peer_rounds", type=int, default=2, help="in how many of them peers are (%(default)s)")
    parser.add_argument("--live_rounds", type=int, default=3, help="how often each is measured live (%(default)s)")
    parser.add_argument("--live_seconds", type=int, default=6, help="how long packets come (%(default)s)")
    parser.add_argument("--flood", type=int, help="packets of the flood (20 times --packets)")
    parser.add_argument("--build", type=pathlib.Path, required=True, help="whose bin/ is measured")
    parser.add_argument("clerk_flags", nargs="*", help="passed on to clerk, after --")
    given = parser.parse_args()
    if given.quick:
        given.packets, given.live_seconds = 200_000, 1
    flood_packets = 20 * given.packets if given.flood is None else given.flood
    return given, Settings(given.build, given.packets, given.rounds, given.peer_rounds, given.live_rounds,
                           given.live_seconds, flood_packets, given.clerk_flags)


def require_programs(settings):
    missing = [name for name in PROGRAMS if not (settings.programs / name).exists()]
    if missing:
        sys.exit("bench/run: %s has no %s; make builds them" % (settings.programs, ", ".join(missing)))


def check_totals(settings):
    offline.check_totals(settings)
    live.check_totals(settings)


def compare(settings, only, table):
    for part in only or PARTS:
        MEASURE[part](settings, table)
    if not only:
        results.write(settings, table)
    print_table(settings, table)
    print("%d of %d targets missed" % (len(table.missed()), len([row for row in table.rows if row.met])))


def print_table(settings, table):
    for line in results.machine(settings):
        print(line)
    print(table.text(), flush=True)


def main():
    given, settings = parse_settings()
    require_programs(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and leave nothing behind
    table = Table()
    try:
        if given.quick:
            check_totals(settings)
        else:
            compare(settings, given.only, table)
    except WrongTotals as error:
        if table.rows:
            print_table(settings, table)
        sys.exit("bench/run: wrong totals\n%s" % error)


if __name__ == "__main__":
    main()
