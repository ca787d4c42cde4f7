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

class PacketSource {
 public:
  virtual ~PacketSource() = default;

  // The next block in order, or nothing when there was none for so long, or when the source has
  // other news to look after. A source whose interface is gone waits here for its return.
  virtual std::optional<Block> take_block(std::chrono::milliseconds patience) = 0;

  // Gives the block back to the kernel.
  virtual void return_block() = 0;

  // Packets that the kernel dropped because its ring was full, since the last call.
  virtual uint64_t take_drops() = 0;

  // How long a packet may lie in a block that is not handed over yet: short beside the second at
  // whose end all of its packets are to be counted.
  static constexpr std::chrono::milliseconds kBlockDelayMax{80};
};

}  // namespace clerk
