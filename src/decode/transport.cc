#include "decode/transport.h"

#include "decode/wire.h"

namespace clerk {
namespace {

using namespace wire;

bool has_ports(uint8_t number) {
  switch (number) {
    case protocol::kTcp:
    case protocol::kUdp:
    case protocol::kDccp:
    case protocol::kSctp:
    case protocol::kUdpLite: return true;
    default: return false;
  }
}

struct HeaderWithPorts {
  std::string_view name;
  size_t octets;
};

// Of the protocols other than TCP, whose header tells its length.
HeaderWithPorts header_with_ports(uint8_t number) {
  switch (number) {
    case protocol::kUdp: return {"UDP", kUdpOctets};
    case protocol::kUdpLite: return {"UDP-Lite", kUdpOctets};
    case protocol::kSctp: return {"SCTP", kSctpOctets};
    default: return {"DCCP", kDccpOctetsMin};
  }
}

void decode_tcp(Walk& walk) {
  Headers& headers = walk.headers;
  const ByteReader& reader = walk.reader;
  headers.tcp_flags_missing = !reader.has(kTcpFlagsAt + 1);
  if (headers.tcp_flags_missing) {
    walk.note("TCP", reader.left(), "{} > {}, flags cut off", headers.source_port,
              headers.destination_port);
    return;
  }
  headers.tcp_flags = reader.octet(kTcpFlagsAt);
  walk.note("TCP", size_t{reader.octet(kTcpFlagsAt - 1)} / 16 * 4, "{} > {}, flags {:#04x}",
            headers.source_port, headers.destination_port, headers.tcp_flags);
}

Stop decode_ports(Walk& walk) {
  Headers& headers = walk.headers;
  if (!walk.reader.has(kPortsOctets)) return walk.reader.missing(kPortsOctets);
  headers.source_port = walk.reader.load<uint16_t>(0);
  headers.destination_port = walk.reader.load<uint16_t>(2);
  if (headers.protocol == protocol::kTcp) {
    decode_tcp(walk);
  } else {
    const auto [name, octets] = header_with_ports(headers.protocol);
    walk.note(name, octets, "{} > {}", headers.source_port, headers.destination_port);
  }
  return Stop::Done;
}

Stop decode_icmp(Walk& walk) {
  if (!walk.reader.has(kIcmpTypeCodeOctets)) return walk.reader.missing(kIcmpTypeCodeOctets);
  walk.headers.destination_port = walk.reader.load<uint16_t>(0);  // type * 256 + code
  const bool v6 = walk.headers.version == IpVersion::V6;
  walk.note(v6 ? "ICMPv6" : "ICMP", kIcmpTypeCodeOctets, "type {}, code {}", walk.reader.octet(0),
            walk.reader.octet(1));
  return Stop::Done;
}

}  // namespace

bool has_transport_key(IpVersion version, uint8_t number) {
  return has_ports(number) || is_icmp(version, number);
}

Stop decode_transport(Walk& walk) {
  Headers& headers = walk.headers;
  headers.source_port = 0;
  headers.destination_port = 0;
  headers.tcp_flags = 0;
  headers.tcp_flags_missing = false;
  if (headers.fragment == Fragment::Later) return Stop::Done;
  if (has_ports(headers.protocol)) return decode_ports(walk);
  return is_icmp(headers.version, headers.protocol) ? decode_icmp(walk) : Stop::Done;
}

}  // namespace clerk
