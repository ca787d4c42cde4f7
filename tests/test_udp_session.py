"""IPFIX over UDP as a Transport Session: message sizes, templates, sequence, destinations, pacing, errors."""

import struct

import pytest

import captures
import clerk_runner
import collectors
import ipfix_reader
import packets
import traffic
from collectors import UdpReceiver
from flow_model import expected_records

MESSAGE_MAX = 1400
IPV4_TEMPLATE, IPV6_TEMPLATE = 256, 257
RECORDS_IN_A_FULL_MESSAGE = {IPV4_TEMPLATE: 23, IPV6_TEMPLATE: 16}
TEMPLATE_SECONDS = 30
TEMPLATE_MESSAGES = 4096


def flows(count, make_key=traffic.udp_key):
    return [traffic.packet_of(make_key(number), number * 1e-6) for number in range(1, count + 1)]


def send_to(receiver, *arguments, host="127.0.0.1"):
    """Runs clerk with this receiver as its collector; gives the run and the decoded messages."""
    run = clerk_runner.read_capture(*arguments, "--collector", "%s:%d" % (host, receiver.port))
    messages = ipfix_reader.read_datagrams(receiver.datagrams())
    assert len(ipfix_reader.flow_records(messages)) == run.counts["records_exported"]
    return run, messages


def exported(tmp_path, described, *arguments):
    capture = traffic.write_capture(tmp_path / "session.pcap", described)
    with UdpReceiver() as receiver:
        return send_to(receiver, "--read", capture, *arguments)


def records_in(messages, set_id):
    return [len(message.records) for message in messages if set_id in message.set_ids]


# Messages


def test_no_message_is_longer_than_1400_octets(tmp_path):
    described = sorted(flows(500) + flows(500, traffic.udp6_key), key=lambda packet: packet.time_ns)
    _, messages = exported(tmp_path, described)
    assert max(len(message.octets) for message in messages) <= MESSAGE_MAX


@pytest.mark.parametrize("make_key, set_id", [(traffic.udp_key, IPV4_TEMPLATE), (traffic.udp6_key, IPV6_TEMPLATE)],
                         ids=["IPv4", "IPv6"])
def test_messages_are_full_while_there_are_records(tmp_path, make_key, set_id):
    full = RECORDS_IN_A_FULL_MESSAGE[set_id]
    _, messages = exported(tmp_path, flows(1000, make_key))
    counts = records_in(messages, set_id)
    assert counts == [full] * (1000 // full) + [1000 % full]


def test_a_message_of_data_holds_one_set(tmp_path):
    described = sorted(flows(50) + flows(50, traffic.udp6_key), key=lambda packet: packet.time_ns)
    _, messages = exported(tmp_path, described)
    assert all(len(message.set_ids) == 1 for message in messages if message.records)


def test_each_family_leaves_in_the_order_of_the_first_packets(tmp_path):
    described = traffic.random_traffic(5, flows=500, seconds=60)
    _, messages = exported(tmp_path, described)
    found = ipfix_reader.flow_records(messages)
    for is_ipv6 in (False, True):
        assert [record for record in found if record.key.is_ipv6 == is_ipv6] == \
            [record for record in expected_records(described) if record.key.is_ipv6 == is_ipv6]


def test_the_sequence_counts_data_records_and_nothing_else(tmp_path):
    _, messages = exported(tmp_path, traffic.random_traffic(6, flows=300, seconds=120))
    sent = 0
    for message in messages:
        assert message.sequence == sent
        sent += len(message.records)
    assert any(message.templates for message in messages[1:])


def test_the_export_time_is_the_packet_clock(tmp_path):
    described = traffic.random_traffic(7, flows=300, seconds=60)
    _, messages = exported(tmp_path, described)
    times = [message.export_time for message in messages]
    assert times == sorted(times)
    assert times[0] * 10**9 >= described[0].time_ns - 10**9
    assert times[-1] * 10**9 <= described[-1].time_ns + 10**9


def test_the_observation_domain_is_the_users(tmp_path):
    for arguments, domain in (([], 1), (["--observation_domain", 4000000001], 4000000001)):
        _, messages = exported(tmp_path, flows(3), *arguments)
        assert {message.domain for message in messages} == {domain}


# Templates


def test_templates_come_first(tmp_path):
    _, messages = exported(tmp_path, flows(30))
    assert set(messages[0].templates) == {IPV4_TEMPLATE, IPV6_TEMPLATE}
    assert not messages[0].records


def test_templates_come_again_every_thirty_seconds_of_packet_time(tmp_path):
    described = traffic.random_traffic(8, flows=2000, seconds=200)
    _, messages = exported(tmp_path, described, "--active-timeout", 5, "--idle-timeout", 3)
    sent_at = None
    repeats = 0
    for message in messages:
        if message.templates:
            assert set(message.templates) == {IPV4_TEMPLATE, IPV6_TEMPLATE}
            sent_at, repeats = message.export_time, repeats + 1
        assert message.export_time - sent_at <= TEMPLATE_SECONDS
    seconds = messages[-1].export_time - messages[0].export_time
    assert seconds // TEMPLATE_SECONDS <= repeats <= seconds // (TEMPLATE_SECONDS - 5) + 1


def many_flows_in_one_second(count):
    """A pcap of one-packet flows, fast to write."""
    prototype = packets.ethernet(packets.ipv4("10.0.0.0", "192.0.2.1", packets.udp(1, 2)))
    before, behind = prototype[:26], prototype[30:]
    octets = len(prototype)
    seconds = traffic.START_NS // 10**9
    return captures.pcap_header(nanoseconds=True) + b"".join(
        struct.pack("<IIII", seconds, number, octets, octets) + before + struct.pack("!I", 0x0A000000 + number)
        + behind for number in range(count))


def test_templates_come_again_at_least_every_4096_messages(tmp_path):
    count = (TEMPLATE_MESSAGES + 500) * RECORDS_IN_A_FULL_MESSAGE[IPV4_TEMPLATE]
    path = tmp_path / "many.pcap"
    path.write_bytes(many_flows_in_one_second(count))
    with UdpReceiver() as receiver:
        _, messages = send_to(receiver, "--read", path, "--udp_records_per_second", 400000)
    places = [place for place, message in enumerate(messages) if message.templates]
    assert places[0] == 0 and len(places) >= 2
    assert max(later - earlier for earlier, later in zip(places, places[1:])) <= TEMPLATE_MESSAGES


# Destinations


def test_one_source_port_serves_the_whole_session(tmp_path):
    capture = traffic.write_capture(tmp_path / "x.pcap", traffic.random_traffic(9, flows=500, seconds=100))
    with UdpReceiver() as receiver:
        send_to(receiver, "--read", capture)
        assert len({sender for _, sender, _ in receiver.arrivals}) == 1


def test_several_collectors_each_get_everything(tmp_path):
    described = traffic.random_traffic(10, flows=300, seconds=50)
    capture = traffic.write_capture(tmp_path / "x.pcap", described)
    with UdpReceiver() as one, UdpReceiver() as other:
        run, messages = send_to(one, "--read", capture, "--collector", "udp://127.0.0.1:%d" % other.port,
                                "--collector", "stdout")
        assert [message.octets for message in messages] == other.datagrams()
    assert run.records() == expected_records(described)


@pytest.mark.parametrize("bound_to, host", [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "udp://127.0.0.1"),
                                            ("::1", "[::1]"), ("::1", "udp://[::1]")])
def test_a_collector_may_be_an_address_of_either_family(tmp_path, bound_to, host):
    if bound_to == "::1" and not collectors.has_ipv6_loopback():
        pytest.skip("THERE IS NO IPV6 HERE")
    capture = traffic.write_capture(tmp_path / "x.pcap", flows(20))
    with UdpReceiver(bound_to) as receiver:
        _, messages = send_to(receiver, "--read", capture, host=host)
    assert sum(len(message.records) for message in messages) == 20


def test_a_collector_may_be_a_name(tmp_path):
    capture = traffic.write_capture(tmp_path / "x.pcap", flows(20))
    with UdpReceiver("::") as receiver:  # both families, whichever the name leads to
        _, messages = send_to(receiver, "--read", capture, host="localhost")
    assert sum(len(message.records) for message in messages) == 20


# Errors and pacing


def test_a_collector_that_refuses_is_counted_and_the_run_ends_well(tmp_path):
    capture = traffic.write_capture(tmp_path / "x.pcap", flows(2000))
    run = clerk_runner.read_capture("--read", capture, "--collector", "127.0.0.1:%d" % collectors.free_udp_port())
    assert run.counts["records_exported"] == 2000
    assert run.counts["send_errors"] > 0
    assert len(run.stderr.splitlines()) < 20, "errors are logged at a sane rate"


def test_a_refusing_collector_costs_the_others_nothing(tmp_path):
    capture = traffic.write_capture(tmp_path / "x.pcap", flows(1000))
    with UdpReceiver() as receiver:
        run, _ = send_to(receiver, "--read", capture, "--collector", "127.0.0.1:%d" % collectors.free_udp_port(),
                         "--collector", "stdout")
    assert len(run.records()) == 1000
    assert run.counts["send_errors"] > 0


@pytest.mark.parametrize("count, per_second", [(3000, 1500), (1500, 500)])
def test_records_are_paced(tmp_path, count, per_second):
    capture = traffic.write_capture(tmp_path / "x.pcap", flows(count))
    with UdpReceiver() as receiver:
        send_to(receiver, "--read", capture, "--udp_records_per_second", per_second)
        arrivals = [arrival for arrival, _, _ in receiver.arrivals]
    spread_s = arrivals[-1] - arrivals[0]
    assert 0.7 * count / per_second <= spread_s <= 1.5 * count / per_second + 1


def test_a_pace_of_zero_is_no_pace(tmp_path):
    path = tmp_path / "many.pcap"
    path.write_bytes(many_flows_in_one_second(50000))
    with UdpReceiver() as receiver:  # it may lose some of them
        run = clerk_runner.read_capture("--read", path, "--collector", "127.0.0.1:%d" % receiver.port,
                                        "--udp_records_per_second", 0, timeout_s=10)
    assert (run.counts["records_exported"], run.counts["send_errors"]) == (50000, 0)
