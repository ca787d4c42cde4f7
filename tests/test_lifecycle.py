"""A record's life: when it is reported, why, and what is in it; by hand-made packets and by random ones.

Every run is compared with flow_model, so a test only says what is special about its packets.
"""

import random

import pytest

import clerk_runner
import ipfix_reader
import packets
import traffic
from flow_model import (ACTIVE_TIMEOUT, END_DETECTED, FORCED_END, IDLE_TIMEOUT, LACK_OF_RESOURCES, SECOND,
                        expected_records)
from packets import ACK, FIN, PSH, RST, SYN
from traffic import at, packet_of, tcp_key, udp6_key, udp_key


def timeouts(idle_s, active_s):
    return ["--idle-timeout", idle_s, "--active-timeout", active_s]


def reported(tmp_path, described, *, idle_s=30, active_s=60):
    """What clerk reports for these packets, which is what the model says."""
    capture = traffic.write_capture(tmp_path / "life.pcap", described)
    records = clerk_runner.read_capture("--read", capture, *timeouts(idle_s, active_s)).records()
    assert records == expected_records(described, idle_s=idle_s, active_s=active_s)
    return records


def reasons(records):
    return [record.end_reason for record in records]


def heartbeat(first_s, last_s, step_s=1.0):
    """A flow of its own that drives the packet clock."""
    count = int((last_s - first_s) / step_s) + 1
    return [packet_of(udp_key(999), first_s + place * step_s) for place in range(count)]


def merged(*parts):
    return sorted((packet for part in parts for packet in part), key=lambda packet: packet.time_ns)


def of_key(records, key):
    return [record for record in records if record.key == key]


# Idle and active timeouts


def test_a_silent_flow_is_reported_after_the_idle_timeout(tmp_path):
    records = reported(tmp_path, merged([packet_of(udp_key(), 0.25), packet_of(udp_key(), 2.5)], heartbeat(0, 50)))
    [record] = of_key(records, udp_key())
    assert (record.end_reason, record.packets) == (IDLE_TIMEOUT, 2)
    assert (record.first_ns, record.last_ns) == (at(0.25), at(2.5))


def test_packets_that_keep_coming_hold_off_the_idle_timeout(tmp_path):
    rare = [packet_of(udp_key(), second) for second in (0.5, 9.4, 18.3, 27.2)]
    records = reported(tmp_path, merged(rare, heartbeat(0, 60)), idle_s=10, active_s=1000)
    assert reasons(of_key(records, udp_key())) == [IDLE_TIMEOUT]


def test_a_long_flow_is_reported_at_every_active_timeout(tmp_path):
    records = reported(tmp_path, heartbeat(0.5, 150.5))
    assert reasons(records) == [ACTIVE_TIMEOUT, ACTIVE_TIMEOUT, FORCED_END]
    assert sum(record.packets for record in records) == 151


def test_after_an_active_timeout_the_next_record_starts_with_the_next_packet(tmp_path):
    flow = [packet_of(udp_key(), second) for second in (0.5, 30, 59, 85, 86)]
    first, second = of_key(reported(tmp_path, merged(flow, heartbeat(0, 100)), idle_s=40), udp_key())
    assert (first.first_ns, first.last_ns, first.packets) == (at(0.5), at(59), 3)
    assert (second.first_ns, second.last_ns, second.packets) == (at(85), at(86), 2)


def test_a_flow_that_stops_at_its_active_timeout_leaves_no_empty_record(tmp_path):
    flow = [packet_of(udp_key(), second) for second in range(0, 60)]
    records = of_key(reported(tmp_path, merged(flow, heartbeat(0, 200))), udp_key())
    assert [(record.packets, record.end_reason) for record in records] == [(60, ACTIVE_TIMEOUT)]


def test_the_active_timeout_is_named_before_the_idle_one(tmp_path):
    records = reported(tmp_path, merged([packet_of(udp_key(), 0.5)], heartbeat(0, 10)), idle_s=5, active_s=5)
    assert reasons(of_key(records, udp_key())) == [ACTIVE_TIMEOUT]


@pytest.mark.parametrize("idle_s, active_s", [(1, 1), (1.5, 3.25), (2.75, 2.5), (7, 1.001)])
def test_timeouts_may_be_fractional(tmp_path, idle_s, active_s):
    flows = [packet_of(udp_key(number), second) for number in range(1, 8) for second in
             (number * 0.37, number * 0.37 + 0.9, number + 2.2)]
    reported(tmp_path, merged(flows, heartbeat(0, 20, 0.5)), idle_s=idle_s, active_s=active_s)


@pytest.mark.parametrize("idle_s, active_s", [(5, 1000), (1000, 7.5)], ids=["idle", "active"])
def test_a_record_is_due_within_a_second_of_its_timeout(tmp_path, idle_s, active_s):
    flows = [packet_of(udp_key(number), number * 0.1) for number in range(1, 60)]
    capture = traffic.write_capture(tmp_path / "due.pcap", merged(flows, heartbeat(0, 30, 0.1)))
    path = tmp_path / "due.ipfix"
    clerk_runner.read_capture("--read", capture, *timeouts(idle_s, active_s), "--collector", "file:%s" % path)
    timed = [(message.export_time * SECOND, record) for message in
             ipfix_reader.read_datagrams(ipfix_reader.split_file(path.read_bytes()))
             for record in ipfix_reader.flow_records([message]) if record.key != udp_key(999)]
    assert len(timed) == 59
    for export_ns, record in timed:
        due_ns = record.last_ns + min(idle_s, active_s) * SECOND
        assert due_ns <= export_ns <= due_ns + SECOND


# Ends of TCP connections


@pytest.mark.parametrize("last_flags", [FIN | ACK, RST, RST | ACK], ids=["FIN", "RST", "RST and ACK"])
def test_a_connection_that_ends_is_reported_at_once(tmp_path, last_flags):
    flow = [packet_of(tcp_key(), 0.1, tcp_flags=SYN), packet_of(tcp_key(), 0.5, tcp_flags=ACK | PSH),
            packet_of(tcp_key(), 1.9, tcp_flags=last_flags)]
    [record] = of_key(reported(tmp_path, merged(flow, heartbeat(0, 10))), tcp_key())
    assert (record.end_reason, record.packets) == (END_DETECTED, 3)
    assert record.tcp_flags == SYN | ACK | PSH | last_flags


def test_trailing_acknowledgments_fall_into_the_record_that_ended(tmp_path):
    flow = [packet_of(tcp_key(), 0.1, tcp_flags=SYN), packet_of(tcp_key(), 0.3, tcp_flags=FIN | ACK),
            packet_of(tcp_key(), 0.4, tcp_flags=ACK), packet_of(tcp_key(), 1.2, tcp_flags=ACK),
            packet_of(tcp_key(), 2.9, tcp_flags=ACK)]
    [record] = of_key(reported(tmp_path, merged(flow, heartbeat(0, 10))), tcp_key())
    assert (record.end_reason, record.packets, record.last_ns) == (END_DETECTED, 5, at(2.9))


def test_a_straggler_after_the_report_is_a_record_of_its_own(tmp_path):
    flow = [packet_of(tcp_key(), 0.1, tcp_flags=FIN | ACK), packet_of(tcp_key(), 8, tcp_flags=ACK)]
    records = of_key(reported(tmp_path, merged(flow, heartbeat(0, 60))), tcp_key())
    assert reasons(records) == [END_DETECTED, IDLE_TIMEOUT]


@pytest.mark.parametrize("reopened_s", [0.31, 1.5, 2.9, 5], ids=["same second", "next second", "last moment", "later"])
def test_a_syn_on_an_ended_key_starts_a_new_flow(tmp_path, reopened_s):
    flow = [packet_of(tcp_key(), 0.1, tcp_flags=SYN), packet_of(tcp_key(), 0.3, tcp_flags=FIN | ACK),
            packet_of(tcp_key(), reopened_s, tcp_flags=SYN), packet_of(tcp_key(), reopened_s + 0.1, tcp_flags=ACK)]
    old, new = of_key(reported(tmp_path, merged(flow, heartbeat(0, 60))), tcp_key())
    assert (old.packets, old.end_reason, old.tcp_flags) == (2, END_DETECTED, SYN | FIN | ACK)
    assert (new.packets, new.end_reason, new.tcp_flags) == (2, IDLE_TIMEOUT, SYN | ACK)
    assert new.first_ns == at(reopened_s)


def test_a_key_may_open_and_end_many_times_within_a_second(tmp_path):
    flow = [packet_of(tcp_key(), 0.1 * connection + step, tcp_flags=flags) for connection in range(9)
            for step, flags in ((0, SYN), (0.02, ACK), (0.04, RST))]
    records = of_key(reported(tmp_path, merged(flow, heartbeat(0, 10))), tcp_key())
    assert [(record.packets, record.end_reason) for record in records] == [(3, END_DETECTED)] * 9


def test_a_trailing_ack_before_the_syn_belongs_to_the_old_flow(tmp_path):
    flow = [packet_of(tcp_key(), 0.1, tcp_flags=RST), packet_of(tcp_key(), 1.1, tcp_flags=ACK),
            packet_of(tcp_key(), 1.2, tcp_flags=SYN), packet_of(tcp_key(), 1.3, tcp_flags=ACK)]
    records = of_key(reported(tmp_path, merged(flow, heartbeat(0, 10))), tcp_key())
    assert [record.packets for record in records] == [2, 2]


@pytest.mark.parametrize("second_syn_s", [0.2, 1.2, 3.2])
def test_a_repeated_syn_does_not_split_a_flow_that_has_not_ended(tmp_path, second_syn_s):
    flow = [packet_of(tcp_key(), 0.1, tcp_flags=SYN), packet_of(tcp_key(), 0.15, tcp_flags=ACK),
            packet_of(tcp_key(), second_syn_s, tcp_flags=SYN), packet_of(tcp_key(), 3.5, tcp_flags=ACK)]
    [record] = of_key(reported(tmp_path, merged(flow, heartbeat(0, 60))), tcp_key())
    assert record.packets == 4


def test_a_udp_flow_never_ends_by_octets_that_look_like_flags(tmp_path):
    assert reasons(reported(tmp_path, [packet_of(udp_key(), 0.1), packet_of(udp_key(), 9)])) == [FORCED_END]


# The end of the input


def test_what_is_held_at_the_end_is_forced_out(tmp_path):
    described = [packet_of(udp_key(number), number * 0.01) for number in range(1, 20)]
    assert set(reasons(reported(tmp_path, described))) == {FORCED_END}


def test_an_end_that_was_detected_outranks_the_forced_one(tmp_path):
    described = [packet_of(tcp_key(), 0.1, tcp_flags=FIN), packet_of(udp_key(), 0.2)]
    assert reasons(reported(tmp_path, described)) == [END_DETECTED, FORCED_END]


# What a record holds


def test_records_due_together_leave_in_the_order_of_their_first_packet(tmp_path):
    keys = [udp_key(number) if number % 3 else udp6_key(number) for number in (50, 3, 41, 7, 12, 33, 9, 24)]
    described = [packet_of(key, 0.1 + place * 0.01) for place, key in enumerate(keys)]
    records = reported(tmp_path, merged(described, described[::-1], heartbeat(1, 60)))
    assert [record.key for record in records[:len(keys)]] == keys


def test_the_class_of_service_is_the_whole_octet_of_the_first_packet(tmp_path):
    described = [packet_of(udp_key(), 0.1 * place, tos=tos) for place, tos in enumerate([0xBA, 0xB8, 0xBB, 0xB9])]
    [record] = reported(tmp_path, described)
    assert (record.tos, record.packets) == (0xBA, 4)


def test_another_dscp_is_another_flow(tmp_path):
    described = [packet_of(udp_key(), 0.1 * place, tos=tos) for place, tos in enumerate([0xB8, 0x28, 0, 0xB9])]
    assert sorted(record.packets for record in reported(tmp_path, described)) == [1, 1, 2]


def test_another_vlan_is_another_flow(tmp_path):
    described = [packet_of(udp_key(vlan_id=vlan_id), 0.1 * vlan_id) for vlan_id in (0, 1, 2, 3)]
    assert len(reported(tmp_path, described)) == 4


def test_times_out_of_order_keep_first_and_last_true(tmp_path):
    described = [packet_of(udp_key(), second) for second in (5, 3.5, 9, 1.25, 8)]
    [record] = reported(tmp_path, described)
    assert (record.first_ns, record.last_ns) == (at(1.25), at(9))


@pytest.mark.parametrize("seed", range(6))
def test_random_traffic_is_reported_as_the_model_says(tmp_path, seed):
    chance = random.Random(seed)
    described = traffic.random_traffic(seed, flows=1500, seconds=90)
    idle_s, active_s = chance.choice([(30, 60), (3, 10), (5, 7.5), (12.5, 300)])
    reported(tmp_path, described, idle_s=idle_s, active_s=active_s)


@pytest.mark.parametrize("seed", range(6, 10))
def test_random_traffic_out_of_order_is_reported_as_the_model_says(tmp_path, seed):
    chance = random.Random(seed)
    described = sorted(traffic.random_traffic(seed, flows=800, seconds=60),
                       key=lambda packet: packet.time_ns + chance.uniform(-2, 2) * SECOND)
    reported(tmp_path, described, idle_s=10, active_s=20)


def restless_traffic(seed):
    """A handful of TCP keys that open, end and reopen at random, with times that wander back and forth."""
    chance = random.Random(seed)
    second = 1000.0
    for _ in range(4000):
        second += chance.choice([0, 0.001, 0.05, 0.4, -0.2]) + chance.choices([0, 4, 40, -3, -300],
                                                                            [1000, 10, 2, 10, 1])[0]
        flags = chance.choice([SYN, ACK, ACK, ACK, FIN | ACK, RST])
        yield packet_of(tcp_key(chance.randrange(12)), second, tos=chance.choice([0, 0, 1, 0xB8]), tcp_flags=flags)


@pytest.mark.parametrize("seed", range(10, 18))
def test_restless_connections_are_reported_as_the_model_says(tmp_path, seed):
    chance = random.Random(seed)
    reported(tmp_path, list(restless_traffic(seed)), idle_s=chance.choice([1, 2.5, 10, 30]),
             active_s=chance.choice([1, 5, 60]))


# The clock


def test_a_step_back_beyond_the_idle_timeout_ends_everything_held(tmp_path):
    described = [packet_of(udp_key(1), 100), packet_of(udp_key(2), 100.5), packet_of(udp_key(1), 60)]
    records = reported(tmp_path, described)
    assert reasons(records) == [FORCED_END] * 3
    assert [record.first_ns for record in records] == [at(100), at(100.5), at(60)]


def test_an_older_second_file_restarts_the_clock_and_timeouts_go_on(tmp_path):
    newer = [packet_of(udp_key(1), second) for second in range(1000, 1010)]
    older = merged([packet_of(udp_key(1), 0.5)], heartbeat(0, 40))
    run = clerk_runner.read_capture("--read", traffic.write_capture(tmp_path / "newer.pcap", newer),
                                    "--read", traffic.write_capture(tmp_path / "older.pcap", older))
    records = run.records()
    assert records == expected_records(newer + older)
    assert reasons(of_key(records, udp_key(1))) == [FORCED_END, IDLE_TIMEOUT]
    assert run.counts["clock_restarts"] == 1


def test_a_small_step_back_moves_nothing(tmp_path):
    described = [packet_of(udp_key(1), 100), packet_of(udp_key(2), 71), packet_of(udp_key(1), 100.5)]
    assert len(reported(tmp_path, described)) == 2


def test_a_step_forward_is_believed_and_counted(tmp_path):
    described = [packet_of(udp_key(1), 0.5), packet_of(udp_key(2), 90 * 86400)]
    capture = traffic.write_capture(tmp_path / "jump.pcap", described)
    run = clerk_runner.read_capture("--read", capture)
    assert reasons(run.records()) == [IDLE_TIMEOUT, FORCED_END]
    assert run.counts["clock_jumps"] == 1


# Lack of resources


def test_a_full_ledger_reports_the_oldest_records_to_make_room(tmp_path):
    described = [packet_of(udp_key(number), number * 0.01) for number in range(1, 1001)]
    capture = traffic.write_capture(tmp_path / "flood.pcap", described)
    records = clerk_runner.read_capture("--read", capture, "--flows_max", 100).records()
    evicted = [record for record in records if record.end_reason == LACK_OF_RESOURCES]
    assert len(evicted) >= 900
    assert [record.key for record in records] == [udp_key(number) for number in range(1, 1001)]
    assert set(reasons(records)) == {LACK_OF_RESOURCES, FORCED_END}


def test_an_evicted_flow_that_goes_on_is_a_new_record(tmp_path):
    described = [packet_of(udp_key(number), 10 * round_ + number * 0.01) for round_ in range(3)
                 for number in range(1, 201)]
    capture = traffic.write_capture(tmp_path / "rounds.pcap", described)
    records = clerk_runner.read_capture("--read", capture, "--flows_max", 50).records()
    assert len(records) == 600
    assert all(record.packets == 1 for record in records)
