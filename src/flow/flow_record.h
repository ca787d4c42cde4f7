// A Flow Record as the ledger releases it: complete, for sinks to encode. A plain value.
#pragma once

#include <cstdint>

#include "base/ip_address.h"

namespace clerk {

// flowEndReason (IANA IPFIX element 136).
enum class EndReason : uint8_t {
  IdleTimeout = 1,
  ActiveTimeout = 2,
  EndDetected = 3,
  ForcedEnd = 4,
  LackOfResources = 5,
};

struct FlowRecord {
  IpAddress source;
  IpAddress destination;
  uint64_t octets = 0;
  uint64_t packets = 0;
  uint64_t first_ns = 0;
  uint64_t last_ns = 0;
  uint32_t source_as = 0;  // 0: not known
  uint32_t destination_as = 0;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint16_t icmp_type_code = 0;  // type * 256 + code
  uint16_t vlan_id = 0;
  uint8_t protocol = 0;
  uint8_t tos = 0;
  uint8_t tcp_flags = 0;
  EndReason end_reason = EndReason::IdleTimeout;

  [[nodiscard]] IpVersion version() const { return source.version; }
};

}  // namespace clerk
