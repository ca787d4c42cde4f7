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

void decode_tcp_flags(const ByteReader& reader, Headers& headers) {
  headers.tcp_flags_missing = !reader.has(kTcpFlagsAt + 1);
  if (!headers.tcp_flags_missing) headers.tcp_flags = reader.octet(kTcpFlagsAt);
}

}  // namespace

bool has_transport_key(IpVersion version, uint8_t number) {
  return has_ports(number) || is_icmp(version, number);
}

Stop decode_transport(const ByteReader& reader, Headers& headers) {
  headers.source_port = 0;
  headers.destination_port = 0;
  headers.tcp_flags = 0;
  headers.tcp_flags_missing = false;
  if (headers.fragment == Fragment::Later) return Stop::Done;
  if (has_ports(headers.protocol)) {
    if (!reader.has(kPortsOctets)) return Stop::Truncated;
    headers.source_port = reader.load<uint16_t>(0);
    headers.destination_port = reader.load<uint16_t>(2);
    if (headers.protocol == protocol::kTcp) decode_tcp_flags(reader, headers);
  } else if (is_icmp(headers.version, headers.protocol)) {
    if (!reader.has(kIcmpTypeCodeOctets)) return Stop::Truncated;
    headers.destination_port = reader.load<uint16_t>(0);  // type * 256 + code
  }
  return Stop::Done;
}

}  // namespace clerk
