"""The live process as the kernel sees it: the user it becomes, what it may do, the CPUs its threads run on."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import clerk_runner
from collectors import wait_until
from live_clerk import LiveClerk
from live_flows import assert_complete
from packets import ACK
from traffic import packet_of, tcp_key

CAP_NET_RAW = 1 << 13
AS_NOBODY = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--inh-caps=-all"]


def capability_sets(clerk):
    """The sets that could give a thread a privilege, each with its value in every thread."""
    return {name: {int(value, 16) for value in clerk.status(name)} for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")}


ONLY_NET_RAW = {"CapPrm": {CAP_NET_RAW}, "CapEff": {CAP_NET_RAW}, "CapInh": {0}, "CapAmb": {0}}


def user_ids(clerk):
    """Real, effective, saved and file system user ids of all threads."""
    return {int(number) for text in clerk.status("Uid") for number in text.split()}


def wait_until_running(clerk, capture_threads=1):
    """All threads are there: the ledger's, the exporter's and those that capture."""
    clerk.wait_until_capturing()
    wait_until(lambda: len(clerk.status("Uid")) >= capture_threads + 2, "the threads are started")


def unprivileged_user():
    for name in ("clerk", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise LookupError("neither clerk nor nobody is a user here")


@pytest.fixture
def public_folder():
    """A folder that every user may read."""
    with tempfile.TemporaryDirectory(prefix="clerk-public-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def assert_survives_its_interface(clerk, wire):
    """Opens the ring anew, with whatever privileges it has left."""
    wire.send([packet_of(tcp_key(), 0, tcp_flags=ACK)] * 20)
    wire.remove()
    clerk.wait_for_line("was removed")
    wire.connect()
    clerk.wait_until_capturing(count=2)
    wire.send([packet_of(tcp_key(), 0, tcp_flags=ACK)] * 20)
    assert_complete(clerk.stop(), wire.sent)


# Privileges


@pytest.mark.parametrize("threads", [1, 2])
def test_root_becomes_an_ordinary_user_that_may_only_open_packet_sockets(wire, threads):
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", threads) as clerk:
        wait_until_running(clerk, threads)
        assert user_ids(clerk) == {unprivileged_user().pw_uid}
        assert {text.strip() for text in clerk.status("Groups")} <= {"", str(unprivileged_user().pw_gid)}
        assert capability_sets(clerk) == ONLY_NET_RAW
        assert set(clerk.status("NoNewPrivs")) == {"1"}
        assert_survives_its_interface(clerk, wire)


def test_the_user_may_be_chosen(wire):
    with LiveClerk(wire.probe, "--interface", "watched", "--user", "daemon") as clerk:
        wait_until_running(clerk)
        assert user_ids(clerk) == {pwd.getpwnam("daemon").pw_uid}
        assert capability_sets(clerk) == ONLY_NET_RAW
        clerk.stop()


def test_a_user_that_nobody_knows_is_told(wire):
    with LiveClerk(wire.probe, "--interface", "watched", "--user", "no-such-user") as clerk:
        assert clerk.process.wait(timeout=clerk_runner.PATIENCE_S) in (1, 2)
        assert "--user no-such-user" in clerk.log() and not clerk.lines("capturing")


def test_outputs_that_only_root_may_write_are_written_all_the_same(wire, tmp_path):
    """Opened before root is given up; the folder is root's own."""
    tmp_path.chmod(0o700)
    outputs = {kind: tmp_path / kind for kind in ("csv", "json", "file")}
    sinks = [word for kind, path in outputs.items() for word in ("--collector", "%s:%s" % (kind, path))]
    with LiveClerk(wire.probe, "--interface", "watched", *sinks) as clerk:
        clerk.wait_until_capturing()
        wire.send([packet_of(tcp_key(), 0)] * 20)
        run = clerk.stop()
    assert run.counts["packets_exported"] == 20
    assert all(path.stat().st_size > 0 for path in outputs.values())
    assert [record.packets for record in clerk_runner.csv_records(outputs["csv"].read_text())] == [20]


@pytest.fixture
def capable_binary(public_folder):
    binary = public_folder / "clerk"
    shutil.copy(clerk_runner.CLERK, binary)
    if subprocess.run(["setcap", "cap_net_raw+ep", binary], capture_output=True).returncode != 0:
        pytest.skip("FILE CAPABILITIES ARE NOT PERMITTED HERE")
    return binary


def test_an_ordinary_user_captures_with_a_capable_binary(wire, capable_binary):
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", 2, prefix=AS_NOBODY,
                   binary=capable_binary) as clerk:
        wait_until_running(clerk, 2)
        assert user_ids(clerk) == {pwd.getpwnam("nobody").pw_uid}
        assert capability_sets(clerk) == ONLY_NET_RAW
        assert_survives_its_interface(clerk, wire)


@pytest.mark.parametrize("prefix", [AS_NOBODY, ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"]],
                         ids=["ordinary user", "root without it"])
def test_without_the_capability_one_line_names_it_and_the_way_out(wire, public_folder, prefix):
    binary = public_folder / "clerk"
    shutil.copy(clerk_runner.CLERK, binary)
    with LiveClerk(wire.probe, "--interface", "watched", prefix=prefix, binary=binary) as clerk:
        run = clerk.ended(expect=1)
    [line] = [line for line in run.stderr.splitlines() if "CAP_NET_RAW" in line]
    assert "setcap" in line and "watched" in line
    assert len(run.stderr.splitlines()) <= 2, run.stderr


# CPUs


CPUS = sorted(os.sched_getaffinity(0))


def affinities(clerk):
    """Of each thread, the main thread's first: the CPUs that it may run on, as the kernel writes them."""
    return clerk.status("Cpus_allowed_list")


@pytest.mark.parametrize("threads, cpus", [(1, [0]), (1, [-1]), (2, [0, -1]), (2, [-1]), (4, [0, -1])], ids=str)
def test_each_capture_thread_stays_on_the_cpu_that_was_named_for_it(wire, threads, cpus):
    """The list is used in turn."""
    named = [CPUS[place] for place in cpus]
    if len(set(named)) != len(cpus):
        pytest.skip("THERE IS ONLY ONE CPU HERE")
    everywhere = Path("/proc/self/status").read_text().split("Cpus_allowed_list:")[1].split()[0]
    expected = sorted(str(named[place % len(named)]) for place in range(threads))
    with LiveClerk(wire.probe, "--interface", "watched", "--threads", threads, "--cpus",
                   ",".join(map(str, named))) as clerk:
        clerk.wait_until_capturing()
        wait_until(lambda: sorted(text for text in affinities(clerk) if text != everywhere) == expected,
                   "the threads are on CPUs %s" % expected)
        assert affinities(clerk)[0] == everywhere, "the ledger runs where it likes"
        clerk.stop()


def test_a_cpu_that_is_not_there_is_told(wire):
    with LiveClerk(wire.probe, "--interface", "watched", "--cpus", "0,999") as clerk:
        assert clerk.process.wait(timeout=clerk_runner.PATIENCE_S) in (1, 2)
        assert re.search(r"--cpus.*999", clerk.log())
