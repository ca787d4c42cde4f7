// Where live packets come from: the interface of everything that hands over blocks of a kernel
// ring.
//
// One source for each capture thread, used by that thread alone. A block is leased: its octets are
// valid from take_block() to return_block(), and between the two no other block is taken. One
// virtual call a block, none a packet.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "capture/block.h"

namespace clerk {

// What a source lost, or cannot answer for. Only the sources that share a ring with others count
// more than drops.
struct SourceCounts {
  uint64_t dropped = 0;        // by the kernel, because the ring was full
  uint64_t drops_unknown = 0;  // how often it was asked for drops and could not tell all of them
  uint64_t blocks_stale = 0;   // handed over by mistake, or a second time; none of them was counted
  uint64_t blocks_torn = 0;    // changed by somebody while they were counted
  uint64_t blocks_losing = 0;  // flagged by the kernel: packets were dropped before
  int64_t blocks_missed = 0;   // filled and not handed over; one that comes late is taken off again
  uint64_t outages = 0;        // begun: nothing came from the whole source, or not from all of it
  uint64_t outage_ms = 0;

  SourceCounts& operator+=(const SourceCounts& other) {
    dropped += other.dropped;
    drops_unknown += other.drops_unknown;
    blocks_stale += other.blocks_stale;
    blocks_torn += other.blocks_torn;
    blocks_losing += other.blocks_losing;
    blocks_missed += other.blocks_missed;
    outages += other.outages;
    outage_ms += other.outage_ms;
    return *this;
  }

  // What was counted since `before`.
  SourceCounts& operator-=(const SourceCounts& before) {
    dropped -= before.dropped;
    drops_unknown -= before.drops_unknown;
    blocks_stale -= before.blocks_stale;
    blocks_torn -= before.blocks_torn;
    blocks_losing -= before.blocks_losing;
    blocks_missed -= before.blocks_missed;
    outages -= before.outages;
    outage_ms -= before.outage_ms;
    return *this;
  }

  bool operator==(const SourceCounts&) const = default;
};

class PacketSource {
 public:
  virtual ~PacketSource() = default;

  // The next block in order, or nothing when there was none for so long, or when the source has
  // other news to look after. A source whose interface is gone waits here for its return.
  virtual std::optional<Block> take_block(std::chrono::milliseconds patience) = 0;

  // Gives the block back to the kernel.
  virtual void return_block() = 0;

  // What was counted since the last call.
  virtual SourceCounts take_counts() = 0;

  // How long a packet may lie in a block that is not handed over yet: short beside the second at
  // whose end all of its packets are to be counted.
  static constexpr std::chrono::milliseconds kBlockDelayMax{80};
};

}  // namespace clerk
