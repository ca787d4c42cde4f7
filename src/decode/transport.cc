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

void decode_tcp_flags(Walk& walk) {
  Headers& headers = walk.headers;
  headers.tcp_flags_missing = !walk.reader.has(kTcpFlagsAt + 1);
  if (!headers.tcp_flags_missing) headers.tcp_flags = walk.reader.octet(kTcpFlagsAt);
}

Stop decode_ports(Walk& walk) {
  Headers& headers = walk.headers;
  if (!walk.reader.has(kPortsOctets)) return walk.reader.missing(kPortsOctets);
  headers.source_port = walk.reader.load<uint16_t>(0);
  headers.destination_port = walk.reader.load<uint16_t>(2);
  if (headers.protocol == protocol::kTcp) decode_tcp_flags(walk);
  walk.note("ports", kPortsOctets, "{} > {}{}", headers.source_port, headers.destination_port,
            headers.tcp_flags_missing ? ", TCP flags cut off" : "");
  return Stop::Done;
}

Stop decode_icmp(Walk& walk) {
  if (!walk.reader.has(kIcmpTypeCodeOctets)) return walk.reader.missing(kIcmpTypeCodeOctets);
  walk.headers.destination_port = walk.reader.load<uint16_t>(0);  // type * 256 + code
  walk.note("ICMP", kIcmpTypeCodeOctets, "type {}, code {}", walk.reader.octet(0),
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
