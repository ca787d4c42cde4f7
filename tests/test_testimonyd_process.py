"""testimonyd as a process: what it takes from the machine and gives back, what it may do, what it says of itself."""

import contextlib
import grp
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from collectors import wait_until
from live_clerk import PATIENCE_S
from testimony import (FANOUT_LB, TESTIMONYD, Client, TestimonyDaemon, fanout_index, pump, read_packets, socket_config)

CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_NET_RAW = 0, 1, 13


def other_daemon(wire, folder, *sockets):
    """A second one, with files of its own."""
    folder.mkdir(exist_ok=True)
    return TestimonyDaemon(wire.probe, folder, *sockets)


def assert_serves(daemon, numbered):
    with Client(daemon.path, 0) as client:
        numbered.send(10)
        read_packets([client], 10)


# The sockets' paths


def test_a_daemon_does_not_take_the_socket_of_another(serve, wire, numbered, tmp_path):
    daemon = serve()
    with Client(daemon.path, 0) as client:
        with other_daemon(wire, tmp_path / "second", *daemon.sockets) as second:
            log = second.ended(expect=1)
        assert re.search("error: .*testimony.sock: another program answers there; end it first", log), log
        numbered.send(10)
        read_packets([client], 10)
    assert_serves(daemon, numbered)
    daemon.stop()


def test_nor_the_socket_of_its_statistics(serve, wire, tmp_path):
    daemon = serve()
    config = socket_config(tmp_path / "other.sock")
    with other_daemon(wire, tmp_path / "second", config) as second:
        second.wait_until_serving()
        with TestimonyDaemon(wire.probe, tmp_path, socket_config(tmp_path / "third.sock")) as third:
            log = third.ended(expect=1)
        assert re.search("error: --stats_socket .*stats.sock: another program answers there", log), log
        second.stop()
    assert daemon.stats()["sockets"][0]["capturing"]
    assert not (tmp_path / "third.sock").exists()
    daemon.stop()


def test_two_daemons_that_start_together_do_not_share_a_socket(wire, numbered, tmp_path):
    config = socket_config(tmp_path / "testimony.sock")
    with contextlib.ExitStack() as stack:
        daemons = [stack.enter_context(other_daemon(wire, tmp_path / str(place), config)) for place in range(3)]
        wait_until(lambda: sum(daemon.is_running() for daemon in daemons) == 1, "two have given up")
        [lasting] = [daemon for daemon in daemons if daemon.is_running()]
        lasting.wait_until_serving()
        assert_serves(lasting, numbered)
        lasting.stop()


def test_the_socket_of_a_daemon_that_was_killed_is_replaced(serve, numbered):
    daemon = serve()
    daemon.kill()
    assert stat.S_ISSOCK(os.stat(daemon.path).st_mode) and daemon.stats_path.is_socket()
    again = serve()
    assert_serves(again, numbered)
    again.stop()


@pytest.mark.parametrize("make", [lambda path: path.write_text("precious"), Path.mkdir,
                                  lambda path: path.symlink_to("/nowhere"), os.mkfifo],
                         ids=["file", "folder", "link", "pipe"])
@pytest.mark.parametrize("place", ["testimony.sock", "stats.sock"])
def test_what_is_no_socket_is_never_removed(wire, tmp_path, make, place):
    path = tmp_path / place
    make(path)
    before = os.lstat(path)
    with TestimonyDaemon(wire.probe, tmp_path, socket_config(tmp_path / "testimony.sock")) as daemon:
        log = daemon.ended(expect=1)
    assert re.search(r"error: .*%s: is there already and no socket; remove it" % re.escape(place), log), log
    assert os.lstat(path) == before
    other = tmp_path / ({"testimony.sock", "stats.sock"} - {place}).pop()
    assert not other.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_end_takes_the_sockets_along_and_nobody_elses(serve, tmp_path, number):
    daemon = serve()
    replaced = socket_config(tmp_path / "replaced.sock")
    daemon.reload(daemon.sockets[0], replaced)
    os.unlink(replaced["SocketName"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as somebody:
        somebody.bind(replaced["SocketName"])
        daemon.stop(number=number)
        assert [path.name for path in tmp_path.glob("*.sock")] == ["replaced.sock"]


def test_a_folder_that_is_not_there_is_told(wire, tmp_path):
    with TestimonyDaemon(wire.probe, tmp_path, socket_config(tmp_path / "missing" / "testimony.sock")) as daemon:
        assert re.search("error: .*missing/testimony.sock: .*No such file or directory", daemon.ended(expect=1))


# Who may connect


@pytest.fixture
def public_folder():
    """One that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="testimony-public-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextlib.contextmanager
def serving_in(folder, wire, **keys):
    config = socket_config(folder / "testimony.sock", **keys)
    with TestimonyDaemon(wire.probe, folder, config) as daemon:
        yield daemon.wait_until_serving()
        daemon.stop()


def may_connect(path, user, group):
    program = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
    become = ["setpriv", "--reuid", str(user), "--regid", str(group), "--clear-groups"]
    return subprocess.run([*become, sys.executable, "-c", program, path], capture_output=True).returncode == 0


NOBODY, GAMES, DAEMON = pwd.getpwnam("nobody"), pwd.getpwnam("games"), grp.getgrnam("daemon")


@pytest.mark.parametrize("keys, mode, owner, group, who", [
    ({}, 0o600, 0, 0, []),
    ({"User": "nobody"}, 0o600, NOBODY.pw_uid, 0, ["nobody"]),
    ({"Group": "daemon"}, 0o660, 0, DAEMON.gr_gid, ["games of daemon"]),
    ({"User": "nobody", "Group": "daemon"}, 0o660, NOBODY.pw_uid, DAEMON.gr_gid, ["nobody", "games of daemon"]),
    ({"User": str(NOBODY.pw_uid)}, 0o600, NOBODY.pw_uid, 0, ["nobody"])],
    ids=["root", "user", "group", "user and group", "number"])
def test_the_socket_is_its_owners_and_its_groups(wire, public_folder, keys, mode, owner, group, who):
    people = {"nobody": (NOBODY.pw_uid, NOBODY.pw_gid), "games": (GAMES.pw_uid, GAMES.pw_gid),
              "games of daemon": (GAMES.pw_uid, DAEMON.gr_gid)}
    with serving_in(public_folder, wire, **keys) as daemon:
        status = os.stat(daemon.path)
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, owner, group)
        assert [name for name, ids in people.items() if may_connect(daemon.path, *ids)] == who
        # It is so, too, when the daemon opens it later, with what it has kept of its privileges.
        later = {**daemon.sockets[0], "SocketName": str(public_folder / "later.sock")}
        daemon.reload(daemon.sockets[0], later)
        status = os.stat(later["SocketName"])
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, owner, group)
        assert stat.S_IMODE(os.stat(daemon.stats_path).st_mode) == 0o666
    assert not list(public_folder.glob("*.sock"))


# What it may do


def capabilities(daemon):
    masks = {int(mask, 16) for field in ("CapEff", "CapPrm") for mask in daemon.status(field)}
    return [{place for place in range(64) if mask >> place & 1} for mask in masks]


def test_it_keeps_two_capabilities_and_one_thread(serve, numbered):
    daemon = serve(FanoutSize=2)
    assert capabilities(daemon) == [{CAP_NET_RAW, CAP_CHOWN}]
    assert set(daemon.status("CapInh") + daemon.status("CapAmb")) == {"0" * 16}
    assert len(daemon.status("State")) == 1 and daemon.status("NoNewPrivs") == ["1"]
    daemon.stop()


def test_it_keeps_a_third_one_where_it_may_not_write_otherwise(wire, public_folder):
    os.chown(public_folder, NOBODY.pw_uid, -1)
    with serving_in(public_folder, wire) as daemon:
        assert capabilities(daemon) == [{CAP_NET_RAW, CAP_CHOWN, CAP_DAC_OVERRIDE}]
    assert not list(public_folder.glob("*.sock"))


def test_who_may_not_capture_is_told_how(wire, public_folder):
    os.chown(public_folder, NOBODY.pw_uid, -1)
    prefix = ["setpriv", "--reuid", "nobody", "--clear-groups"]
    with TestimonyDaemon(wire.probe, public_folder, socket_config(public_folder / "testimony.sock"),
                         prefix=prefix) as daemon:
        assert "needs the capability CAP_NET_RAW" in daemon.ended(expect=1)


def test_what_comes_and_goes_leaves_no_descriptor(serve, numbered):
    daemon = serve(MaxClients=16)
    with Client(daemon.path, 0) as client:
        before = daemon.descriptors()
        for _ in range(50):
            Client(daemon.path).close()
            Client(daemon.path, 0).close()
            daemon.stats()
            with Client(daemon.path) as wrong:
                wrong.take_greeting()
                wrong.say(fanout_index(9))
                wrong.hear_end()
        for _ in range(5):
            daemon.reload({**daemon.sockets[0], "SocketName": daemon.path + "2"}, daemon.sockets[0])
            daemon.reload(*daemon.sockets)
        wait_until(lambda: daemon.descriptors() == before, "all are gone")
        numbered.send(10)
        read_packets([client], 10)
    daemon.stop()


# What it says


def sums(rings, name):
    return sum(ring[name] for ring in rings)


def test_the_statistics_add_up(serve, numbered):
    daemon = serve(FanoutSize=2, FanoutType=FANOUT_LB)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(daemon.path, index)) for index in (0, 1, 1)]
        keeping = stack.enter_context(Client(daemon.path, 1, keep=2))
        stack.enter_context(Client(daemon.path)).take_greeting()
        for _ in range(4):
            numbered.send(200)
            pump([*clients, keeping], lambda: len(clients[0].numbers) + len(clients[1].numbers) == numbered.sent and
                 len(clients[2].numbers) == len(keeping.numbers) == len(clients[1].numbers), "all came")
        wait_until(lambda: sums(daemon.rings(), "packets") == numbered.sent, "the kernel counted them")
        wait_until(lambda: sums(daemon.rings(), "blocks_held") == 2, "blocks came back")
        stats = daemon.stats()
        assert set(stats) == {"version", "uptime_seconds", "sockets"} and stats["uptime_seconds"] > 0
        [served] = stats["sockets"]
        rings = served.pop("rings")
        assert served == {"socket": daemon.path, "interface": "watched", "capturing": True, "rings_made": 1,
                          "clients_greeting": 1, "clients_refused": 0}
        assert [ring["index"] for ring in rings] == [0, 1]
        assert [len(ring["clients"]) for ring in rings] == [ring["clients_joined"] for ring in rings] == [1, 3]
        assert [ring["packets"] for ring in rings] == [len(clients[0].numbers), len(clients[1].numbers)]
        assert sums(rings, "drops") == sums(rings, "freezes") == sums(rings, "evictions") == 0
        for ring in rings:
            assert ring["blocks_sent"] == sums(ring["clients"], "blocks_sent") == ring["blocks"] * len(ring["clients"])
            assert ring["blocks_returned"] == sums(ring["clients"], "blocks_returned")
            assert ring["blocks_sent"] - ring["blocks_returned"] == sums(ring["clients"], "blocks_held")
            assert {(client["pid"], client["uid"]) for client in ring["clients"]} == {(os.getpid(), os.getuid())}
        assert [client["blocks_held"] for client in rings[1]["clients"]] == [0, 0, 2]
        assert sorted(client["client"] for ring in rings for client in ring["clients"]) == [1, 2, 3, 4]
    daemon.stop()


def fields(line):
    return {name: json.loads(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}


def test_a_signal_and_the_end_bring_the_counters_into_the_log(serve, numbered):
    daemon = serve()
    with Client(daemon.path, 0, keep=1) as client:
        numbered.send(10)
        read_packets([client], 10)
        wait_until(lambda: daemon.ring()["packets"] == 10, "the kernel counted them")
        daemon.signal(signal.SIGUSR1)
        daemon.wait_for_line("index=0 client=1")
        stats = daemon.ring()
        [counts] = map(fields, daemon.lines("index=0 packets="))
        assert counts == {**stats, "clients": 1}
        [of_client] = map(fields, daemon.lines("index=0 client=1"))
        assert of_client.items() >= {"pid": os.getpid(), "blocks_held": 1, "blocks_sent": client.blocks}.items()
        assert daemon.lines("interface=watched capturing=1 rings_made=1 clients_greeting=0 clients_refused=0")
        daemon.stop()
    assert len(daemon.lines("index=0 packets=10 ")) == 2


def test_who_asks_for_statistics_and_does_not_read_holds_nobody_up(serve, numbered):
    daemon = serve()
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            inquiry = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            inquiry.connect(str(daemon.stats_path))  # which waits while others wait
        assert daemon.ring()["packets"] == 0
        assert_serves(daemon, numbered)
    daemon.stop()


# The configuration


GOOD = socket_config("/tmp/none.sock")


def with_keys(**keys):
    return json.dumps([{**GOOD, **keys}])


def without(name):
    return json.dumps([{key: value for key, value in GOOD.items() if key != name}])


WRONG = {
    "nothing": ("", 1, 1, "the configuration is empty"),
    "no JSON": ("[\n {\n", 3, 1, "this is no JSON"),
    "a comma too many": ("[{\"Interface\": \"lo\",\n}]", 2, 1, "remove the comma before it"),
    "an object": ("{}", 1, 1, "must be an array of objects"),
    "a string as element": ("[\n\"eth0\"]", 2, 1, "must be an object, which describes a socket"),
    "no SocketName": (without("SocketName"), 1, 2, "SocketName is missing"),
    "no Interface": (without("Interface"), 1, 2, "Interface is missing"),
    "no BlockSize": (without("BlockSize"), 1, 2, "BlockSize is missing"),
    "an odd BlockSize": (with_keys(BlockSize=5000), 1, None, "BlockSize must be a multiple of the page size"),
    "one block": (with_keys(NumBlocks=1), 1, None, "NumBlocks must be between 2 and 65536"),
    "a number as text": (with_keys(NumBlocks="16"), 1, None, "NumBlocks must be an integer; this is a string"),
    "an abstract socket": (with_keys(SocketName="@testimony"), 1, None, "is not a path"),
    "a long path": (with_keys(SocketName="/tmp/" + "x" * 108), 1, None, "and the path of a socket no more than 107"),
    "a long interface": (with_keys(Interface="x" * 16), 1, None, "and no interface's name more than 15"),
    "an unknown fanout": (with_keys(FanoutType=9), 1, None, "is none that the kernel has"),
    "too much fanout": (with_keys(FanoutSize=257), 1, None, "FanoutSize must be between 0 and 256"),
    "a filter": (with_keys(Filter="port port"), 1, None, "Filter: "),
    "an unknown user": (with_keys(User="nobody-knows"), 1, None, "User 'nobody-knows': no such account"),
    "an unknown group": (with_keys(Group="nobody-knows"), 1, None, "Group 'nobody-knows': no such group"),
    "no room": (with_keys(ReserveBlocks=15), 1, None, "must be no more than 14, two less than NumBlocks"),
    "the same twice": (json.dumps([GOOD, GOOD], indent=0), 10, None, "SocketName '/tmp/none.sock' is that of line 3"),
    "a group twice": (json.dumps([{**GOOD, "FanoutID": 5}, {**GOOD, "SocketName": "/tmp/b.sock", "FanoutID": 5}]), 1,
                      None, "FanoutID 5 is that of line 1"),
}


@pytest.mark.parametrize("text, line, column, message", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("flags", [[], ["--check"]], ids=["start", "check"])
def test_what_is_wrong_with_the_configuration_is_told_with_its_place(tmp_path, flags, text, line, column, message):
    path = tmp_path / "testimony.conf"
    path.write_text(text)
    run = subprocess.run([TESTIMONYD, "--config", path, *flags], capture_output=True, timeout=PATIENCE_S)
    said = (run.stderr + run.stdout).decode()
    assert run.returncode == 1, said
    [told] = [each for each in said.splitlines() if message in each]
    place = re.search(r"%s:(\d+):(\d+): " % re.escape(str(path)), told)
    assert place and int(place[1]) == line and int(place[2]) > 0, told
    assert column is None or int(place[2]) == column, told
    assert not os.path.exists("/tmp/none.sock")


def test_all_problems_are_told_at_once(tmp_path):
    path = tmp_path / "testimony.conf"
    path.write_text(with_keys(BlockSize=5000, NumBlocks=1, FanoutType=9))
    run = subprocess.run([TESTIMONYD, "--config", path], capture_output=True, timeout=PATIENCE_S)
    assert run.returncode == 1 and len(re.findall(r"testimony\.conf:1:\d+: ", run.stderr.decode())) == 3


def test_a_configuration_that_is_not_there_is_told(tmp_path):
    for flags in ([], ["--check"]):
        run = subprocess.run([TESTIMONYD, "--config", tmp_path / "none.conf", *flags], capture_output=True,
                             timeout=PATIENCE_S)
        assert run.returncode == 1 and "none.conf: No such file or directory" in run.stderr.decode()


def test_check_takes_nothing(serve, numbered):
    daemon = serve()
    with Client(daemon.path, 0) as client:
        run = subprocess.run([TESTIMONYD, "--config", daemon.config_path, "--check"], capture_output=True,
                             timeout=PATIENCE_S)
        assert run.returncode == 0 and daemon.path in run.stdout.decode(), run.stderr
        numbered.send(10)
        read_packets([client], 10)
    daemon.stop()


def test_an_unknown_key_is_a_warning_that_names_the_one_that_was_meant(serve):
    daemon = serve(NumBlock=8)
    [line] = daemon.lines(r"testimony\.conf:\d+:\d+: ")
    assert "warn" in line and "NumBlocks" in line
    daemon.stop()
