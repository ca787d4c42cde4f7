// For the tests of blocks: reading one whole, with a look at where its packets lie. The namespace
// keeps its short names apart from those of the tests of files.
#pragma once

#include <gtest/gtest.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "capture/block.h"
#include "testing/block_builder.h"

namespace clerk::block_tests {

using Octets = std::vector<uint8_t>;

inline constexpr uint64_t kSecond = 1'000'000'000;
inline constexpr size_t kDescriptorOctets = sizeof(tpacket_block_desc);
inline constexpr size_t kHeaderOctets = sizeof(tpacket3_hdr);
inline constexpr size_t kHeadersOctets = kHeaderOctets + sizeof(sockaddr_ll);

// A packet with a copy of its octets, and where in the block they were.
struct ReadPacket {
  Packet packet;
  size_t at;
  Octets octets;
};

struct ReadBlock {
  std::vector<ReadPacket> packets;
  uint32_t packets_left;
};

// Heap memory of exactly the block's size, so that the address sanitizer sees a read outside.
class ExactCopy {
 public:
  explicit ExactCopy(const Octets& octets)
      : octets_(std::make_unique<uint8_t[]>(octets.size())), size_(octets.size()) {
    std::ranges::copy(octets, octets_.get());
  }

  [[nodiscard]] std::span<const uint8_t> all() const { return {octets_.get(), size_}; }

 private:
  std::unique_ptr<uint8_t[]> octets_;
  size_t size_;
};

inline bool lies_within(std::span<const uint8_t> octets, const Packet& packet) {
  const auto begin = reinterpret_cast<uintptr_t>(octets.data());
  const auto at = reinterpret_cast<uintptr_t>(packet.data);
  return at >= begin && at - begin <= octets.size() &&
         packet.captured_octets <= octets.size() - (at - begin);
}

inline ReadBlock read(const Octets& block, RingLink link = RingLink::Ethernet,
                      size_t batch_size = 32) {
  const ExactCopy copy(block);
  BlockReader reader({.octets = copy.all(), .link = link});
  std::vector<Packet> batch(batch_size);
  ReadBlock read;
  for (auto given = reader.next(batch); !given.empty(); given = reader.next(batch)) {
    for (const Packet& packet : given) {
      const bool inside = lies_within(copy.all(), packet);
      EXPECT_TRUE(inside);
      if (!inside) continue;
      read.packets.push_back({.packet = packet,
                              .at = static_cast<size_t>(packet.data - copy.all().data()),
                              .octets = {packet.data, packet.data + packet.captured_octets}});
    }
  }
  EXPECT_TRUE(reader.next(batch).empty()) << "the end is not the end";
  read.packets_left = reader.packets_left();
  return read;
}

// Octets that tell packets apart.
inline Octets payload(size_t octets, uint8_t first) {
  Octets payload(octets);
  for (uint8_t& octet : payload)
    octet = first++;
  return payload;
}

inline BlockPacket numbered(uint8_t number) { return {.octets = payload(60U + number, number)}; }

// How many packets a block gives, and how many it announced behind them.
inline void expect_counts(const Octets& block, size_t given, uint32_t left) {
  for (const size_t batch_size : {1U, 2U, 32U}) {
    const ReadBlock counted = read(block, RingLink::Ethernet, batch_size);
    EXPECT_EQ(counted.packets.size(), given) << "in batches of " << batch_size;
    EXPECT_EQ(counted.packets_left, left) << "in batches of " << batch_size;
  }
}

// Three packets, the middle one as the test wants it.
inline Octets three_packets(const BlockPacket& middle) {
  return BlockBuilder().packet(numbered(1)).packet(middle).packet(numbered(3)).build();
}

}  // namespace clerk::block_tests
