"""Flows without IP: frames that make them, the records expected of them, and the same as each program shows them.

Every `*_records` function leaves out the flows of IP and keeps the order.
"""

import csv
import io
from typing import NamedTuple

import clerk_runner
import collectors
import flow_model
import ipfix_reader
import packets

CSV_HEADER = clerk_runner.CSV_HEADER + ",ethernetType"
BROADCAST = "ff:ff:ff:ff:ff:ff"


class Key(NamedTuple):
    source: str
    destination: str
    ethertype: int
    vlan_id: int = 0


class Record(NamedTuple):
    """`octets` are those of whole frames."""

    key: Key
    packets: int
    octets: int
    first_ns: int
    last_ns: int
    end_reason: int


class Frame(NamedTuple):
    """A frame without IP at its time. The key says what the octets mean."""

    key: Key
    time_ns: int
    octets: bytes


def host(number):
    return "02:00:00:%02x:%02x:%02x" % (number >> 16, number >> 8 & 255, number & 255)


def frame(network, time_ns, *, ethertype, source=host(1), destination=BROADCAST, vlan_id=0):
    """Padded as on a real wire. The tags, if there are any, are the caller's."""
    octets = packets.ethernet(network, minimum=60, destination=destination, source=source)
    return Frame(Key(source, destination, ethertype, vlan_id), time_ns, octets)


def arp(time_ns, **addresses):
    return frame(packets.arp(), time_ns, ethertype=packets.ETHERTYPE_ARP, **addresses)


def expected_records(frames, end_reason=flow_model.FORCED_END):
    """One record a flow, in the order of first frames: no timeout passes while they come."""
    flows = {}
    for one in frames:
        flows.setdefault(one.key, []).append(one)
    return [Record(key, len(some), sum(len(one.octets) for one in some), min(one.time_ns for one in some),
                   max(one.time_ns for one in some), end_reason) for key, some in flows.items()]


# What clerk writes


def csv_rows(text):
    assert text.startswith(CSV_HEADER + "\n"), text[:300]
    return list(csv.DictReader(io.StringIO(text)))


def csv_records(text):
    """What a flow without IP does not have is 0."""
    rows = [row for row in csv_rows(text) if row["ethernetType"]]
    absent = ["sourceTransportPort", "destinationTransportPort", "protocolIdentifier", "ipClassOfService",
              "icmpTypeCode", "tcpControlBits", "bgpSourceAsNumber", "bgpDestinationAsNumber"]
    assert all(row[name] == "0" for row in rows for name in absent)
    return [Record(Key(row["sourceAddress"], row["destinationAddress"], int(row["ethernetType"]), int(row["vlanId"])),
                   int(row["packetDeltaCount"]), int(row["octetDeltaCount"]), clerk_runner.time_ns(row["flowStart"]),
                   clerk_runner.time_ns(row["flowEnd"]), int(row["flowEndReason"])) for row in rows]


def json_records(text):
    return [_named_record(fields, clerk_runner.time_ns) for fields in clerk_runner.json_lines(text)
            if "sourceMacAddress" in fields]


def ipfix_records(messages):
    """Of messages decoded by ipfix_reader."""
    return [_named_record(fields, int) for message in messages for fields in message.records
            if "sourceMacAddress" in fields]


def file_messages(path):
    return ipfix_reader.read_datagrams(ipfix_reader.split_file(path.read_bytes()))


# What other programs show


def tshark_records(path, port=None):
    """Times may be a nanosecond early, see collectors.tshark_records."""
    flows = [{name.removeprefix("cflow."): value for name, value in flow.items()}
             for flow in collectors.tshark_flows(collectors.tshark_documents(path, port))]
    return [_tshark_record(fields) for fields in flows if "srcmac" in fields]


def _tshark_record(fields):
    times = fields["timedelta_tree"]
    key = Key(fields["srcmac"], fields["dstmac"], int(fields["ethernet_type"], 0), int(fields["vlanid"]))
    return Record(key, int(fields["packets"]), int(fields["layer2_octet_delta_count"]),
                  collectors.tshark_time(times["cflow.abstimestart"]),
                  collectors.tshark_time(times["cflow.abstimeend"]), int(fields["flow_end_reason"]))


def ipfix_dump_records(path):
    """Times are whole seconds."""
    return [_named_record(fields, collectors.ipfix_dump_time) for fields in collectors.ipfix_dump_fields(path)
            if "sourceMacAddress" in fields]


def python_ipfix_records(path):
    """Microseconds at best."""
    return [_named_record(fields, collectors.python_ipfix_ntp_time) for fields in collectors.python_ipfix_fields(path)
            if "sourceMacAddress" in fields]


def _named_record(fields, take_time):
    """A record whose fields carry the IANA names, with nothing else beside them."""
    expected = {"sourceMacAddress", "destinationMacAddress", "ethernetType", "layer2OctetDeltaCount",
                "packetDeltaCount", "flowStartNanoseconds", "flowEndNanoseconds", "flowEndReason", "vlanId"}
    assert set(fields) == expected, fields
    key = Key(fields["sourceMacAddress"], fields["destinationMacAddress"], int(fields["ethernetType"]),
              int(fields["vlanId"]))
    return Record(key, int(fields["packetDeltaCount"]), int(fields["layer2OctetDeltaCount"]),
                  take_time(fields["flowStartNanoseconds"]), take_time(fields["flowEndNanoseconds"]),
                  int(fields["flowEndReason"]))
