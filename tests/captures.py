"""Capture files written byte by byte: pcap and pcapng in every variant that a reader has to know.

A Capture record is (time in ns, frame, length on the wire, interface). The pcapng blocks are plain functions, so that
a test can put them together in any order, also in a wrong one.
"""

import gzip
import struct
import subprocess
from typing import NamedTuple, Optional

import packets

SECTION_HEADER = 0x0A0D0D0A
INTERFACE_DESCRIPTION = 1
SIMPLE_PACKET = 3
NAME_RESOLUTION = 4
INTERFACE_STATISTICS = 5
ENHANCED_PACKET = 6

OPTION_TSRESOL = 9
OPTION_TSOFFSET = 14


class Captured(NamedTuple):
    """One packet of a capture file. A wire length of None is the length of the frame: nothing was cut."""

    time_ns: int
    frame: bytes
    wire_length: Optional[int] = None
    interface: int = 0

    @property
    def length(self):
        return len(self.frame) if self.wire_length is None else self.wire_length


class Interface(NamedTuple):
    """A pcapng interface. `resolution` is the if_tsresol octet (high bit: a power of two), None leaves it out."""

    link_type: int = packets.LINK_ETHERNET
    resolution: Optional[int] = None
    offset_s: int = 0
    snap_length: int = 0

    def ticks(self, time_ns):
        octet = 6 if self.resolution is None else self.resolution
        per_second = 1 << (octet & 0x7F) if octet & 0x80 else 10 ** octet
        return (time_ns - self.offset_s * 10**9) * per_second // 10**9


# pcap


def pcap_header(order="<", *, nanoseconds=False, link_type=packets.LINK_ETHERNET):
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link_type)


def pcap_record(record, order="<", *, nanoseconds=False):
    seconds, fraction = divmod(record.time_ns, 10**9)
    fraction = fraction if nanoseconds else fraction // 1000
    return struct.pack(order + "IIII", seconds, fraction, len(record.frame), record.length) + record.frame


def pcap(records, order="<", *, nanoseconds=True, link_type=packets.LINK_ETHERNET):
    return pcap_header(order, nanoseconds=nanoseconds, link_type=link_type) + b"".join(
        pcap_record(record, order, nanoseconds=nanoseconds) for record in records)


# pcapng


def block(block_type, body, order="<"):
    body += bytes(-len(body) % 4)
    length = 12 + len(body)
    return struct.pack(order + "II", block_type, length) + body + struct.pack(order + "I", length)


def option(code, value, order="<"):
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def section_header(order="<"):
    return block(SECTION_HEADER, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface_description(interface, order="<"):
    body = struct.pack(order + "HHI", interface.link_type, 0, interface.snap_length)
    options = b""
    if interface.resolution is not None:
        options += option(OPTION_TSRESOL, bytes([interface.resolution]), order)
    if interface.offset_s:
        options += option(OPTION_TSOFFSET, struct.pack(order + "q", interface.offset_s), order)
    if options:
        options += option(0, b"", order)
    return block(INTERFACE_DESCRIPTION, body + options, order)


def enhanced_packet(record, interface, order="<"):
    ticks = interface.ticks(record.time_ns)
    body = struct.pack(order + "IIIII", record.interface, ticks >> 32, ticks & 0xFFFFFFFF, len(record.frame),
                       record.length)
    return block(ENHANCED_PACKET, body + record.frame, order)


def simple_packet(record, order="<"):
    """It has no time and no interface: it belongs to the section's first one."""
    return block(SIMPLE_PACKET, struct.pack(order + "I", record.length) + record.frame, order)


def unknown_block(order="<"):
    return block(0x0BAD0001, b"nobody knows this block", order)


def pcapng(records, interfaces=(Interface(resolution=9),), order="<"):
    """One section: all interfaces first, then the packets."""
    return section_header(order) \
        + b"".join(interface_description(interface, order) for interface in interfaces) \
        + b"".join(enhanced_packet(record, interfaces[record.interface], order) for record in records)


# Compressed


def compressed(kind, content):
    """As gzip(1) or zstd(1) would write it, by the ending of their files."""
    if kind == "gz":
        return gzip.compress(content)
    return subprocess.run(["zstd", "-q", "-c"], input=content, capture_output=True, check=True).stdout
