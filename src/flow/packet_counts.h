// How many packets came and what became of them. Meters count into one that travels with each
// delta; the ledger adds them up.
#pragma once

#include <array>
#include <cstdint>

#include "capture/source.h"
#include "decode/decode.h"

namespace clerk {

struct PacketCounts {
  uint64_t received = 0;
  uint64_t metered = 0;
  uint64_t octets_metered = 0;             // of IP; of packets without IP whole frames
  std::array<uint64_t, kStops> ignored{};  // by Stop; the entry of Stop::Done stays 0
  uint64_t tcp_flags_missing = 0;
  uint64_t decapsulated = 0;   // metered by the IP header inside a tunnel
  uint64_t super_packets = 0;  // metered, and longer than the link carries: merged before capture
  uint64_t filtered = 0;       // read, held back by the filter, not received
  SourceCounts source;         // what did not come, and is not received

  [[nodiscard]] uint64_t ignored_total() const {
    uint64_t total = 0;
    for (const uint64_t count : ignored)
      total += count;
    return total;
  }

  // What was counted since `before`.
  PacketCounts& operator-=(const PacketCounts& before) {
    received -= before.received;
    metered -= before.metered;
    octets_metered -= before.octets_metered;
    for (size_t i = 0; i < ignored.size(); ++i)
      ignored[i] -= before.ignored[i];
    tcp_flags_missing -= before.tcp_flags_missing;
    decapsulated -= before.decapsulated;
    super_packets -= before.super_packets;
    filtered -= before.filtered;
    source -= before.source;
    return *this;
  }

  PacketCounts& operator+=(const PacketCounts& other) {
    received += other.received;
    metered += other.metered;
    octets_metered += other.octets_metered;
    for (size_t i = 0; i < ignored.size(); ++i)
      ignored[i] += other.ignored[i];
    tcp_flags_missing += other.tcp_flags_missing;
    decapsulated += other.decapsulated;
    super_packets += other.super_packets;
    filtered += other.filtered;
    source += other.source;
    return *this;
  }
};

}  // namespace clerk
