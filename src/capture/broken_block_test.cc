// Blocks that nobody fills like this but a mistake, or an enemy.
#include <gtest/gtest.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "capture/block_test_support.h"

namespace clerk::block_tests {
namespace {

BlockPacket with_next_offset(uint32_t next_offset) {
  BlockPacket packet = numbered(2);
  packet.next_offset = next_offset;
  return packet;
}

TEST(BrokenBlock, OneShorterThanItsDescriptorHasNothing) {
  const Octets whole = three_packets(numbered(2));
  for (size_t octets = 0; octets < kDescriptorOctets; ++octets)
    expect_counts({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(octets)}, 0, 0);
}

TEST(BrokenBlock, AnnouncedAndNotThereIsLeft) {
  expect_counts(BlockBuilder({.packets = 4}).packet(numbered(1)).pad_to(4096).build(), 1, 3);
}

TEST(BrokenBlock, NeverLeavesMoreThanItCouldHold) {
  const Octets block = BlockBuilder({.packets = UINT32_MAX}).packet(numbered(1)).build();
  expect_counts(block, 1, static_cast<uint32_t>(block.size() / kHeaderOctets) - 1);
  expect_counts(BlockBuilder({.packets = UINT32_MAX}).build(), 0, 1);
}

TEST(BrokenBlock, PacketsBehindThoseAnnouncedAreNotRead) {
  BlockBuilder builder({.packets = 2});
  for (uint8_t i = 1; i <= 3; ++i)
    builder.packet(numbered(i));
  expect_counts(builder.build(), 2, 0);
}

TEST(BrokenBlock, AFirstPacketOutsideIsNone) {
  const auto size = static_cast<uint32_t>(three_packets(numbered(2)).size());
  for (const uint32_t offset : {size, size + 1, UINT32_MAX - 47, UINT32_MAX, uint32_t{1} << 31,
                                size - 1, size - uint32_t{kHeadersOctets} + 1}) {
    BlockBuilder builder({.first_offset = offset});
    for (uint8_t i = 1; i <= 3; ++i)
      builder.packet(numbered(i));
    expect_counts(builder.build(), 0, 3);
  }
}

TEST(BrokenBlock, AFirstPacketInsideTheDescriptorLeadsNowhereElse) {
  for (uint32_t offset = 0; offset < kDescriptorOctets; ++offset) {
    const ReadBlock block =
        read(BlockBuilder({.packets = 3, .first_offset = offset}).packet(numbered(1)).build());
    EXPECT_LE(block.packets.size() + block.packets_left, 3U);
  }
}

TEST(BrokenBlock, AChainThatEndsEarlyLeavesTheRest) {
  expect_counts(three_packets(with_next_offset(0)), 2, 1);
}

TEST(BrokenBlock, AStepThatIsNoHeaderLongEndsTheChain) {
  for (uint32_t step = 1; step < kHeaderOctets; ++step)
    expect_counts(three_packets(with_next_offset(step)), 2, 1);
}

TEST(BrokenBlock, AStepOutsideEndsTheChain) {
  const auto size = static_cast<uint32_t>(three_packets(numbered(2)).size());
  for (const uint32_t step : {size, UINT32_MAX, UINT32_MAX - 47, uint32_t{1} << 31})
    expect_counts(three_packets(with_next_offset(step)), 2, 1);
}

// With 32-bit sums these would be steps to the packet itself and to the one before it.
TEST(BrokenBlock, AStepBackIsAStepOutside) {
  for (const uint32_t back : {0U, 144U, 160U, 192U})
    expect_counts(three_packets(with_next_offset(-back)), 2, 1);
}

TEST(BrokenBlock, StepsOfAHeaderEndWhereTheBlockDoes) {
  // Each header leads to the one right behind it, which lies in the packet of the one before.
  constexpr size_t kHeaders = 100;
  Octets block = BlockBuilder({.packets = UINT32_MAX}).build();
  for (size_t i = 0; i < kHeaders; ++i) {
    tpacket3_hdr header{};
    header.tp_next_offset = kHeaderOctets;
    const auto* octets = reinterpret_cast<const uint8_t*>(&header);
    block.insert(block.end(), octets, octets + sizeof header);
  }
  // Behind the last header there is no room for an address, and the descriptor counted as one more.
  expect_counts(block, kHeaders - 1, 2);
}

TEST(BrokenBlock, AHeaderAtTheVeryEndIsRead) {
  Octets block = BlockBuilder().packet({.octets = {}, .packet_offset = uint16_t{0}}).build();
  block.resize(kDescriptorOctets + kHeadersOctets);
  expect_counts(block, 1, 0);
  block.pop_back();
  expect_counts(block, 0, 1);
}

TEST(BrokenBlock, APacketThatReachesBehindTheEndEndsTheChain) {
  const Octets whole = three_packets(numbered(2));
  for (const size_t cut : {1U, 10U, 63U})
    expect_counts({whole.begin(), whole.end() - static_cast<ptrdiff_t>(cut)}, 2, 1);
}

TEST(BrokenBlock, LengthsThatReachOutsideEndTheChain) {
  const size_t size = three_packets(numbered(2)).size();
  for (const size_t octets :
       {size, size_t{UINT32_MAX}, size_t{UINT32_MAX} - 200, size_t{1} << 31}) {
    BlockPacket packet = numbered(2);
    packet.captured_octets = static_cast<uint32_t>(octets);
    expect_counts(three_packets(packet), 1, 2);
  }
}

TEST(BrokenBlock, PacketOffsetsThatReachOutsideEndTheChain) {
  for (const uint16_t offset : {uint16_t{400}, uint16_t{UINT16_MAX}}) {
    BlockPacket packet = numbered(2);
    packet.packet_offset = offset;
    expect_counts(three_packets(packet), 1, 2);
  }
}

TEST(BrokenBlock, APacketMayEndWhereTheBlockEndsAndNotBehind) {
  BlockPacket packet{.octets = payload(60, 0)};
  packet.packet_offset = uint16_t{82 + 60};
  packet.captured_octets = 0;
  expect_counts(BlockBuilder().packet(packet).build(), 1, 0);
  packet.captured_octets = 1;
  expect_counts(BlockBuilder().packet(packet).build(), 0, 1);
}

TEST(BrokenBlock, NothingIsGivenBehindTheBreak) {
  BlockPacket broken = numbered(2);
  broken.captured_octets = UINT32_MAX;
  const ExactCopy block(three_packets(broken));
  BlockReader reader({.octets = block.all(), .link = RingLink::Ethernet});
  std::vector<Packet> batch(8);
  EXPECT_EQ(reader.next(batch).size(), 1U);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(reader.next(batch).empty());
  EXPECT_EQ(reader.packets_left(), 2U);
}

// The slow, obvious twin: where the packets of any octets lie.
class Twin {
 public:
  Twin(const Octets& block, RingLink link) : block_(block) {
    if (block.size() < kDescriptorOctets) return;
    left = std::min<uint64_t>(field(offsetof(tpacket_block_desc, hdr.bh1.num_pkts), 4),
                              block.size() / kHeaderOctets);
    uint64_t at = field(offsetof(tpacket_block_desc, hdr.bh1.offset_to_first_pkt), 4);
    uint64_t step = kHeaderOctets;
    while (left > 0 && step >= kHeaderOctets && at + kHeadersOctets <= block.size()) {
      const uint64_t mac = field(at + offsetof(tpacket3_hdr, tp_mac), 2);
      const uint64_t net = field(at + offsetof(tpacket3_hdr, tp_net), 2);
      const uint64_t captured = field(at + offsetof(tpacket3_hdr, tp_snaplen), 4);
      if (at + mac + captured > block.size()) return;
      const bool is_cut = link == RingLink::Network && net > mac;
      packets.push_back(at + mac + (is_cut ? std::min(net - mac, captured) : 0));
      --left;
      step = field(at + offsetof(tpacket3_hdr, tp_next_offset), 4);
      at += step;
    }
  }

  std::vector<uint64_t> packets;
  uint64_t left = 0;

 private:
  [[nodiscard]] uint64_t field(uint64_t at, size_t octets) const {
    uint64_t value = 0;
    std::memcpy(&value, block_.data() + at, octets);  // in this machine's order, a little endian
    return value;
  }

  const Octets& block_;
};

// From a fixed seed: the same on every machine.
class Mutator {
 public:
  Octets mutated(Octets block) {
    if (random_() % 8 == 0) block.resize(random_() % (block.size() + 1));
    for (uint64_t changes = 1 + random_() % 3; changes > 0 && block.size() >= 4; --changes)
      change(block);
    return block;
  }

 private:
  // Mostly a field of four octets, where they are aligned as the kernel does it.
  void change(Octets& block) {
    const size_t word = random_() % (block.size() / 4) * 4;
    const uint32_t size = static_cast<uint32_t>(block.size());
    const uint32_t values[] = {0,
                               1,
                               uint32_t{kHeaderOctets} - 1,
                               uint32_t{kHeaderOctets},
                               size,
                               size - 1,
                               UINT32_MAX,
                               uint32_t{1} << 31,
                               static_cast<uint32_t>(random_() % size),
                               -static_cast<uint32_t>(random_() % size),
                               static_cast<uint32_t>(random_())};
    if (random_() % 4 == 0) {
      block[random_() % block.size()] = static_cast<uint8_t>(random_());
    } else {
      std::memcpy(block.data() + word, &values[random_() % std::size(values)], 4);
    }
  }

  std::mt19937_64 random_{1};
};

TEST(BrokenBlock, WhateverIsWrongEndsTheChainWithinTheBlock) {
  constexpr int kMutations = 40'000;
  BlockBuilder builder;
  for (uint8_t i = 1; i <= 5; ++i)
    builder.packet({.octets = payload(i, i), .vlan_tci = i});
  const Octets good = builder.build();
  Mutator mutator;
  for (int i = 0; i < kMutations; ++i) {
    const Octets block = mutator.mutated(good);
    const RingLink link = i % 2 == 0 ? RingLink::Ethernet : RingLink::Network;
    const Twin twin(block, link);
    const ReadBlock found = read(block, link, 1 + static_cast<size_t>(i) % 7);
    std::vector<uint64_t> at(found.packets.size());
    std::ranges::transform(found.packets, at.begin(), &ReadPacket::at);
    ASSERT_EQ(at, twin.packets) << "mutation " << i;
    ASSERT_EQ(found.packets_left, twin.left) << "mutation " << i;
  }
}

}  // namespace
}  // namespace clerk::block_tests
