"""Packets built byte by byte, so that a test can say exactly what is on the wire.

A packet is built from the inside out: a Transport (protocol number and octets) goes into `ipv4` or `ipv6`, which
give a Network (EtherType and octets); `vlan` and `mpls` wrap a Network into another one; `ethernet`, `sll`, `sll2`
and `raw` turn it into the octets of one captured frame. Checksums are zero: a passive meter never looks at them.
"""

import ipaddress
import struct
from typing import NamedTuple

LINK_ETHERNET = 1
LINK_RAW = 101
LINK_SLL = 113
LINK_IPV4 = 228
LINK_IPV6 = 229
LINK_SLL2 = 276

ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_ARP = 0x0806
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_LLDP = 0x88CC
ETHERTYPE_MPLS = 0x8847

TPID_8021Q = 0x8100
TPID_8021AD = 0x88A8
TPID_QINQ = 0x9100

PROTOCOL_ICMP = 1
PROTOCOL_TCP = 6
PROTOCOL_UDP = 17
PROTOCOL_DCCP = 33
PROTOCOL_AH = 51
PROTOCOL_ICMPV6 = 58
PROTOCOL_SCTP = 132
PROTOCOL_UDP_LITE = 136

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10


class Transport(NamedTuple):
    """An IP payload and the protocol number that announces it."""

    protocol: int
    octets: bytes


class Network(NamedTuple):
    """The octets behind a link header and the EtherType that announces them."""

    ethertype: int
    octets: bytes


class Extension(NamedTuple):
    """An IPv6 extension header: its number, and its octets after the Next Header octet."""

    protocol: int
    body: bytes


# Transport headers


def tcp(source_port, destination_port, flags=ACK, payload=b""):
    """`flags` may have up to twelve bits."""
    header = struct.pack("!HHIIHHHH", source_port, destination_port, 1, 1, 5 << 12 | flags, 8192, 0, 0)
    return Transport(PROTOCOL_TCP, header + payload)


def udp(source_port, destination_port, payload=b""):
    header = struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0)
    return Transport(PROTOCOL_UDP, header + payload)


def udp_lite(source_port, destination_port, payload=b""):
    return Transport(PROTOCOL_UDP_LITE, struct.pack("!HHHH", source_port, destination_port, 8, 0) + payload)


def sctp(source_port, destination_port, payload=b""):
    """One DATA chunk behind the common header."""
    chunk = struct.pack("!BBHIHHI", 0, 3, 16 + len(payload), 1, 0, 0, 0) + payload
    return Transport(PROTOCOL_SCTP, struct.pack("!HHII", source_port, destination_port, 7, 0) + chunk)


def dccp(source_port, destination_port, payload=b""):
    """A DCCP-Data packet with a 48-bit sequence number (RFC 4340 5.1)."""
    header = struct.pack("!HHBBHBBHI", source_port, destination_port, 4, 0, 0, 2 << 1 | 1, 0, 0, 1)
    return Transport(PROTOCOL_DCCP, header + payload)


def icmp(message_type, code, payload=b"\0\1\0\1"):
    return Transport(PROTOCOL_ICMP, struct.pack("!BBH", message_type, code, 0) + payload)


def icmpv6(message_type, code, payload=b"\0\1\0\1"):
    return Transport(PROTOCOL_ICMPV6, struct.pack("!BBH", message_type, code, 0) + payload)


def authentication_header(transport):
    """The transport behind an IPv4 Authentication Header."""
    header = struct.pack("!BBHII12x", transport.protocol, 4, 0, 1, 1)
    return Transport(PROTOCOL_AH, header + transport.octets)


# IPv4 and IPv6


def ipv4(source, destination, transport, *, tos=0, options=b"", identification=0, fragment_offset=0,
         more_fragments=False, total_length=None):
    """`fragment_offset` counts octets; `options` is padded to whole words; `total_length` overrides the true one."""
    options += bytes(-len(options) % 4)
    header_length = 20 + len(options)
    if total_length is None:
        total_length = header_length + len(transport.octets)
    fragment = (0x2000 if more_fragments else 0) | fragment_offset // 8
    header = struct.pack("!BBHHHBBH4s4s", 0x40 | header_length // 4, tos, total_length, identification, fragment, 64,
                         transport.protocol, 0, ipaddress.IPv4Address(source).packed,
                         ipaddress.IPv4Address(destination).packed)
    return Network(ETHERTYPE_IPV4, header + options + transport.octets)


def ipv6(source, destination, transport, *, traffic_class=0, extensions=(), payload_length=None):
    """`extensions` stand in the order of the wire; `payload_length` overrides the true one."""
    chain = [extension.protocol for extension in extensions] + [transport.protocol]
    payload = b"".join(bytes([following]) + extension.body for extension, following in zip(extensions, chain[1:]))
    payload += transport.octets
    if payload_length is None:
        payload_length = len(payload)
    header = struct.pack("!IHBB16s16s", 6 << 28 | traffic_class << 20, payload_length, chain[0], 64,
                         ipaddress.IPv6Address(source).packed, ipaddress.IPv6Address(destination).packed)
    return Network(ETHERTYPE_IPV6, header + payload)


def hop_by_hop():
    return Extension(0, b"\0\1\4" + bytes(4))


def routing():
    """A type 2 header (mobility) with no segments left."""
    return Extension(43, struct.pack("!BBBI", 2, 2, 0, 0) + bytes(15) + b"\1")


def destination_options():
    return Extension(60, b"\0\1\4" + bytes(4))


def authentication():
    return Extension(51, struct.pack("!BHII12x", 4, 0, 1, 1))


def fragment_header(identification, fragment_offset, more_fragments):
    return Extension(44, struct.pack("!BHI", 0, fragment_offset | more_fragments, identification))


def _pieces(octets, size):
    """(offset, piece, more) of a payload cut after every `size` octets, a multiple of eight."""
    for offset in range(0, len(octets), size):
        yield offset, octets[offset:offset + size], offset + size < len(octets)


def ipv4_fragments(source, destination, transport, *, size, identification, tos=0):
    return [ipv4(source, destination, Transport(transport.protocol, piece), tos=tos, identification=identification,
                 fragment_offset=offset, more_fragments=more)
            for offset, piece, more in _pieces(transport.octets, size)]


def ipv6_fragments(source, destination, transport, *, size, identification, traffic_class=0, extensions=()):
    return [ipv6(source, destination, Transport(transport.protocol, piece), traffic_class=traffic_class,
                 extensions=[*extensions, fragment_header(identification, offset, more)])
            for offset, piece, more in _pieces(transport.octets, size)]


# Shims between link and network


def vlan(network, vlan_id, *, priority=0, tpid=TPID_8021Q):
    tag = struct.pack("!HH", priority << 13 | vlan_id, network.ethertype)
    return Network(tpid, tag + network.octets)


def mpls(network, *labels):
    """A label stack, outermost first."""
    stack = b"".join(struct.pack("!I", label << 12 | (place == len(labels) - 1) << 8 | 64)
                     for place, label in enumerate(labels))
    return Network(ETHERTYPE_MPLS, stack + network.octets)


def arp():
    return Network(ETHERTYPE_ARP, struct.pack("!HHBBH", 1, ETHERTYPE_IPV4, 6, 4, 1) + bytes(20))


def lldp():
    """A chassis, a port, a time to live and the end."""
    return Network(ETHERTYPE_LLDP, bytes.fromhex("02070402000000000104030531060200780000"))


def spanning_tree():
    """A configuration message behind LLC; where others have an EtherType stands its length."""
    message = bytes.fromhex("424203") + bytes(35)
    return Network(len(message), message)


# Link layers


def ethernet(network, *, minimum=0, destination="02:00:00:00:00:02", source="02:00:00:00:00:01"):
    """`minimum` pads the frame as a real Ethernet sender does (60 without the checksum)."""
    addresses = bytes.fromhex((destination + source).replace(":", ""))
    return (addresses + struct.pack("!H", network.ethertype) + network.octets).ljust(minimum, b"\0")


def sll(network):
    return struct.pack("!HHH8sH", 0, 1, 6, bytes.fromhex("0200000000010000"), network.ethertype) + network.octets


def sll2(network):
    return struct.pack("!HHIHBB8s", network.ethertype, 0, 2, 1, 0, 6, bytes.fromhex("0200000000010000")) \
        + network.octets


def raw(network):
    return network.octets


LINK_LAYERS = {LINK_ETHERNET: ethernet, LINK_RAW: raw, LINK_SLL: sll, LINK_SLL2: sll2, LINK_IPV4: raw, LINK_IPV6: raw}
