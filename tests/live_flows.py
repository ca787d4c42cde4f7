"""What has to come out of live packets: sums of flows, because how many records a flow makes depends on the moment."""

from dataclasses import dataclass

import flow_model
from flow_model import SECOND

# Between a packet's arrival and the kernel's look at the clock a busy machine may do something else.
TIME_TOLERANCE_NS = SECOND // 100


@dataclass
class Total:
    """A flow over all its records, or over all its sent packets."""

    packets: int = 0
    octets: int = 0
    tcp_flags: int = 0

    def add(self, packets, octets, tcp_flags):
        self.packets += packets
        self.octets += octets
        self.tcp_flags |= tcp_flags


def totals_of_records(records):
    totals = {}
    for record in records:
        totals.setdefault((record.key, record.tos >> 2), Total()).add(record.packets, record.octets, record.tcp_flags)
    return totals


def totals_of_packets(described):
    totals = {}
    for packet in described:
        totals.setdefault((packet.key, packet.tos >> 2), Total()).add(1, packet.octets, packet.tcp_flags)
    return totals


def assert_flows(records, described):
    """Every flow has the packets, octets and TCP flags that were sent, and there is no other flow."""
    found, expected = totals_of_records(records), totals_of_packets(described)
    different = [(flow, found.get(flow), expected.get(flow)) for flow in found.keys() | expected.keys()
                 if found.get(flow) != expected.get(flow)]
    assert not different, "%d flows differ; found, expected: %s" % (len(different), different[:5])


def assert_times(records, sent):
    """A record begins and ends while one of its flow's packets was being sent; a flow, with its first and last."""
    windows, reported = {}, {}
    for packet, before_ns, after_ns in sent:
        windows.setdefault((packet.key, packet.tos >> 2), []).append(
            (before_ns - TIME_TOLERANCE_NS, after_ns + TIME_TOLERANCE_NS))
    for record in records:
        reported.setdefault((record.key, record.tos >> 2), []).append(record)
    for flow, parts in reported.items():
        for time_ns in (time_ns for part in parts for time_ns in (part.first_ns, part.last_ns)):
            assert any(low <= time_ns <= high for low, high in windows[flow]), (flow, time_ns, windows[flow])
        _assert_within(min(part.first_ns for part in parts), windows[flow][0], flow)
        _assert_within(max(part.last_ns for part in parts), windows[flow][-1], flow)


def _assert_within(time_ns, window, flow):
    low, high = window
    assert low <= time_ns <= high, (flow, time_ns, window)


def assert_complete(run, sent):
    """Nothing was lost, and the records say exactly what was sent. The conservation law was checked with the run."""
    described = [packet for packet, _, _ in sent]
    assert (run.counts["packets_received"], run.counts["packets_dropped"]) == (len(described), 0), run.stderr
    assert run.counts["octets_metered"] == sum(packet.octets for packet in described)
    records = run.records()
    assert_flows(records, described)
    assert_times(records, sent)


def reasons(records):
    return {record.end_reason for record in records}


def of_key(records, key: flow_model.FlowKey):
    return [record for record in records if record.key == key]
