"""An IPFIX decoder of its own (RFC 7011), small and strict, for datagrams and for RFC 5655 files.

It shares nothing with clerk: a message that breaks a rule raises IpfixError. Records are dicts by IANA name.
"""

import ipaddress
import struct
from dataclasses import dataclass, field

import flow_model

TEMPLATE_SET = 2
NTP_TO_UNIX_S = 2_208_988_800

ELEMENTS = {
    1: "octetDeltaCount", 2: "packetDeltaCount", 4: "protocolIdentifier", 5: "ipClassOfService", 6: "tcpControlBits",
    7: "sourceTransportPort", 8: "sourceIPv4Address", 11: "destinationTransportPort", 12: "destinationIPv4Address",
    16: "bgpSourceAsNumber", 17: "bgpDestinationAsNumber", 27: "sourceIPv6Address", 28: "destinationIPv6Address",
    32: "icmpTypeCodeIPv4", 56: "sourceMacAddress", 58: "vlanId", 80: "destinationMacAddress",
    136: "flowEndReason", 139: "icmpTypeCodeIPv6",
    152: "flowStartMilliseconds", 153: "flowEndMilliseconds", 154: "flowStartMicroseconds",
    155: "flowEndMicroseconds", 156: "flowStartNanoseconds", 157: "flowEndNanoseconds",
    256: "ethernetType", 352: "layer2OctetDeltaCount",
}
ADDRESSES = {8, 12, 27, 28}
MAC_ADDRESSES = {56, 80}
MILLISECONDS = {152, 153}
# Times in NTP format (section 6.1): the unit in ns that is meant, and the fraction's bits that are zero.
NTP_TIMES = {154: (1000, 11), 155: (1000, 11), 156: (1, 0), 157: (1, 0)}


class IpfixError(Exception):
    """The octets are not what RFC 7011 asks for."""


@dataclass
class Message:
    """One IPFIX message: the header's fields, the templates it brings, the template ids of its sets, its records."""

    octets: bytes
    export_time: int
    sequence: int
    domain: int
    templates: dict = field(default_factory=dict)
    set_ids: list = field(default_factory=list)
    records: list = field(default_factory=list)


def _require(condition, complaint):
    if not condition:
        raise IpfixError(complaint)


def _unix_ns(ntp, unit_ns, zero_bits):
    """The microsecond or nanosecond nearest to a 64-bit NTP time."""
    _require(ntp % (1 << zero_bits) == 0, "a microsecond time of %#x" % ntp)
    seconds, fraction = ntp >> 32, ntp & 0xFFFFFFFF
    units = fraction * 10**9 // unit_ns + 2**31 >> 32
    return (seconds - NTP_TO_UNIX_S) * 10**9 + units * unit_ns


def _value(element, octets):
    if element in ADDRESSES:
        return str(ipaddress.ip_address(octets))
    if element in MAC_ADDRESSES:
        _require(len(octets) == 6, "a MAC address of %d octets" % len(octets))
        return octets.hex(":")
    number = int.from_bytes(octets, "big")
    if element in MILLISECONDS:
        return number * 10**6
    return _unix_ns(number, *NTP_TIMES[element]) if element in NTP_TIMES else number


class IpfixReader:
    """Decodes the messages of one Transport Session; it remembers the templates and checks the sequence numbers.

    With `check_sequence` off, losses are allowed.
    """

    def __init__(self, *, check_sequence=True):
        self._templates = {}
        self._next_sequence = 0
        self._check_sequence = check_sequence

    def read(self, octets):
        _require(len(octets) >= 16, "message shorter than its header")
        version, length, export_time, sequence, domain = struct.unpack_from("!HHIII", octets)
        _require(version == 10, "version %d" % version)
        _require(length == len(octets), "length field %d in a message of %d octets" % (length, len(octets)))
        message = Message(octets, export_time, sequence, domain)
        if self._check_sequence:
            _require(sequence == self._next_sequence, "sequence %d, not %d" % (sequence, self._next_sequence))
        self._read_sets(message)
        self._next_sequence = sequence + len(message.records) & 0xFFFFFFFF
        return message

    def _read_sets(self, message):
        position = 16
        while position < len(message.octets):
            _require(position + 4 <= len(message.octets), "a piece of a set header")
            set_id, length = struct.unpack_from("!HH", message.octets, position)
            _require(4 <= length <= len(message.octets) - position, "set of %d octets" % length)
            message.set_ids.append(set_id)
            body = message.octets[position + 4:position + length]
            if set_id == TEMPLATE_SET:
                self._read_templates(message, body)
            else:
                self._read_records(message, set_id, body)
            position += length

    def _read_templates(self, message, body):
        position = 0
        while len(body) - position > 3:
            template_id, count = struct.unpack_from("!HH", body, position)
            _require(template_id >= 256 and count, "template %d of %d fields" % (template_id, count))
            position += 4
            fields = [struct.unpack_from("!HH", body, position + 4 * place) for place in range(count)]
            _require(all(element in ELEMENTS for element, _ in fields), "unknown element in %s" % fields)
            _require(len(set(element for element, _ in fields)) == count, "an element occurs twice")
            known = self._templates.setdefault(template_id, fields)
            _require(known == fields, "template %d changed its meaning" % template_id)
            message.templates[template_id] = fields
            position += 4 * count

    def _read_records(self, message, set_id, body):
        _require(set_id in self._templates, "set %d came before its template" % set_id)
        template = self._templates[set_id]
        size = sum(length for _, length in template)
        _require(len(body) >= size, "a data set without a record")
        _require(len(body) % size <= 3 and not any(body[len(body) // size * size:]), "padding")
        for start in range(0, len(body) - size + 1, size):
            message.records.append(self._read_record(template, body[start:start + size]))

    @staticmethod
    def _read_record(template, octets):
        record, position = {}, 0
        for element, length in template:
            record[ELEMENTS[element]] = _value(element, octets[position:position + length])
            position += length
        return record


def read_datagrams(datagrams, **options):
    reader = IpfixReader(**options)
    return [reader.read(datagram) for datagram in datagrams]


def split_file(octets):
    """The messages of an RFC 5655 file, which is nothing but messages one behind the other."""
    messages = []
    while octets:
        _require(len(octets) >= 16, "the file ends in a piece of a message")
        length = struct.unpack_from("!H", octets, 2)[0]
        messages.append(octets[:length])
        octets = octets[length:]
    return messages


def flow_record(record, unit="Nanoseconds"):
    """A decoded Data Record as a flow_model.Record."""
    family = "IPv6" if "sourceIPv6Address" in record else "IPv4"
    key = flow_model.FlowKey(record["source%sAddress" % family], record["destination%sAddress" % family],
                             record["protocolIdentifier"], record["sourceTransportPort"],
                             record["destinationTransportPort"], record["icmpTypeCode%s" % family], record["vlanId"])
    return flow_model.Record(key, record["ipClassOfService"], record["packetDeltaCount"], record["octetDeltaCount"],
                             record["flowStart" + unit], record["flowEnd" + unit], record["tcpControlBits"],
                             record["flowEndReason"])


def flow_records(messages, unit="Nanoseconds"):
    return [flow_record(record, unit) for message in messages for record in message.records]
