"""Traffic for tests: described packets, and the frames that say the same on the wire.

`frame_of` turns a flow_model.Packet into the octets of a captured frame, so what a test expects and what clerk reads
come from the same description by two different ways.
"""

import random

import captures
import packets
from flow_model import SECOND, FlowKey, Packet

START_NS = 1_700_000_000 * SECOND

IPV4_HEADER = 20
IPV6_HEADER = 40

_TRANSPORT_HEADERS = {packets.PROTOCOL_TCP: 20, packets.PROTOCOL_UDP: 8, packets.PROTOCOL_UDP_LITE: 8,
                      packets.PROTOCOL_DCCP: 16, packets.PROTOCOL_SCTP: 28, packets.PROTOCOL_ICMP: 4,
                      packets.PROTOCOL_ICMPV6: 4}
_PORT_BUILDERS = {packets.PROTOCOL_UDP: packets.udp, packets.PROTOCOL_UDP_LITE: packets.udp_lite,
                  packets.PROTOCOL_DCCP: packets.dccp, packets.PROTOCOL_SCTP: packets.sctp}
_ICMP_BUILDERS = {packets.PROTOCOL_ICMP: packets.icmp, packets.PROTOCOL_ICMPV6: packets.icmpv6}


def smallest_octets(key):
    """The IP length of a packet of this flow that carries nothing."""
    return (IPV6_HEADER if key.is_ipv6 else IPV4_HEADER) + _TRANSPORT_HEADERS[key.protocol]


def network_of(packet):
    key = packet.key
    payload = bytes(packet.octets - smallest_octets(key))
    if key.protocol == packets.PROTOCOL_TCP:
        transport = packets.tcp(key.source_port, key.destination_port, packet.tcp_flags, payload)
    elif key.protocol in _ICMP_BUILDERS:
        transport = _ICMP_BUILDERS[key.protocol](*divmod(key.icmp_type_code, 256), payload)
    else:
        transport = _PORT_BUILDERS[key.protocol](key.source_port, key.destination_port, payload)
    if key.is_ipv6:
        network = packets.ipv6(key.source, key.destination, transport, traffic_class=packet.tos)
    else:
        network = packets.ipv4(key.source, key.destination, transport, tos=packet.tos)
    return packets.vlan(network, key.vlan_id, priority=5) if key.vlan_id else network


def frame_of(packet):
    """Ethernet, padded to the minimum as on a real wire."""
    return packets.ethernet(network_of(packet), minimum=60)


def captured(described, snap_length=65535):
    frames = [(packet.time_ns, frame_of(packet)) for packet in described]
    return [captures.Captured(time_ns, frame[:snap_length], len(frame)) for time_ns, frame in frames]


def write_capture(path, described, snap_length=128):
    """Cut as a capture of headers is, because no octet behind the headers may matter."""
    path.write_bytes(captures.pcap(captured(described, snap_length)))
    return path


def at(seconds):
    """The time that lies so many seconds behind the start of all test traffic, to the nanosecond."""
    return START_NS + round(seconds * SECOND)


def tcp_key(number=1, **fields):
    """A TCP flow of its own for each number."""
    return FlowKey("10.1.%d.%d" % divmod(number, 250), "192.0.2.1", packets.PROTOCOL_TCP, 40000 + number % 20000,
                   443)._replace(**fields)


def udp_key(number=1, **fields):
    return tcp_key(number, protocol=packets.PROTOCOL_UDP, destination_port=53)._replace(**fields)


def udp6_key(number=1, **fields):
    return udp_key(number, source="2001:db8::%x" % number, destination="2001:db8:1::1")._replace(**fields)


def packet_of(key, seconds, octets=100, **fields):
    return Packet(key, at(seconds), octets, **fields)


def _random_key(chance):
    """One of the kinds of flow that a collector has to show apart."""
    protocol = chance.choice([packets.PROTOCOL_TCP] * 5 + [packets.PROTOCOL_UDP] * 3 + [
        packets.PROTOCOL_ICMP, packets.PROTOCOL_SCTP, packets.PROTOCOL_DCCP, packets.PROTOCOL_UDP_LITE])
    is_ipv6 = chance.random() < 0.3
    if is_ipv6:
        source, destination = "2001:db8::%x" % chance.randrange(1, 0xFFFF), "2001:db8:0:1::%x" % chance.randrange(1, 9)
    else:
        source = "10.%d.%d.%d" % (chance.randrange(4), chance.randrange(256), chance.randrange(1, 255))
        destination = "198.51.100.%d" % chance.randrange(1, 9)
    vlan_id = chance.choice([0, 0, 0, 1, 100, 4094])
    if protocol == packets.PROTOCOL_ICMP:
        protocol = packets.PROTOCOL_ICMPV6 if is_ipv6 else packets.PROTOCOL_ICMP
        type_code = chance.choice([128 << 8, 129 << 8, 1 << 8 | 4] if is_ipv6 else [8 << 8, 0, 3 << 8 | 3])
        return FlowKey(source, destination, protocol, icmp_type_code=type_code, vlan_id=vlan_id)
    ports = chance.randrange(1024, 65536), chance.choice([25, 80, 443, 8080])
    return FlowKey(source, destination, protocol, *ports, vlan_id=vlan_id)


def _tcp_flags(chance, place, count):
    if place == 0:
        return packets.SYN
    if place == count - 1:
        return chance.choice([packets.FIN | packets.ACK, packets.RST, packets.ACK])
    return chance.choice([packets.ACK, packets.ACK | packets.PSH])


def _packets_of_flow(chance, key, seconds):
    """A flow's packets, from one to a few dozen, somewhere in the period."""
    count = min(40, int(chance.paretovariate(0.8)))
    begin, length = chance.uniform(0, seconds), chance.choice([0.01, 1, 10, seconds])
    times = sorted(begin + chance.uniform(0, length) for _ in range(count))
    tos = chance.choice([0, 0, 0, 0xB8, 0x28])
    smallest = smallest_octets(key)
    for place, time in enumerate(times):
        flags = _tcp_flags(chance, place, count) if key.protocol == packets.PROTOCOL_TCP else 0
        yield Packet(key, at(time), smallest + chance.randrange(0, 1400 - smallest), tos | chance.choice([0, 0, 1, 2]),
                     flags)


def random_traffic(seed, *, flows, seconds):
    """A mixed trace in the order of time: all protocols, both IP versions, tags, DSCPs, openings and ends."""
    chance = random.Random(seed)
    described = [packet for _ in range(flows)
                 for packet in _packets_of_flow(chance, _random_key(chance), seconds)]
    return sorted(described, key=lambda packet: packet.time_ns)
