// A block of a TPACKET_V3 ring (Linux Documentation/networking/packet_mmap.rst): a chain of packets
// in memory that the kernel wrote and that stays valid until the block is returned.
//
//   tpacket_block_desc     status, packets, where the first one is
//   ...
//   tpacket3_hdr           time, lengths, VLAN tag, where the next one is
//     sockaddr_ll          the EtherType, which a ring without link headers needs
//   the packet             from tp_mac on
//   tpacket3_hdr ...
//
// BlockReader walks the chain and gives out views, a few at a time. Every offset and length is read
// once and held against the block's size, so that a block that others may write to cannot lead
// outside it: a chain that breaks ends there, and packets_left() tells how many were announced
// behind the break. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "capture/packet.h"

namespace clerk {

// What the packets of a ring begin with.
enum class RingLink : uint8_t {
  Ethernet,
  Network,  // nothing: the kernel cut the link header off, and says the EtherType beside the packet
};

struct Block {
  std::span<const uint8_t> octets;
  RingLink link = RingLink::Ethernet;
};

class BlockReader {
 public:
  explicit BlockReader(const Block& block);

  // Fills the front of `packets` and returns it; empty at the end of the chain. The views are valid
  // until the block is returned.
  std::span<const Packet> next(std::span<Packet> packets);

  // Announced and not given out. Behind the end of the chain: what a broken one lost, never more
  // than the block could hold.
  [[nodiscard]] uint32_t packets_left() const { return left_; }

 private:
  bool read_packet(Packet& packet);
  [[nodiscard]] const uint8_t* at(size_t offset, size_t octets) const;

  Block block_;
  size_t offset_ = 0;  // of the next packet's header
  uint32_t left_ = 0;
  bool broken_ = false;
};

}  // namespace clerk
