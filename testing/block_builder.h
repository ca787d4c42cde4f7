// Blocks of a TPACKET_V3 ring for tests, laid out as the kernel does it:
//
//   BlockBuilder().packet({.octets = frame}).packet({.octets = frame, .vlan_tci = 7}).build()
//
// Counts and offsets are right unless a test claims others. build() gives the octets of the block
// up to the end of its last packet; a block of the kernel is a mebibyte, and what is behind that
// packet is left over from earlier ones (pad_to()).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace clerk {

struct BlockPacket {
  std::vector<uint8_t> octets;
  uint32_t second = 1'700'000'000;
  uint32_t nanosecond = 0;
  uint32_t status = 0;
  std::optional<uint16_t> vlan_tci = {};  // of a tag that was taken off; adds to the status
  uint16_t ether_type = 0x0800;           // in the address beside the packet
  uint16_t link_octets = 0;               // before the network header (tp_net), says the kernel
  // By default those of the octets and of their place.
  std::optional<uint32_t> wire_octets = {};
  std::optional<uint32_t> captured_octets = {};
  std::optional<uint16_t> packet_offset = {};  // tp_mac: from the packet's header to its octets
  std::optional<uint32_t> next_offset = {};    // tp_next_offset: to the next packet's header
};

// What the block says of itself, where that is to be something else.
struct BlockClaims {
  std::optional<uint32_t> packets = {};
  std::optional<uint32_t> first_offset = {};
};

class BlockBuilder {
 public:
  explicit BlockBuilder(BlockClaims claims = {}) : claims_(claims) {}

  BlockBuilder& packet(BlockPacket packet);

  // Octets that are not zero, up to this size of the block.
  BlockBuilder& pad_to(size_t octets);

  [[nodiscard]] std::vector<uint8_t> build() const;

 private:
  BlockClaims claims_;
  std::vector<BlockPacket> packets_;
  size_t octets_min_ = 0;
};

}  // namespace clerk
