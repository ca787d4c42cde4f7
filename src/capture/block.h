// A block of a TPACKET_V3 ring (Linux Documentation/networking/packet_mmap.rst): a chain of packets
// in memory that the kernel wrote and that stays valid until the block is returned. Its layout is
// drawn in testimony/block_walker.h.
//
// BlockReader walks the chain and gives out views, a few at a time. Nothing in a block, which
// others may write to, can lead outside it: a chain that breaks ends there, and packets_left()
// tells how many were announced behind the break. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "capture/packet.h"
#include "testimony/block_walker.h"

namespace clerk {

// What the packets of a ring begin with.
enum class RingLink : uint8_t {
  Ethernet,
  // Something that is cut off, or nothing: the kernel says where the network header is, and tells
  // the EtherType beside the packet.
  Network,
};

struct Block {
  std::span<const uint8_t> octets;
  RingLink link = RingLink::Ethernet;
  uint32_t mtu = kEthernetMtu;  // of the interface, as it was when the ring was opened
};

class BlockReader {
 public:
  explicit BlockReader(const Block& block) : walker_(block.octets), link_(block.link) {}

  // Fills the front of `packets` and returns it; empty at the end of the chain. The views are valid
  // until the block is returned.
  std::span<const Packet> next(std::span<Packet> packets);

  // Announced and not given out. Behind the end of the chain: what a broken one lost, never more
  // than the block could hold.
  [[nodiscard]] uint32_t packets_left() const { return walker_.packets_left(); }

 private:
  testimony::BlockWalker walker_;
  RingLink link_;
};

}  // namespace clerk
