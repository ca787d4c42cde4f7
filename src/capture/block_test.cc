#include "capture/block.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <vector>

#include "capture/block_test_support.h"

namespace clerk::block_tests {
namespace {

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

}  // namespace
}  // namespace clerk::block_tests
