#include "decode/walk.h"

#include <gtest/gtest.h>

#include "decode/decode_test_support.h"
#include "decode/wire.h"

namespace clerk {
namespace {

PacketBuilder frame() { return PacketBuilder().ethernet(); }

void expect_udp(const Decoded& decoded, IpVersion version, uint16_t vlan_id) {
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.version, version);
  EXPECT_EQ(decoded.headers.vlan_id, vlan_id);
  EXPECT_EQ(decoded.headers.protocol, wire::protocol::kUdp);
  EXPECT_EQ(decoded.headers.destination_port, 80);
}

TEST(Link, EthernetLeadsToIp) {
  expect_udp(decode_built(frame().ipv4().udp()), IpVersion::V4, 0);
  expect_udp(decode_built(frame().ipv6().udp()), IpVersion::V6, 0);
}

TEST(Link, ATagOfAnyTpidIsLookedThrough) {
  for (const uint16_t tpid : EtherTypes{0x8100, 0x88a8, 0x9100, 0x9200, 0x9300}) {
    SCOPED_TRACE(tpid);
    expect_udp(decode_built(frame().vlan(4095, {.tpid = tpid}).ipv4().udp()), IpVersion::V4, 4095);
    expect_udp(decode_built(frame().vlan(7, {.tpid = tpid}).ipv6().udp()), IpVersion::V6, 7);
  }
}

TEST(Link, TheOutermostTagGivesTheVlanId) {
  const auto packet = frame().vlan(100, {.tpid = 0x88a8}).vlan(200).vlan(300).ipv4().udp();
  expect_udp(decode_built(packet), IpVersion::V4, 100);
}

TEST(Link, PriorityBitsAreNoPartOfTheVlanId) {
  expect_udp(decode_built(frame().vlan(5, {.priority = 7}).ipv4().udp()), IpVersion::V4, 5);
}

TEST(Link, APriorityTagIsVlan0EvenInFrontOfAnotherTag) {
  expect_udp(decode_built(frame().vlan(0, {.priority = 6}).ipv4().udp()), IpVersion::V4, 0);
  expect_udp(decode_built(frame().vlan(0).vlan(9).ipv4().udp()), IpVersion::V4, 0);
}

TEST(Link, LabelStacksAreLookedThrough) {
  expect_udp(decode_built(frame().mpls(16).ipv4().udp()), IpVersion::V4, 0);
  expect_udp(decode_built(frame().mpls(16).mpls(0xfffff).mpls(3).ipv6().udp()), IpVersion::V6, 0);
  expect_udp(decode_built(frame().mpls(16, 0x8848).ipv4().udp()), IpVersion::V4, 0);
}

TEST(Link, ATagInFrontOfLabelsGivesTheVlanId) {
  expect_udp(decode_built(frame().vlan(42).mpls(16).mpls(17).ipv4().udp()), IpVersion::V4, 42);
}

TEST(Link, APseudowireWithItsControlWordIsLookedThrough) {
  const auto plain = frame().mpls(16).control_word().ethernet().ipv4().udp();
  expect_udp(decode_built(plain), IpVersion::V4, 0);
  const auto tagged = frame().mpls(16).control_word().ethernet().vlan(77).ipv6().udp();
  expect_udp(decode_built(tagged), IpVersion::V6, 77);
}

TEST(Link, TheTagInFrontOfAPseudowireIsTheOutermost) {
  const auto packet = frame().vlan(5).mpls(16).control_word().ethernet().vlan(77).ipv4().udp();
  expect_udp(decode_built(packet), IpVersion::V4, 5);
}

TEST(Link, APseudowireMayCarryLabelsAgain) {
  const auto packet = frame().mpls(16).control_word().ethernet().mpls(18).mpls(19).ipv4().udp();
  expect_udp(decode_built(packet), IpVersion::V4, 0);
}

TEST(Link, WhatIsNeitherIpNorAControlWordBelowLabelsIsNotGuessedAt) {
  for (const uint8_t first : Octets{0x10, 0x50, 0x70, 0xf0}) {
    const auto packet = frame().mpls(16).octets({first}).payload(40);
    EXPECT_EQ(decode_built(packet).stop, Stop::NonIp) << int{first};
  }
}

TEST(Link, APseudowireWithoutAControlWordIsLookedThroughWhateverItsAddressLooksLike) {
  for (const uint8_t first : Octets{0x02, 0x45, 0x48, 0x60, 0x64}) {
    auto octets = frame().mpls(16).ethernet().ipv4().udp().build();
    octets[18] = first;  // of the inner destination address
    const auto decoded =
        decode_octets(octets, LinkType::Ethernet, static_cast<uint32_t>(octets.size()));
    expect_udp(decoded, IpVersion::V4, 0);
  }
}

TEST(Link, TheVersionBelowLabelsDecides) {
  const auto packet = frame().mpls(16).ipv6().udp();
  EXPECT_EQ(decode_built(packet).headers.version, IpVersion::V6);
}

PacketBuilder tagged_times(int tags) {
  PacketBuilder packet = frame();
  for (int i = 0; i < tags; ++i)
    packet.vlan(static_cast<uint16_t>(i + 1));
  return packet;
}

TEST(Link, AsManyTagsAsTheLimitAreFollowedAndNotOneMore) {
  expect_udp(decode_built(tagged_times(kShimsMax).ipv4().udp()), IpVersion::V4, 1);
  EXPECT_EQ(decode_built(tagged_times(kShimsMax + 1).ipv4().udp()).stop, Stop::DepthLimit);
}

// Its address may begin with four bits of 0, and with its tag taken for part of an address behind a
// control word it would lead to the same IP header.
TEST(Link, APseudowireWithoutControlWordKeepsItsTag) {
  PacketBuilder packet = frame().mpls(16).ethernet().vlan(9).ipv4().udp();
  constexpr size_t kInnerAddressAt = wire::kEthernetOctets + wire::kMplsOctets;
  packet.set_octet(kInnerAddressAt, 0x00);
  expect_udp(decode_built(packet), IpVersion::V4, 9);
}

TEST(Link, TagsAndLabelsCountTogether) {
  expect_udp(decode_built(tagged_times(kShimsMax - 1).mpls(16).ipv4().udp()), IpVersion::V4, 1);
  EXPECT_EQ(decode_built(tagged_times(kShimsMax).mpls(16).ipv4().udp()).stop, Stop::DepthLimit);
}

TEST(Link, AStackOfLabelsWithoutBottomEndsAtTheLimit) {
  PacketBuilder packet = frame().ether_type(wire::ether_type::kMpls);
  for (int i = 0; i < 100; ++i)
    packet.octets({0, 1, 0, 64});
  EXPECT_EQ(decode_built(packet).stop, Stop::DepthLimit);
}

TEST(Link, OtherEtherTypesAreNotIp) {
  for (const uint16_t type : EtherTypes{0x0806, 0x88cc, 0x8035, 0x22f3, 0xffff, 1501, 0x05ff}) {
    EXPECT_EQ(decode_built(frame().ether_type(type).payload(46)).stop, Stop::NonIp) << type;
    EXPECT_EQ(decode_built(frame().vlan(3).ether_type(type).payload(46)).stop, Stop::NonIp) << type;
  }
}

TEST(Link, AnIeee8023LengthIsNoEtherType) {
  EXPECT_EQ(decode_built(frame().ether_type(38).octets({0x42, 0x42, 3}).payload(43)).stop,
            Stop::NonIp);
}

TEST(Link, LinuxCookedLeadsToIp) {
  const auto ipv4 = PacketBuilder().linux_cooked().ipv4().udp();
  expect_udp(decode_built(ipv4, LinkType::LinuxCooked), IpVersion::V4, 0);
  const auto ipv6 = PacketBuilder().linux_cooked().vlan(12).ipv6().udp();
  expect_udp(decode_built(ipv6, LinkType::LinuxCooked), IpVersion::V6, 12);
}

TEST(Link, LinuxCooked2LeadsToIp) {
  const auto ipv4 = PacketBuilder().linux_cooked2().ipv4().udp();
  expect_udp(decode_built(ipv4, LinkType::LinuxCooked2), IpVersion::V4, 0);
  const auto ipv6 = PacketBuilder().linux_cooked2().vlan(12).ipv6().udp();
  expect_udp(decode_built(ipv6, LinkType::LinuxCooked2), IpVersion::V6, 12);
}

TEST(Link, ANetlinkFamilyIsNoEtherType) {
  constexpr uint16_t kNetlink = wire::kHardwareNetlink;
  const auto cooked = PacketBuilder().linux_cooked(kNetlink).ipv4().udp();
  EXPECT_EQ(decode_built(cooked, LinkType::LinuxCooked).stop, Stop::NonIp);
  const auto cooked2 = PacketBuilder().linux_cooked2(kNetlink).ipv4().udp();
  EXPECT_EQ(decode_built(cooked2, LinkType::LinuxCooked2).stop, Stop::NonIp);
}

TEST(Link, RawIpTellsItsVersionItself) {
  for (const LinkType raw : {LinkType::Raw, LinkType::RawBsd, LinkType::RawOpenBsd}) {
    expect_udp(decode_built(PacketBuilder().ipv4().udp(), raw), IpVersion::V4, 0);
    expect_udp(decode_built(PacketBuilder().ipv6().udp(), raw), IpVersion::V6, 0);
    EXPECT_EQ(decode_octets({0x50, 0, 0, 0}, raw).stop, Stop::NonIp);
  }
}

TEST(Link, ALinkTypeOfOneIpVersionAllowsNoOther) {
  expect_udp(decode_built(PacketBuilder().ipv4().udp(), LinkType::Ipv4), IpVersion::V4, 0);
  expect_udp(decode_built(PacketBuilder().ipv6().udp(), LinkType::Ipv6), IpVersion::V6, 0);
  EXPECT_EQ(decode_built(PacketBuilder().ipv6().udp(), LinkType::Ipv4).stop, Stop::Malformed);
  EXPECT_EQ(decode_built(PacketBuilder().ipv4().payload(20), LinkType::Ipv6).stop, Stop::Malformed);
}

TEST(Link, AnUnknownLinkTypeIsNotDecoded) {
  for (const uint32_t type : {2U, 143U, 147U, 275U, 0xfffffffeU}) {
    EXPECT_EQ(decode_built(PacketBuilder().ipv4().udp(), LinkType{type}).stop, Stop::LinkType);
    EXPECT_EQ(decode_octets({}, LinkType{type}).stop, Stop::LinkType);
  }
}

TEST(Link, APacketThatTheKernelSaysIsNotIpIsNot) {
  EXPECT_EQ(decode_built(PacketBuilder().ipv4().udp(), LinkType::NotIp).stop, Stop::NonIp);
  EXPECT_EQ(decode_octets({}, LinkType::NotIp).stop, Stop::NonIp);
}

// A packet in front of which the kernel took off a tag.
Headers decode_stripped(const PacketBuilder& builder, uint16_t stripped_vlan_id) {
  const std::vector<uint8_t> octets = builder.build();
  const auto size = static_cast<uint32_t>(octets.size());
  Headers headers{};
  EXPECT_EQ(decode({.data = octets.data(),
                    .captured_octets = size,
                    .wire_octets = size,
                    .stripped_vlan_id = stripped_vlan_id},
                   {}, headers),
            Stop::Done);
  return headers;
}

TEST(Link, AStrippedTagIsTheOutermostOne) {
  EXPECT_EQ(decode_stripped(frame().ipv4().udp(), 100).vlan_id, 100);
  EXPECT_EQ(decode_stripped(frame().vlan(200).ipv6().udp(), 100).vlan_id, 100);
  EXPECT_EQ(decode_stripped(frame().vlan(200).ipv4().udp(), kNoVlanTag).vlan_id, 200);
}

TEST(Link, AStrippedPriorityTagHasNoId) {
  EXPECT_EQ(decode_stripped(frame().ipv4().udp(), 0).vlan_id, 0);
  EXPECT_EQ(decode_stripped(frame().vlan(9).ipv4().udp(), 0).vlan_id, 0);
}

}  // namespace
}  // namespace clerk
