// A Flow Record as the ledger releases it: complete, for sinks to encode. A plain value.
#pragma once

#include <cstdint>

#include "base/ip_address.h"
#include "base/mac_address.h"
#include "flow/flow_kind.h"

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
  // Of a flow without IP the MAC addresses, else those of IP.
  union {
    IpAddress source{};
    MacAddress source_mac;
  };
  union {
    IpAddress destination{};
    MacAddress destination_mac;
  };
  uint64_t octets = 0;  // of IP, or without IP of the whole frames
  uint64_t packets = 0;
  uint64_t first_ns = 0;
  uint64_t last_ns = 0;
  uint32_t source_as = 0;  // 0: not known
  uint32_t destination_as = 0;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint16_t icmp_type_code = 0;  // type * 256 + code
  uint16_t vlan_id = 0;
  uint16_t ether_type = 0;  // of a flow without IP, whose fields from AS to type and code are 0
  uint8_t protocol = 0;
  uint8_t tos = 0;
  uint8_t tcp_flags = 0;
  EndReason end_reason = EndReason::IdleTimeout;
  bool without_ip = false;

  [[nodiscard]] FlowKind kind() const {
    return without_ip ? FlowKind::Link : kind_of(source.version);
  }

  // Of a flow of IP.
  [[nodiscard]] IpVersion version() const { return source.version; }
};
static_assert(sizeof(FlowRecord) == 96);  // millions of them may wait for a slow collector

}  // namespace clerk
