"""The command line as users and their scripts know it: words, outputs, counts, exit statuses and signals."""

import array
import fcntl
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pytest

import captures
import clerk_runner
import collectors
import packets
import traffic
from flow_model import FORCED_END, expected_records

DESCRIBED = [traffic.packet_of(traffic.tcp_key(1), 0.1, tcp_flags=packets.SYN),
             traffic.packet_of(traffic.udp6_key(2), 0.2, tos=0xB9),
             traffic.packet_of(traffic.udp_key(3, vlan_id=7), 0.3)]

COUNTS = ["packets_received", "packets_metered", "packets_dropped", "octets_metered", "flows_created",
          "records_exported", "packets_exported", "octets_exported", "send_errors"]


@pytest.fixture
def capture(tmp_path):
    return traffic.write_capture(tmp_path / "small.pcap", DESCRIBED)


def usage_error(*arguments):
    """Bad usage: exit status 2, and the first line on stderr says what is wrong."""
    run = clerk_runner.run_clerk(*arguments, expect=2)
    lines = run.stderr.splitlines()
    assert 1 <= len(lines) <= 2, run.stderr
    assert run.stdout == b""
    return lines[0]


def test_an_output_never_overwrites_an_input(capture):
    before = capture.read_bytes()
    run = clerk_runner.run_clerk("--read", capture, "--collector", "csv:%s/./%s" % (capture.parent, capture.name),
                                 expect=1)
    assert "would overwrite the input" in run.stderr and str(capture) in run.stderr
    assert capture.read_bytes() == before


def test_an_output_never_overwrites_stdin(capture):
    before = capture.read_bytes()
    with open(capture, "rb") as stdin:
        run = subprocess.run(clerk_runner.command("--read", "-", "--collector", "csv:%s" % capture), stdin=stdin,
                             capture_output=True, timeout=clerk_runner.PATIENCE_S)
    assert run.returncode == 1 and b"would overwrite the input" in run.stderr
    assert capture.read_bytes() == before


@pytest.mark.parametrize("pair", [("csv:x", "json:./x"), ("stdout", "json:-"), ("csv:-", "file:-")])
def test_two_collectors_never_write_to_one_file(capture, pair, monkeypatch):
    monkeypatch.chdir(capture.parent)
    (capture.parent / "x").touch()
    run = clerk_runner.run_clerk("--read", capture, "--collector", pair[0], "--collector", pair[1], expect=1)
    assert "same file" in run.stderr and pair[0] in run.stderr and pair[1] in run.stderr


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_a_run_without_stderr_still_does_its_work(capture, redirection):
    path = capture.parent / "flows.csv"
    shell = 'exec "$0" --read "$1" --collector "csv:$2" ' + redirection
    run = subprocess.run(["sh", "-c", shell, str(clerk_runner.CLERK), str(capture), str(path)],
                         timeout=clerk_runner.PATIENCE_S)
    assert run.returncode == 0
    assert len(clerk_runner.csv_records(path.read_text())) == len(DESCRIBED)


@pytest.mark.parametrize("arguments, redirection, name", [("--read -", "<&-", "--read -"),
                                                          ("--read \"$1\"", ">&-", "--collector stdout")])
def test_a_closed_stdin_or_stdout_is_a_clear_error(capture, arguments, redirection, name):
    run = subprocess.run(["sh", "-c", 'exec "$0" %s %s' % (arguments, redirection), str(clerk_runner.CLERK),
                          str(capture)], stderr=subprocess.PIPE, timeout=clerk_runner.PATIENCE_S)
    assert run.returncode == 1
    assert name in run.stderr.decode()


# Help and version


def test_help_shows_every_flag_and_examples():
    text = clerk_runner.run_clerk("--help").stdout.decode()
    for flag in ("read", "threads", "filter", "collector", "upload_every_secs", "flow_timeout_secs", "flows_max",
                 "observation_domain", "udp_records_per_second", "check", "timestamps", "help", "version"):
        assert "--" + flag in text.replace("-secs", "_secs"), flag
    assert len(examples_in(text)) >= 3, text


def examples_in(text):
    return re.findall(r"^ +.*\bclerk --.*$", text, re.M)


def test_version_is_a_name_and_a_number():
    assert re.fullmatch(r"clerk \d+\.\d+\.\d+.*\n", clerk_runner.run_clerk("--version").stdout.decode())


def test_without_arguments_three_examples_show_the_way():
    run = clerk_runner.run_clerk(expect=2)
    text = run.stdout.decode() + run.stderr
    assert len(examples_in(text)) == 3, text
    assert len(text.splitlines()) <= 15


# Spellings and bad usage


@pytest.mark.parametrize("arguments", [
    ["--upload_every_secs", "5"], ["--upload-every-secs=5"], ["--active-timeout", "5"], ["--active_timeout=5"],
])
def test_flags_may_be_spelled_with_either_dash_and_with_an_equals_sign(tmp_path, arguments):
    described = [traffic.packet_of(traffic.udp_key(), second) for second in range(12)]
    capture = traffic.write_capture(tmp_path / "x.pcap", described)
    run = clerk_runner.read_capture("--read=%s" % capture, *arguments)
    assert run.records() == expected_records(described, active_s=5)


@pytest.mark.parametrize("spelling", ["--flow_timeout_secs", "--flow-timeout-secs", "--idle-timeout", "--idle_timeout"])
def test_the_idle_timeout_has_two_names(tmp_path, spelling):
    described = [traffic.packet_of(traffic.udp_key(number), second) for number, second in ((1, 0), (2, 5), (2, 9))]
    capture = traffic.write_capture(tmp_path / "x.pcap", described)
    run = clerk_runner.read_capture("--read", capture, spelling, 3)
    assert run.records() == expected_records(described, idle_s=3)


@pytest.mark.parametrize("mistyped, meant", [("--colector", "--collector"), ("--raed", "--read"),
                                             ("--thread", "--threads"), ("--time-stamps", "--timestamps")])
def test_an_unknown_flag_names_the_nearest_one(capture, mistyped, meant):
    line = usage_error("--read", capture, mistyped, "x")
    assert one_spelling(mistyped) in one_spelling(line) and re.search(re.escape(meant) + r"\b", line)


def one_spelling(text):
    return text.replace("-", "_")


@pytest.mark.parametrize("flag, value", [
    ("--upload_every_secs", "0.5"), ("--upload_every_secs", "nan"), ("--flow_timeout_secs", "0"),
    ("--flow_timeout_secs", "-3"), ("--flow_timeout_secs", "soon"), ("--flow_timeout_secs", "nan"),
    ("--threads", "0"), ("--threads", "-1"), ("--threads", "many"), ("--flows_max", "0"), ("--flows_max", "-5"),
    ("--timestamps", "ps"), ("--observation_domain", "4294967296"), ("--observation_domain", "-1"),
    ("--udp_records_per_second", "-1"), ("--filter", "no such word"),
])
def test_a_value_that_cannot_be_is_bad_usage(capture, flag, value):
    line = usage_error("--read", capture, "%s=%s" % (flag, value))
    assert one_spelling(flag) in one_spelling(line)


@pytest.mark.parametrize("destination", [
    "", "udp://", ":4739", "host:", "host:port", "host:0", "host:99999", "[::1", "[::1]:x", "::1:4739", "ftp://host",
    "csv:", "json:", "file:", "tcp//host:1",
])
def test_a_collector_that_cannot_be_is_bad_usage(capture, destination):
    assert "--collector" in usage_error("--read", capture, "--collector", destination)


def test_a_flag_without_its_value_is_bad_usage():
    assert "--read" in usage_error("--read")


def test_a_collector_name_that_nobody_knows_cannot_run(capture):
    run = clerk_runner.run_clerk("--read", capture, "--collector", "collector.invalid:4739", expect=1)
    assert "collector.invalid" in run.stderr


def test_an_output_that_cannot_be_made_cannot_run(capture, tmp_path):
    for kind in ("csv", "json", "file"):
        path = tmp_path / "no such folder" / "x"
        run = clerk_runner.run_clerk("--read", capture, "--collector", "%s:%s" % (kind, path), expect=1)
        assert str(path) in run.stderr


def test_without_a_source_there_is_nothing_to_do():
    assert "--read" in usage_error("--collector", "stdout")


# --check


def test_check_prints_the_plan_and_the_memory_bound_and_does_nothing(capture, tmp_path):
    output = tmp_path / "made.csv"
    run = clerk_runner.run_clerk("--read", capture, "--collector", "csv:%s" % output, "--collector",
                                 "127.0.0.1:%d" % collectors.free_udp_port(), "--flows_max", 1000000, "--check")
    text = run.stdout.decode() + run.stderr
    assert str(capture) in text and str(output) in text and "127.0.0.1" in text
    assert re.search(r"\d+(\.\d+)? [MG]iB", text), "no memory bound in " + text
    assert not run.counts
    assert not output.exists()


def test_check_leaves_an_existing_output_as_it_is(capture, tmp_path):
    output = tmp_path / "kept.ipfix"
    output.write_bytes(b"yesterday")
    clerk_runner.run_clerk("--read", capture, "--collector", "file:%s" % output, "--check")
    assert output.read_bytes() == b"yesterday"


def test_check_finds_what_is_missing(tmp_path):
    run = clerk_runner.run_clerk("--read", tmp_path / "nowhere.pcap", "--check", expect=1)
    assert "nowhere.pcap" in run.stderr


# Outputs


def test_flows_go_to_stdout_as_csv_by_default(capture):
    run = clerk_runner.read_capture("--read", capture)
    lines = run.stdout.decode().splitlines()
    assert lines == [
        clerk_runner.CSV_HEADER,
        "2023-11-14T22:13:20.100000000Z,2023-11-14T22:13:20.100000000Z,10.1.0.1,192.0.2.1,40001,443,6,0,0,2,0,0,0,"
        "100,1,4",
        "2023-11-14T22:13:20.200000000Z,2023-11-14T22:13:20.200000000Z,2001:db8::2,2001:db8:1::1,40002,53,17,185,0,"
        "0,0,0,0,100,1,4",
        "2023-11-14T22:13:20.300000000Z,2023-11-14T22:13:20.300000000Z,10.1.0.3,192.0.2.1,40003,53,17,0,0,0,7,0,0,"
        "100,1,4",
    ]


@pytest.mark.parametrize("destination", ["stdout", "csv:-"])
def test_csv_on_stdout_has_two_names(capture, destination):
    assert clerk_runner.read_capture("--read", capture, "--collector", destination).stdout == \
        clerk_runner.read_capture("--read", capture).stdout


def test_json_lines_carry_the_iana_names(capture):
    run = clerk_runner.read_capture("--read", capture, "--collector", "json:-")
    first, second, _ = clerk_runner.json_lines(run.stdout.decode())
    assert first == {
        "sourceIPv4Address": "10.1.0.1", "destinationIPv4Address": "192.0.2.1", "sourceTransportPort": 40001,
        "destinationTransportPort": 443, "protocolIdentifier": 6, "tcpControlBits": 2, "icmpTypeCodeIPv4": 0,
        "bgpSourceAsNumber": 0, "bgpDestinationAsNumber": 0, "octetDeltaCount": 100, "packetDeltaCount": 1,
        "flowStartNanoseconds": "2023-11-14T22:13:20.100000000Z",
        "flowEndNanoseconds": "2023-11-14T22:13:20.100000000Z", "ipClassOfService": 0, "flowEndReason": 4,
        "vlanId": 0}
    assert list(first)[:2] == ["sourceIPv4Address", "destinationIPv4Address"]
    assert {"sourceIPv6Address", "destinationIPv6Address", "icmpTypeCodeIPv6"} < set(second)
    assert second["sourceIPv6Address"] == "2001:db8::2"


@pytest.mark.parametrize("kind", ["csv", "json", "file"])
def test_an_output_file_is_made_anew(capture, tmp_path, kind):
    path = tmp_path / "output"
    path.write_bytes(b"old" * 10000)
    clerk_runner.read_capture("--read", capture, "--collector", "%s:%s" % (kind, path))
    assert b"old" not in path.read_bytes()


@pytest.mark.parametrize("address, written", [
    ("2001:db8:0:0:0:0:0:1", "2001:db8::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("::", "::"),
    ("::1", "::1"), ("fe80::", "fe80::"), ("2001:DB8:AAAA::BEEF", "2001:db8:aaaa::beef"),
    ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
])
def test_ipv6_addresses_are_written_as_rfc_5952_asks(tmp_path, address, written):
    capture = traffic.write_capture(tmp_path / "x.pcap", [traffic.packet_of(traffic.udp6_key(source=address), 1)])
    table = clerk_runner.read_capture("--read", capture).stdout.decode()
    assert table.splitlines()[1].split(",")[2] == written


def test_times_have_nine_decimals_and_survive_the_epoch(tmp_path):
    times = [1, 999_999_999, 951_782_399 * 10**9 + 5, 4_102_444_800 * 10**9]  # up to 2100, over a leap day
    described = [traffic.packet_of(traffic.udp_key(), 0)._replace(time_ns=time_ns) for time_ns in times]
    capture = traffic.write_capture(tmp_path / "x.pcap", described)
    text = clerk_runner.read_capture("--read", capture).stdout.decode()
    assert "1970-01-01T00:00:00.000000001Z,1970-01-01T00:00:00.999999999Z," in text
    assert "2000-02-28T23:59:59.000000005Z," in text
    assert "2100-01-01T00:00:00.000000000Z," in text


# The final counts


def test_the_final_counts_name_everything_in_order(tmp_path, capture):
    run = clerk_runner.read_capture("--read", capture)
    names = [name for name in run.counts if name in COUNTS]
    assert names == COUNTS
    assert (run.counts["packets_received"], run.counts["packets_dropped"], run.counts["flows_created"],
            run.counts["records_exported"], run.counts["octets_metered"]) == (3, 0, 3, 3, 300)


def test_each_cause_met_has_a_counter_between_the_packets_and_the_octets(tmp_path):
    time_ns = traffic.at(0)
    network = packets.ipv4("10.0.0.1", "10.0.0.2", packets.udp(1, 2))
    malformed = packets.Network(packets.ETHERTYPE_IPV4, b"\x42" + network.octets[1:])
    deep = network
    for vlan_id in range(200):
        deep = packets.vlan(deep, vlan_id)
    frames = {"ignored_non_ip": packets.ethernet(packets.arp()), "ignored_truncated": packets.ethernet(network)[:30],
              "ignored_malformed": packets.ethernet(malformed), "ignored_depth_limit": packets.ethernet(deep)}
    path = tmp_path / "ignored.pcap"
    path.write_bytes(captures.pcap(captures.Captured(time_ns, frame, max(64, len(frame))) for frame in frames.values()))
    run = clerk_runner.read_capture("--read", path)
    names = list(run.counts)
    assert {name: run.counts.get(name) for name in frames} == dict.fromkeys(frames, 1)
    for name in frames:
        assert names.index("packets_metered") < names.index(name) < names.index("octets_metered")


def test_causes_that_were_not_met_are_not_named(capture):
    assert not [name for name in clerk_runner.read_capture("--read", capture).counts if name.startswith("ignored_")]


def test_without_a_terminal_stderr_holds_the_memory_bound_and_the_final_counts(capture):
    lines = clerk_runner.read_capture("--read", capture).stderr.splitlines()
    assert len(lines) == 2
    assert re.search(r"memory.*\b\d+ MiB", lines[0])
    assert lines[1].startswith("packets_received=")


def on_a_terminal(*arguments, stdin):
    """clerk with stdout and stderr on a pseudo terminal; gives the process and the terminal."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(clerk_runner.command(*arguments), stdin=stdin, stdout=other_end, stderr=other_end)
    os.close(other_end)
    return process, terminal


def test_a_terminal_gets_a_summary_for_people(capture, tmp_path):
    process, terminal = on_a_terminal("--read", capture, "--collector", "csv:%s" % (tmp_path / "x.csv"),
                                      stdin=subprocess.DEVNULL)
    text = read_to_the_end(terminal)
    assert process.wait(timeout=clerk_runner.PATIENCE_S) == 0
    assert "packets_received=3" in text
    for record in expected_records(DESCRIBED):
        assert record.key.source in text, text
    assert "MiB read" not in text, "progress of an input this short"


def test_a_terminal_gets_progress_while_the_input_is_long():
    process, terminal = on_a_terminal("--read", "-", stdin=subprocess.PIPE)
    process.stdin.write(captures.pcap(traffic.captured(DESCRIBED)))
    process.stdin.flush()
    time.sleep(1.7)
    process.stdin.close()
    text = read_to_the_end(terminal)
    assert process.wait(timeout=clerk_runner.PATIENCE_S) == 0
    assert "MiB read" in text and "packets_received=3" in text, text


def read_to_the_end(terminal):
    """A pseudo terminal ends with an input/output error."""
    pieces = []
    try:
        while piece := os.read(terminal, 65536):
            pieces.append(piece)
    except OSError:
        pass
    os.close(terminal)
    return b"".join(pieces).decode(errors="replace")


# Signals and closed pipes


def waiting_octets(pipe):
    waiting = array.array("i", [0])
    fcntl.ioctl(pipe.fileno(), termios.FIONREAD, waiting)
    return waiting[0]


def fed_clerk(content, *arguments):
    """clerk with this much read from a stdin that stays open."""
    process = clerk_runner.start_clerk("--read", "-", *arguments)
    process.stdin.write(content)
    process.stdin.flush()
    collectors.wait_until(lambda: waiting_octets(process.stdin) == 0, "clerk has read its stdin")
    time.sleep(0.3)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_signal_reports_every_held_flow_and_ends_well(tmp_path, number, threads):
    described = traffic.random_traffic(11, flows=200, seconds=10)
    path = tmp_path / "flows.csv"
    process = fed_clerk(captures.pcap(traffic.captured(described, 96)), "--threads", threads, "--collector",
                        "csv:%s" % path)
    run = clerk_runner.stop_clerk(process, number)
    assert run.exit_status == 0
    assert run.counts["packets_received"] == len(described)
    records = clerk_runner.csv_records(path.read_text())
    assert records == expected_records(described)
    assert records[-1].end_reason == FORCED_END


def test_a_signal_between_two_octets_of_a_packet_is_no_error():
    content = captures.pcap(traffic.captured(DESCRIBED))
    process = fed_clerk(content[:-10])
    run = clerk_runner.stop_clerk(process, signal.SIGINT)
    assert run.exit_status == 0
    assert run.records() == expected_records(DESCRIBED[:-1])


def test_a_second_signal_ends_at_once(tmp_path):
    """The first one leaves clerk at work: it has to send 2000 records at one a second."""
    described = [traffic.packet_of(traffic.udp_key(number), number * 1e-4) for number in range(2000)]
    with collectors.UdpReceiver() as receiver:
        process = fed_clerk(captures.pcap(traffic.captured(described)), "--collector",
                            "127.0.0.1:%d" % receiver.port, "--udp_records_per_second", 1)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1.5)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=3)
    process.communicate()
    assert process.returncode != 0


def test_a_closed_stdout_is_no_crash(tmp_path):
    described = traffic.random_traffic(12, flows=5000, seconds=60)
    capture = traffic.write_capture(tmp_path / "x.pcap", described)
    process = clerk_runner.start_clerk("--read", capture, "--active-timeout", 1, "--idle-timeout", 1)
    process.stdin.close()
    assert process.stdout.readline().decode().strip() == clerk_runner.CSV_HEADER
    process.stdout.close()
    stderr = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=clerk_runner.PATIENCE_S) in (0, 1, -signal.SIGPIPE)
    clerk_runner.assert_conserved(clerk_runner.parse_counts(stderr))


def test_a_closed_stdout_costs_the_other_collectors_nothing(tmp_path):
    described = traffic.random_traffic(13, flows=3000, seconds=60)
    capture = traffic.write_capture(tmp_path / "x.pcap", described)
    table = tmp_path / "flows.csv"
    process = clerk_runner.start_clerk("--read", capture, "--collector", "stdout", "--collector", "csv:%s" % table)
    process.stdin.close()
    process.stdout.close()
    assert "stdout" in process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=clerk_runner.PATIENCE_S) == 1
    assert clerk_runner.csv_records(table.read_text()) == expected_records(described)


def test_a_full_disk_is_told_and_the_counts_still_add_up(capture):
    run = clerk_runner.run_clerk("--read", capture, "--collector", "csv:/dev/full", expect=1)
    assert "/dev/full" in run.stderr
    assert run.counts["records_exported"] == 3


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@needs_root
def test_files_are_read_as_the_user_from_the_start(capture, tmp_path):
    for folder in [tmp_path, *tmp_path.parents]:
        if folder != folder.parent and folder.stat().st_uid == os.geteuid() and folder.name != "tmp":
            folder.chmod(0o755)
    capture.chmod(0o600)
    output = tmp_path / "flows.csv"
    run = clerk_runner.run_clerk("--read", capture, "--user", "nobody", "--collector", "csv:%s" % output, expect=1)
    assert "--read %s: Permission denied" % capture in run.stderr
    assert not output.exists()
    capture.chmod(0o644)
    assert clerk_runner.read_capture("--read", capture, "--user", "nobody").counts["packets_metered"] == len(DESCRIBED)


def test_two_outputs_are_never_one_file_however_it_is_written(capture, tmp_path):
    run = clerk_runner.run_clerk("--read", capture, "--collector", "csv:%s/flows" % tmp_path, "--collector",
                                 "json:%s/./flows" % tmp_path, expect=1)
    assert "writes to the same file" in run.stderr
    assert not (tmp_path / "flows").exists()


@needs_root
@pytest.mark.parametrize("processes, told", [(1, "a thread cannot be started"), (3, "only [0-9] can be started")])
def test_threads_that_the_system_refuses_are_told(capture, processes, told):
    """As an account of its own, whose processes nobody else's add to."""
    with tempfile.TemporaryDirectory() as folder:
        clerk, copy = Path(folder) / "clerk", Path(folder) / "x.pcap"
        shutil.copy(clerk_runner.CLERK, clerk)
        shutil.copy(capture, copy)
        for path in (folder, clerk, copy):
            os.chmod(path, 0o755)
        run = subprocess.run(["setpriv", "--reuid", "45454", "--regid", "45454", "--clear-groups", "prlimit",
                              "--nproc=%d" % processes, clerk, "--read", copy, "--threads", "16"], capture_output=True,
                             text=True, timeout=clerk_runner.PATIENCE_S,
                             env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})  # which takes a thread
    assert run.returncode in (0, 1), run.stderr
    assert re.search(told, run.stderr), run.stderr
    if run.returncode == 0:
        clerk_runner.assert_conserved(clerk_runner.parse_counts(run.stderr))


# Tunnels


def test_no_tunnel_at_all_is_none_to_look_into():
    run = clerk_runner.run_clerk("--read", "x.pcap", "--decapsulate", "", expect=2)
    assert "--decapsulate: '' is no tunnel; choose gre," in run.stderr


def test_the_plan_names_what_changes_the_figures(tmp_path):
    capture = traffic.write_capture(tmp_path / "x.pcap", [traffic.packet_of(traffic.tcp_key(), 0.5)])
    run = clerk_runner.run_clerk("--read", capture, "--check", "--decapsulate", "gre,vxlan", "--mtu", 9000)
    plan = run.stdout.decode() + run.stderr
    assert "look into tunnels: gre,vxlan" in plan and "longer than 9000 octets" in plan
