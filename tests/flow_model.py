"""A slow and obvious model of what clerk's ledger means, to compare the real one with.

It takes described packets, never octets, and yields the Flow Records that an exporter has to send, in order:

- The clock is the highest packet time so far. At every whole second that it reaches it ticks, and at a tick the records
  that are due are reported in the order of their first packet.
- A record is due at the first tick not before first packet + active timeout, or last packet + idle timeout.
- A FIN or RST ends the flow: the record is due two ticks after the tick that closes the second which brought it.
  Packets that come until then belong to the record, but a SYN starts a new one; the old one takes no more packets
  and leaves when it is due.
- A packet that is older than the clock by more than the idle timeout restarts the clock: all held records are reported
  first. So they are at the end of the input.
"""

from dataclasses import dataclass
from typing import NamedTuple, Optional

SECOND = 10**9

IDLE_TIMEOUT = 1
ACTIVE_TIMEOUT = 2
END_DETECTED = 3
FORCED_END = 4
LACK_OF_RESOURCES = 5

FIN, SYN, RST = 0x01, 0x02, 0x04


class FlowKey(NamedTuple):
    """The Flow Key without the DSCP, which the packet's ToS octet brings."""

    source: str
    destination: str
    protocol: int
    source_port: int = 0
    destination_port: int = 0
    icmp_type_code: int = 0
    vlan_id: int = 0

    @property
    def is_ipv6(self):
        return ":" in self.source


class Packet(NamedTuple):
    """What a test says about one packet: `octets` is the IP length, `tos` the whole octet."""

    key: FlowKey
    time_ns: int
    octets: int
    tos: int = 0
    tcp_flags: int = 0


class Record(NamedTuple):
    """One Flow Record as every sink shows it."""

    key: FlowKey
    tos: int
    packets: int
    octets: int
    first_ns: int
    last_ns: int
    tcp_flags: int
    end_reason: int


@dataclass
class _Held:
    """A record that has not been reported yet. The model keeps them in the order of their first packets."""

    key: FlowKey
    tos: int
    packets: int
    octets: int
    first_ns: int
    last_ns: int
    tcp_flags: int
    end_due_ns: Optional[int] = None
    superseded: bool = False

    @property
    def identity(self):
        return self.key, self.tos >> 2

    @property
    def ended(self):
        return self.end_due_ns is not None

    def add(self, packet):
        self.packets += 1
        self.octets += packet.octets
        self.first_ns = min(self.first_ns, packet.time_ns)
        self.last_ns = max(self.last_ns, packet.time_ns)
        self.tcp_flags |= packet.tcp_flags

    def report(self, reason):
        if self.ended:
            reason = END_DETECTED
        return Record(self.key, self.tos, self.packets, self.octets, self.first_ns, self.last_ns, self.tcp_flags,
                      reason)


class FlowModel:
    """Feed it packets in the order of the input with `count`, then `finish`; `records` holds what was reported."""

    def __init__(self, *, idle_s=30, active_s=60):
        self.records = []
        self._idle_ns = round(idle_s * SECOND)
        self._active_ns = round(active_s * SECOND)
        self._held = []
        self._clock_ns = None
        self._next_tick_ns = None

    def count(self, packet):
        self._advance(packet.time_ns)
        held = self._current(packet)
        if held:
            held.add(packet)
        else:
            held = _Held(packet.key, packet.tos, 1, packet.octets, packet.time_ns, packet.time_ns, packet.tcp_flags)
            self._held.append(held)
        if packet.tcp_flags & (FIN | RST) and not held.ended:
            held.end_due_ns = self._next_tick_ns + 2 * SECOND

    def _current(self, packet):
        """The record that takes this packet, or None if a new one has to."""
        for held in self._held:
            if held.identity == (packet.key, packet.tos >> 2) and not held.superseded:
                held.superseded = held.ended and bool(packet.tcp_flags & SYN)
                return None if held.superseded else held
        return None

    def finish(self):
        self._report(lambda held: FORCED_END)
        return self.records

    def _advance(self, time_ns):
        if self._clock_ns is not None and time_ns < self._clock_ns - self._idle_ns:
            self.finish()
            self._clock_ns = None
        if self._clock_ns is None:
            self._next_tick_ns = (time_ns // SECOND + 1) * SECOND
            self._clock_ns = time_ns
        self._clock_ns = max(self._clock_ns, time_ns)
        while self._next_tick_ns <= self._clock_ns:
            if not self._held:
                self._next_tick_ns = (self._clock_ns // SECOND + 1) * SECOND
                return
            self._report(self._due_reason)
            self._next_tick_ns += SECOND

    def _due_reason(self, held):
        """The reason for which this record leaves at the tick, or None if it stays."""
        tick_ns = self._next_tick_ns
        if held.ended:
            return END_DETECTED if tick_ns >= held.end_due_ns else None
        if tick_ns >= held.first_ns + self._active_ns:
            return ACTIVE_TIMEOUT
        if tick_ns >= held.last_ns + self._idle_ns:
            return IDLE_TIMEOUT
        return None

    def _report(self, reason_of):
        """Reports every held record that has a reason to leave."""
        reasons = [(held, reason_of(held)) for held in self._held]
        self.records += [held.report(reason) for held, reason in reasons if reason]
        self._held = [held for held, reason in reasons if not reason]


def expected_records(packets, **timeouts):
    """The Flow Records of a whole input, in the order of a sink that does not separate IPv4 from IPv6."""
    model = FlowModel(**timeouts)
    for packet in packets:
        model.count(packet)
    return model.finish()
