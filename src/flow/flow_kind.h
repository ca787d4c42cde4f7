// The kinds of flows: each has a key, a meter's table and an IPFIX template of its own.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/ip_address.h"

namespace clerk {

enum class FlowKind : uint8_t {
  Ipv4,
  Ipv6,
  Link,  // without IP: told apart by the link headers; only with --non_ip
};

inline constexpr std::array kFlowKinds{FlowKind::Ipv4, FlowKind::Ipv6, FlowKind::Link};

// Those that there always are.
inline constexpr std::span<const FlowKind> kIpFlowKinds = std::span(kFlowKinds).first(2);

[[nodiscard]] constexpr FlowKind kind_of(IpVersion version) {
  return version == IpVersion::V4 ? FlowKind::Ipv4 : FlowKind::Ipv6;
}

}  // namespace clerk
