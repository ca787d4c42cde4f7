"""Every capture of the corpus explained: the flows stay what they are, and each packet stands under its record."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

import clerk_runner
import test_corpus


@dataclass
class Outcome:
    """A capture read with and without an explanation of all that is in it."""

    name: str
    plain: subprocess.CompletedProcess
    explained: subprocess.CompletedProcess
    flows: bytes


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    if not (test_corpus.CAPTURES / "pcaps").is_dir():
        pytest.skip("THE CAPTURES ARE NOT THERE: %s (set CLERK_CAPTURES)" % test_corpus.CAPTURES)
    folder = tmp_path_factory.mktemp("flows")
    paths = sorted(path for path in (test_corpus.CAPTURES / "pcaps").glob("*/*") if path.is_file())
    assert paths
    with ThreadPoolExecutor(test_corpus.PARALLEL) as pool:
        return list(pool.map(lambda place: run_on(paths[place], folder / str(place)), range(len(paths))))


def run_on(path, flows):
    plain, explained = (subprocess.run(clerk_runner.command("--read", path, *arguments), capture_output=True,
                                       timeout=test_corpus.TIMEOUT_S)
                        for arguments in ([], ["--explain", "*>*", "--collector", "csv:%s" % flows]))
    return Outcome(path.name, plain, explained, flows.read_bytes())


def final_counts(process):
    return clerk_runner.parse_counts(process.stderr.decode(errors="replace"))


def test_the_flows_are_those_of_a_run_that_does_not_explain(outcomes):
    for outcome in outcomes:
        assert outcome.flows == outcome.plain.stdout, outcome.name
        assert outcome.explained.returncode == outcome.plain.returncode, outcome.name
        assert final_counts(outcome.explained) == final_counts(outcome.plain), outcome.name


def told_records(text):
    """The line of CSV, the packets and their IP octets of each record of an explanation."""
    for block in re.split(r"^record \d+: ", text, flags=re.MULTILINE)[1:]:
        block = re.split(r"^(?:not metered|\d+ packets? in)", block, flags=re.MULTILINE)[0]
        yield (re.search(r"^  CSV: (.*)$", block, re.MULTILINE)[1],
               len(re.findall(r"^  packet \d+ of ", block, re.MULTILINE)),
               sum(int(octets) for octets in re.findall(r"^    counted: (\d+) IP", block, re.MULTILINE)))


def test_each_packet_is_told_in_the_record_that_counted_it(outcomes):
    for outcome in outcomes:
        told = list(told_records(outcome.explained.stdout.decode(errors="replace")))
        assert [csv for csv, _, _ in told] == outcome.flows.decode().splitlines()[1:], outcome.name
        for csv, packets, octets in told:
            assert (octets, packets) == tuple(map(int, csv.split(",")[13:15])), "%s: %s" % (outcome.name, csv)
