#include "capture/block.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "testing/block_builder.h"

namespace clerk {
namespace {

using Octets = std::vector<uint8_t>;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr size_t kDescriptorOctets = sizeof(tpacket_block_desc);
constexpr size_t kHeaderOctets = sizeof(tpacket3_hdr);
constexpr size_t kHeadersOctets = kHeaderOctets + sizeof(sockaddr_ll);

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

bool lies_within(std::span<const uint8_t> octets, const Packet& packet) {
  const auto begin = reinterpret_cast<uintptr_t>(octets.data());
  const auto at = reinterpret_cast<uintptr_t>(packet.data);
  return at >= begin && at - begin <= octets.size() &&
         packet.captured_octets <= octets.size() - (at - begin);
}

ReadBlock read(const Octets& block, RingLink link = RingLink::Ethernet, size_t batch_size = 32) {
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
Octets payload(size_t octets, uint8_t first) {
  Octets payload(octets);
  for (uint8_t& octet : payload)
    octet = first++;
  return payload;
}

BlockPacket numbered(uint8_t number) { return {.octets = payload(60U + number, number)}; }

BlockPacket tagged(int tci) {
  return {.octets = payload(60, 0), .vlan_tci = static_cast<uint16_t>(tci)};
}

BlockPacket of_type(int ether_type) {
  return {.octets = payload(60, 0), .ether_type = static_cast<uint16_t>(ether_type)};
}

Packet only_packet(const BlockPacket& packet, RingLink link = RingLink::Ethernet) {
  const ReadBlock block = read(BlockBuilder().packet(packet).build(), link);
  EXPECT_EQ(block.packets.size(), 1U);
  EXPECT_EQ(block.packets_left, 0U);
  return block.packets.empty() ? Packet{} : block.packets.front().packet;
}

// How many packets a block gives, and how many it announced behind them.
void expect_counts(const Octets& block, size_t given, uint32_t left) {
  for (const size_t batch_size : {1U, 2U, 32U}) {
    const ReadBlock counted = read(block, RingLink::Ethernet, batch_size);
    EXPECT_EQ(counted.packets.size(), given) << "in batches of " << batch_size;
    EXPECT_EQ(counted.packets_left, left) << "in batches of " << batch_size;
  }
}

// Three packets, the middle one as the test wants it.
Octets three_packets(const BlockPacket& middle) {
  return BlockBuilder().packet(numbered(1)).packet(middle).packet(numbered(3)).build();
}

BlockPacket with_next_offset(uint32_t next_offset) {
  BlockPacket packet = numbered(2);
  packet.next_offset = next_offset;
  return packet;
}

TEST(Block, GivesItsPacketsInOrder) {
  BlockBuilder builder;
  for (uint8_t i = 0; i < 100; ++i)
    builder.packet(numbered(i));
  for (const size_t batch_size : {1U, 7U, 99U, 100U, 101U}) {
    const ReadBlock block = read(builder.build(), RingLink::Ethernet, batch_size);
    EXPECT_EQ(block.packets_left, 0U);
    ASSERT_EQ(block.packets.size(), 100U);
    for (uint8_t i = 0; i < 100; ++i)
      EXPECT_EQ(block.packets[i].octets, numbered(i).octets);
  }
}

TEST(Block, FillsABatchAsFarAsThereArePackets) {
  const ExactCopy block(three_packets(numbered(2)));
  BlockReader reader({.octets = block.all(), .link = RingLink::Ethernet});
  std::vector<Packet> batch(2);
  EXPECT_EQ(reader.packets_left(), 3U);
  const auto first = reader.next(batch);
  EXPECT_EQ(first.size(), 2U);
  EXPECT_EQ(first.data(), batch.data());
  EXPECT_EQ(reader.packets_left(), 1U);
  EXPECT_EQ(reader.next(batch).size(), 1U);
  EXPECT_EQ(reader.packets_left(), 0U);
  EXPECT_TRUE(reader.next(batch).empty());
}

TEST(Block, ABatchWithoutRoomTakesNothing) {
  const ExactCopy block(three_packets(numbered(2)));
  BlockReader reader({.octets = block.all(), .link = RingLink::Ethernet});
  EXPECT_TRUE(reader.next({}).empty());
  std::vector<Packet> batch(4);
  EXPECT_EQ(reader.next(batch).size(), 3U);
}

TEST(Block, WhatIsBehindItsLastPacketIsNotRead) {
  expect_counts(BlockBuilder().packet(numbered(1)).pad_to(4096).build(), 1, 0);
}

TEST(Block, TellsTimeToTheNanosecond) {
  EXPECT_EQ(only_packet({.octets = payload(60, 0), .second = 5, .nanosecond = 999'999'999}).time_ns,
            5 * kSecond + 999'999'999);
  EXPECT_EQ(only_packet({.octets = payload(60, 0), .second = UINT32_MAX}).time_ns,
            UINT32_MAX * kSecond);
}

TEST(Block, TellsWhatTheWireHadAndWhatWasTaken) {
  const Packet cut = only_packet({.octets = payload(96, 0), .wire_octets = 1514});
  EXPECT_EQ(cut.captured_octets, 96U);
  EXPECT_EQ(cut.wire_octets, 1514U);
}

TEST(Block, APacketMayBeEmpty) {
  const Packet empty = only_packet({.octets = {}, .wire_octets = 64});
  EXPECT_EQ(empty.captured_octets, 0U);
  EXPECT_EQ(empty.wire_octets, 64U);
}

TEST(Block, AStrippedTagIsTheTwelveBitsOfItsId) {
  EXPECT_EQ(only_packet({.octets = payload(60, 0)}).stripped_vlan_id, kNoVlanTag);
  EXPECT_EQ(only_packet(tagged(7)).stripped_vlan_id, 7);
  EXPECT_EQ(only_packet(tagged(0xffff)).stripped_vlan_id, 4095);
}

TEST(Block, AStrippedPriorityTagIsATagOfIdZero) {
  for (const int tci : {0x0000, 0xe000, 0x1000})
    EXPECT_EQ(only_packet(tagged(tci)).stripped_vlan_id, 0);
}

TEST(Block, OtherStatusBitsAreNoTag) {
  const uint32_t others = TP_STATUS_USER | TP_STATUS_COPY | TP_STATUS_LOSING |
                          TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID |
                          TP_STATUS_VLAN_TPID_VALID | TP_STATUS_TS_RAW_HARDWARE;
  EXPECT_EQ(only_packet({.octets = payload(60, 0), .status = others}).stripped_vlan_id, kNoVlanTag);
  EXPECT_EQ(
      only_packet({.octets = payload(60, 0), .status = others, .vlan_tci = 9}).stripped_vlan_id, 9);
}

TEST(Block, OfARingWithLinkHeadersHasEthernetFrames) {
  for (const int type : {ETH_P_IP, ETH_P_IPV6, ETH_P_ARP})
    EXPECT_EQ(only_packet(of_type(type)).link_type, LinkType::Ethernet);
}

TEST(Block, ALinkHeaderOfAnotherKindIsCutOff) {
  BlockPacket packet = of_type(ETH_P_IP);
  packet.octets = payload(60, 5);
  packet.wire_octets = 100;
  packet.link_octets = 4;
  EXPECT_EQ(only_packet(packet, RingLink::Network).captured_octets, 56U);
  EXPECT_EQ(only_packet(packet, RingLink::Network).wire_octets, 96U);
  packet.link_octets = 1000;
  EXPECT_EQ(only_packet(packet, RingLink::Network).captured_octets, 0U);
  EXPECT_EQ(only_packet(packet).captured_octets, 60U);
}

TEST(Block, OfARingWithoutLinkHeadersHasTheTypesTheKernelSays) {
  const auto type_of = [](int ether_type) {
    return only_packet(of_type(ether_type), RingLink::Network).link_type;
  };
  EXPECT_EQ(type_of(ETH_P_IP), LinkType::Ipv4);
  EXPECT_EQ(type_of(ETH_P_IPV6), LinkType::Ipv6);
  EXPECT_EQ(type_of(ETH_P_ARP), LinkType::NotIp);
  EXPECT_EQ(type_of(ETH_P_MPLS_UC), LinkType::NotIp);
  EXPECT_EQ(type_of(0x0008), LinkType::NotIp);  // IPv4 in the other byte order
}

TEST(Block, WithoutPacketsIsAtItsEnd) {
  expect_counts(BlockBuilder().build(), 0, 0);
  expect_counts(BlockBuilder({.packets = 0}).packet(numbered(1)).build(), 0, 0);
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
}  // namespace clerk
