// The rings of one entry of the configuration, made together: one for each fanout index, all
// members of one fanout group, and none hears a packet before all are.
#pragma once

#include <cstdint>
#include <vector>

#include "capture/promiscuity.h"
#include "capture/ring.h"
#include "testimonyd/config.h"

namespace clerk {

// More than any packet has: a ring takes them whole.
inline constexpr uint32_t kWholePacket = 1U << 18;

struct RingGroup {
  std::vector<Ring> rings;  // by index
  Promiscuity promiscuity;
};

// Errors say what the kernel refused, or what is wrong with the filter, without naming socket and
// interface.
[[nodiscard]] Result<RingGroup> make_ring_group(const SocketConfig& config,
                                                const NetworkInterface& interface);

}  // namespace clerk
