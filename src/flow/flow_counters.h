// What is counted for each flow, and how two counts of one flow become one.
#pragma once

#include <algorithm>
#include <cstdint>

namespace clerk {

// Marks on a count.
namespace mark {
inline constexpr uint8_t kSynOpened = 1;   // its first packet was a SYN
inline constexpr uint8_t kBeyondSyn = 2;   // it holds a packet other than a plain SYN
inline constexpr uint8_t kHasFirst = 4;    // of a datagram: it holds the first fragment
inline constexpr uint8_t kSuperseded = 8;  // of a held record: a newer record has its key

// Of a held record: the FlowKind of its key, in the two bits from here on.
inline constexpr unsigned kKindShift = 4;
}  // namespace mark

struct FlowCounters {
  static constexpr uint32_t kNotEnded = UINT32_MAX;

  uint64_t octets;
  uint64_t packets;
  uint64_t first_ns;  // earliest and latest time of a packet, wherever in the file it stood
  uint64_t last_ns;
  uint64_t ordinal;  // of its first packet, among all packets of the run
  // The tick at which a flow that a FIN or RST ended is reported; kNotEnded while there was none.
  uint32_t end_second;
  uint8_t tcp_flags;
  uint8_t tos;  // the first packet's
  uint8_t marks;

  [[nodiscard]] bool ended() const { return end_second != kNotEnded; }

  void add(const FlowCounters& other) {
    octets += other.octets;
    packets += other.packets;
    first_ns = std::min(first_ns, other.first_ns);
    last_ns = std::max(last_ns, other.last_ns);
    end_second = std::min(end_second, other.end_second);
    tcp_flags |= other.tcp_flags;
    if (other.ordinal < ordinal) [[unlikely]] {
      ordinal = other.ordinal;
      tos = other.tos;
    }
  }
};
static_assert(sizeof(FlowCounters) == 48);

}  // namespace clerk
