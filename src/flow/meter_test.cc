#include "flow/meter.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>

#include "flow/flow_test_support.h"

namespace clerk {
namespace {

using wire::tcp_flag::kAck;
using wire::tcp_flag::kFin;
using wire::tcp_flag::kRst;
using wire::tcp_flag::kSyn;

constexpr uint64_t kTime = 1'700'000'000 * kSecond;

DescribedPacket udp(uint16_t source_port) { return {.time_ns = kTime, .source_port = source_port}; }

DescribedPacket tcp(uint8_t flags) {
  return {.time_ns = kTime, .protocol = wire::protocol::kTcp, .tcp_flags = flags};
}

DescribedPacket fragment(DatagramPart part, uint16_t source_port) {
  return {.time_ns = kTime, .source_port = source_port, .part = part, .identification = 7};
}

uint64_t ignored(const Delta& delta, Stop stop) {
  return delta.counts.ignored[static_cast<size_t>(stop)];
}

class MeterTest : public ::testing::Test {
 protected:
  void count(std::initializer_list<DescribedPacket> packets) {
    count_all(meter_, std::span(packets.begin(), packets.size()), delta_);
  }

  KeyedHash hash_;
  Meter meter_{hash_};
  Delta delta_{DeltaCapacity{.ipv4 = 4, .ipv6 = 4}};
};

TEST_F(MeterTest, AddsThePacketsOfAFlow) {
  DescribedPacket late = udp(1);
  late.time_ns -= 5;
  late.tos = 3;  // ECN does not split a flow
  count({udp(1), late, udp(1)});
  ASSERT_EQ(delta_.ipv4.size(), 1U);
  const auto& entry = delta_.ipv4[0];
  EXPECT_EQ(entry.packets, 3U);
  EXPECT_EQ(entry.octets, 300U);
  EXPECT_EQ(entry.first_ns, kTime - 5);
  EXPECT_EQ(entry.last_ns, kTime);
  EXPECT_EQ(entry.tos, 0U);
  EXPECT_EQ(entry.ordinal, 0U);
  EXPECT_EQ(entry.hash, hash_(entry.key));
}

TEST_F(MeterTest, KeepsIpv4AndIpv6Apart) {
  DescribedPacket ipv6 = udp(1);
  ipv6.version = IpVersion::V6;
  count({udp(1), ipv6, ipv6});
  ASSERT_EQ(delta_.ipv4.size(), 1U);
  ASSERT_EQ(delta_.ipv6.size(), 1U);
  EXPECT_EQ(delta_.ipv6[0].packets, 2U);
  EXPECT_EQ(delta_.ipv6[0].ordinal, 1U);
}

TEST_F(MeterTest, ASynBehindAnythingElseOpensASecondEntry) {
  count({tcp(kSyn), tcp(kSyn), tcp(kAck), tcp(kSyn), tcp(kAck)});
  ASSERT_EQ(delta_.ipv4.size(), 2U);
  EXPECT_EQ(delta_.ipv4[0].packets, 3U);
  EXPECT_EQ(delta_.ipv4[1].packets, 2U);
  EXPECT_EQ(delta_.ipv4[1].ordinal, 3U);
  EXPECT_TRUE(delta_.ipv4[0].marks & mark::kSynOpened);
  EXPECT_TRUE(delta_.ipv4[1].marks & mark::kSynOpened);
}

TEST_F(MeterTest, AnEntryThatBeganWithoutASynIsNotMarkedSo) {
  count({tcp(kAck), tcp(kFin | kAck)});
  ASSERT_EQ(delta_.ipv4.size(), 1U);
  EXPECT_FALSE(delta_.ipv4[0].marks & mark::kSynOpened);
  EXPECT_EQ(delta_.ipv4[0].tcp_flags, kFin | kAck);
}

TEST_F(MeterTest, NotesThePortsOfADatagramWhenItsFirstFragmentComes) {
  count({fragment(DatagramPart::First, 5), fragment(DatagramPart::Later, 0)});
  ASSERT_EQ(delta_.ipv4.size(), 1U);
  const auto& entry = delta_.ipv4[0];
  EXPECT_TRUE(entry.key.is_datagram());
  EXPECT_TRUE(entry.marks & mark::kHasFirst);
  EXPECT_EQ(entry.noted_source_port, 5);
  EXPECT_EQ(entry.noted_destination_port, 2000);
  EXPECT_EQ(entry.noted_protocol, wire::protocol::kUdp);
  EXPECT_EQ(entry.packets, 2U);
}

TEST_F(MeterTest, ASynThatAlsoEndsItsFlowIsFollowedByASecondEntry) {
  for (const uint8_t end : {kFin, kRst}) {
    delta_.clear();
    count({tcp(kSyn | end), tcp(kSyn)});
    EXPECT_EQ(delta_.ipv4.size(), 2U);
  }
}

TEST_F(MeterTest, AFirstFragmentBehindLaterOnesOpensASecondEntry) {
  count({fragment(DatagramPart::Later, 0), fragment(DatagramPart::First, 5),
         fragment(DatagramPart::Later, 0)});
  ASSERT_EQ(delta_.ipv4.size(), 2U);
  EXPECT_FALSE(delta_.ipv4[0].marks & mark::kHasFirst);
  EXPECT_TRUE(delta_.ipv4[1].marks & mark::kHasFirst);
  EXPECT_EQ(delta_.ipv4[1].packets, 2U);
}

TEST_F(MeterTest, AFirstFragmentWithOtherPortsOpensASecondEntry) {
  count({fragment(DatagramPart::First, 5), fragment(DatagramPart::First, 6),
         fragment(DatagramPart::First, 6)});
  ASSERT_EQ(delta_.ipv4.size(), 2U);
  EXPECT_EQ(delta_.ipv4[0].noted_source_port, 5);
  EXPECT_EQ(delta_.ipv4[1].noted_source_port, 6);
  EXPECT_EQ(delta_.ipv4[1].packets, 2U);
}

TEST_F(MeterTest, AFullTableCountsKnownFlowsAndIgnoresNewOnes) {
  count({udp(1), udp(2), udp(3), udp(4), udp(5), udp(4), udp(5)});
  EXPECT_EQ(ignored(delta_, Stop::LackOfResources), 2U);
  EXPECT_EQ(delta_.counts.metered, 5U);
  EXPECT_EQ(delta_.counts.octets_metered, 500U);
  EXPECT_EQ(delta_.ipv4[3].packets, 2U);
}

TEST_F(MeterTest, ASynOfAKnownFlowCountsEvenWithoutRoomForASecondEntry) {
  count({tcp(kSyn), tcp(kAck), udp(1), udp(2), udp(3), tcp(kSyn)});
  EXPECT_EQ(delta_.counts.metered, 6U);
  EXPECT_EQ(delta_.ipv4[0].packets, 3U);
}

TEST_F(MeterTest, TellsBeforehandWhetherThereIsRoom) {
  EXPECT_GE(delta_.room(), 4U);
  count({udp(1)});
  EXPECT_GE(delta_.room(), 3U);
  EXPECT_LT(delta_.room(), 4U);
  delta_.clear();
  EXPECT_GE(delta_.room(), 4U);
}

TEST_F(MeterTest, APacketWithoutAUsableTimeIsIgnored) {
  DescribedPacket last = udp(1);
  last.time_ns = kTimeEnd - 1;
  DescribedPacket behind = udp(1);
  behind.time_ns = kTimeEnd;
  count({last, behind});
  EXPECT_EQ(delta_.counts.received, 2U);
  EXPECT_EQ(delta_.counts.metered, 1U);
  EXPECT_EQ(ignored(delta_, Stop::BadTime), 1U);
}

TEST_F(MeterTest, APacketThatIsNoIpIsIgnoredByItsCause) {
  const std::vector<uint8_t> arp = [] {
    std::vector<uint8_t> frame(60);
    frame[12] = 0x08;
    frame[13] = 0x06;
    return frame;
  }();
  const std::array packets{
      Packet{.data = arp.data(), .time_ns = kTime, .captured_octets = 60, .wire_octets = 60}};
  meter_.count(packets, delta_);
  EXPECT_EQ(delta_.counts.received, 1U);
  EXPECT_EQ(ignored(delta_, Stop::NonIp), 1U);
  EXPECT_EQ(delta_.counts.metered, 0U);
}

DescribedPacket arp(uint8_t source_host) {
  return {.time_ns = kTime, .source_host = source_host, .octets = 60, .ether_type = 0x0806};
}

class LinkMeterTest : public MeterTest {
 protected:
  LinkMeterTest() { delta_.link.emplace(4); }
};

TEST_F(MeterTest, FramesWithoutIpAreIgnoredWhenThereIsNoTableOfThem) {
  count({arp(1), udp(1), arp(2)});
  EXPECT_EQ(ignored(delta_, Stop::NonIp), 2U);
  EXPECT_EQ(delta_.counts.metered, 1U);
}

TEST_F(LinkMeterTest, AddsTheFramesOfAFlowWithoutIp) {
  DescribedPacket late = arp(1);
  late.time_ns -= 5;
  late.octets = 90;
  count({udp(1), arp(1), late});
  ASSERT_EQ(delta_.link->size(), 1U);
  const auto& entry = (*delta_.link)[0];
  EXPECT_EQ(entry.key, (LinkKey{.source = mac_of(1).octets,
                                .destination = mac_of(2).octets,
                                .ether_type = 0x0806,
                                .vlan_id = 0}));
  EXPECT_EQ(entry.packets, 2U);
  EXPECT_EQ(entry.octets, 150U);
  EXPECT_EQ(entry.first_ns, kTime - 5);
  EXPECT_EQ(entry.last_ns, kTime);
  EXPECT_EQ(entry.ordinal, 1U);
  EXPECT_EQ(entry.hash, hash_(entry.key));
  EXPECT_EQ(entry.tos | entry.tcp_flags | entry.marks, 0);
  EXPECT_EQ(delta_.counts.metered, 3U);
  EXPECT_EQ(delta_.counts.octets_metered, 250U);
  EXPECT_EQ(delta_.counts.ignored_total(), 0U);
}

TEST_F(LinkMeterTest, TellsFlowsWithoutIpApartByEveryPartOfTheKey) {
  DescribedPacket other_destination = arp(1);
  other_destination.destination_host = 9;
  DescribedPacket tagged = arp(1);
  tagged.vlan_id = 7;
  DescribedPacket lldp = arp(1);
  lldp.ether_type = 0x88cc;
  count({arp(1), other_destination, tagged, lldp});
  ASSERT_EQ(delta_.link->size(), 4U);
  EXPECT_EQ((*delta_.link)[2].key.vlan_id, 7);
  EXPECT_EQ((*delta_.link)[3].key.ether_type, 0x88cc);
}

TEST_F(LinkMeterTest, EncryptedMacsecFramesMakeFlowsToo) {
  constexpr uint16_t kMacsec = 0x88e5;
  std::vector<uint8_t> frame = frame_of({.octets = 80, .ether_type = kMacsec});
  frame[14] = 0x2c;  // with SCI, encrypted and changed
  const auto octets = static_cast<uint32_t>(frame.size());
  const std::array packets{Packet{
      .data = frame.data(), .time_ns = kTime, .captured_octets = octets, .wire_octets = octets}};
  meter_.count(packets, delta_);
  ASSERT_EQ(delta_.link->size(), 1U);
  EXPECT_EQ((*delta_.link)[0].key.ether_type, kMacsec);
  EXPECT_EQ(delta_.counts.octets_metered, 80U);
}

TEST_F(LinkMeterTest, WhatIsCutShortIsNoFlow) {
  const std::vector<uint8_t> frame = frame_of(arp(1));
  const std::array packets{
      Packet{.data = frame.data(), .time_ns = kTime, .captured_octets = 13, .wire_octets = 60}};
  meter_.count(packets, delta_);
  EXPECT_EQ(ignored(delta_, Stop::Truncated), 1U);
  EXPECT_EQ(delta_.counts.metered, 0U);
}

TEST_F(LinkMeterTest, AFullTableCountsKnownFlowsAndIgnoresNewOnes) {
  count({arp(1), arp(2), arp(3), arp(4), arp(5), arp(4), udp(1)});
  EXPECT_EQ(ignored(delta_, Stop::LackOfResources), 1U);
  EXPECT_EQ(ignored(delta_, Stop::NonIp), 0U);
  EXPECT_EQ(delta_.counts.metered, 6U);
  EXPECT_EQ((*delta_.link)[3].packets, 2U);
}

TEST_F(LinkMeterTest, TellsBeforehandWhetherThereIsRoom) {
  EXPECT_GE(delta_.room(), 4U);
  count({arp(1)});
  EXPECT_LT(delta_.room(), 4U);
  delta_.clear();
  EXPECT_GE(delta_.room(), 4U);
}

TEST(Delta, HasATableOfFlowsWithoutIpOnlyWhenTheyAreMetered) {
  EXPECT_FALSE(Delta(file_delta()).link);
  const DeltaCapacity with_link = file_delta({.non_ip = true});
  const Delta delta(with_link);
  ASSERT_TRUE(delta.link);
  EXPECT_EQ(delta.link->room(), kDeltaLinkEntries);
  EXPECT_EQ(with_link.octets() - file_delta().octets(),
            MeterTable<LinkKey>::octets(kDeltaLinkEntries));
}

TEST_F(MeterTest, ATcpHeaderCutBehindItsPortsIsCounted) {
  const std::vector<uint8_t> frame = frame_of(tcp(kAck));
  const uint32_t cut = 14 + 20 + 8;
  const std::array packets{Packet{.data = frame.data(),
                                  .time_ns = kTime,
                                  .captured_octets = cut,
                                  .wire_octets = static_cast<uint32_t>(frame.size())}};
  meter_.count(packets, delta_);
  EXPECT_EQ(delta_.counts.metered, 1U);
  EXPECT_EQ(delta_.counts.tcp_flags_missing, 1U);
  EXPECT_EQ(delta_.ipv4[0].tcp_flags, 0);
}

TEST_F(MeterTest, APacketLongerThanTheLinkCarriesIsASuperPacketAndCountsAsItIs) {
  DescribedPacket fits = udp(1);
  fits.octets = 1500;
  DescribedPacket merged = udp(1);
  merged.octets = 1501;
  DescribedPacket merged6 = merged;
  merged6.version = IpVersion::V6;
  count({fits, merged, merged6});
  EXPECT_EQ(delta_.counts.metered, 3U);
  EXPECT_EQ(delta_.counts.super_packets, 2U);
  EXPECT_EQ(delta_.counts.octets_metered, 1500U + 2 * 1501U);
  EXPECT_EQ(delta_.ipv4[0].octets, 3001U);
}

TEST_F(MeterTest, HowLongASuperPacketIsDependsOnTheLink) {
  DescribedPacket jumbo = udp(1);
  jumbo.octets = 9000;
  for (const auto& [mtu, super_packets] : {std::pair(8999U, 1U), {9000U, 1U}, {1500U, 2U}}) {
    meter_.set_mtu(mtu);
    count({jumbo});
    EXPECT_EQ(delta_.counts.super_packets, super_packets) << mtu;
  }
}

TEST_F(MeterTest, ALongPacketWithoutRoomIsIgnoredAndNoSuperPacket) {
  DescribedPacket merged = udp(5);
  merged.octets = 3000;
  count({udp(1), udp(2), udp(3), udp(4), merged});
  EXPECT_EQ(ignored(delta_, Stop::LackOfResources), 1U);
  EXPECT_EQ(delta_.counts.super_packets, 0U);
}

}  // namespace
}  // namespace clerk
