// Packets on which decode() and the reference decoder once disagreed, and what docs/decoding.md
// says of them.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "decode/differential_support.h"

namespace clerk::differential {
namespace {

using reference::Octets;

// Two hexadecimal digits an octet; spaces are for the reader.
Octets from_hex(std::string_view digits) {
  Octets octets;
  std::string pair;
  for (const char digit : digits) {
    if (digit != ' ') pair += digit;
    if (pair.size() < 2) continue;
    octets.push_back(static_cast<uint8_t>(std::stoul(pair, nullptr, 16)));
    pair.clear();
  }
  return octets;
}

Subject whole(uint32_t link_type, std::string_view digits) {
  Subject subject{.link_type = link_type, .octets = from_hex(digits)};
  subject.wire_octets = static_cast<uint32_t>(subject.octets.size());
  return subject;
}

// The answer of both.
reference::Answer agreed(const Subject& subject) {
  EXPECT_EQ(disagreement(subject), "");
  return fast(subject);
}

TEST(Settled, ACookedAddressIsAMacAddressOnlyIfItHasSixOctets) {
  const auto with = agreed(whole(113, "0000 0001 0006 020000000001 0000 0806"));
  EXPECT_EQ(with.link.source, from_hex("020000000001"));
  const auto loopback = agreed(whole(113, "0000 0304 0000 000000000000 0000 0806"));
  EXPECT_EQ(loopback.link.source, std::nullopt);
  const auto tunnel = agreed(whole(276, "0806 0000 00000001 0308 04 04 c0000201 00000000"));
  EXPECT_EQ(tunnel.link.source, std::nullopt);
}

TEST(Settled, ALinkTypeThatNoFileHasIsUnknownInsideAWrapper) {
  EXPECT_EQ(agreed(whole(192, "00 00 0800 ffffffff 45000014")).stop, reference::Stop::LinkType);
}

TEST(Settled, NflogWithoutAPayloadCarriesNoIp) {
  EXPECT_EQ(agreed(whole(239, "02 00 0000 0800 0100 00000000")).stop, reference::Stop::NonIp);
}

TEST(Settled, AnArcnetHeaderThatTheWireLackedIsMalformedHoweverItWasCut) {
  Subject subject = whole(129, "01 02 0000 d4 00 00");
  for (; subject.octets.size() >= 5; subject.octets.pop_back())
    EXPECT_EQ(agreed(subject).stop, reference::Stop::Malformed);
}

TEST(Settled, NothingBelowALabelStackIsNoIp) {
  EXPECT_EQ(agreed(whole(1, "020000000002 020000000001 8847 00010140")).stop,
            reference::Stop::NonIp);
}

TEST(Settled, TooLittleBelowALabelStackIsNoIpHoweverItWasCut) {
  Subject subject = whole(1, "020000000002 020000000001 8847 00010140 00000000 0000");
  for (; subject.octets.size() >= 19; subject.octets.pop_back())
    EXPECT_EQ(agreed(subject).stop, reference::Stop::NonIp);
}

TEST(Settled, ABridgedFrameHasNoEtherTypeButItsOwn) {
  const auto answer = agreed(whole(1,
                                   "020000000002 020000000001 0020 aaaa 03 0080c2 0007"
                                   "020000000004 020000000003 05e3 00000000"));
  EXPECT_EQ(answer.stop, reference::Stop::NonIp);
  EXPECT_EQ(answer.link.ether_type, 0);
}

TEST(Settled, ARadiotapHeaderWithoutRoomForTheFlagsItClaimsIsMalformed) {
  const std::string frame = "4800 0000";
  EXPECT_EQ(agreed(whole(127, "00 00 0800 02000000" + frame)).stop, reference::Stop::Malformed);
  EXPECT_EQ(agreed(whole(127, "00 00 0800 02000080" + frame)).stop, reference::Stop::Malformed);
  EXPECT_EQ(agreed(whole(127, "00 00 0900 02000000 00" + frame)).stop, reference::Stop::NonIp);
}

TEST(Settled, AFrameShorterThanItsCheckSequenceIsMalformed) {
  EXPECT_EQ(agreed(whole(127, "00 00 0900 02000000 10 480000")).stop, reference::Stop::Malformed);
}

constexpr std::string_view kInner =
    "4500 001c 0000 0000 4011 0000 c0000201 c6336402 0001 0002 0008 0000";

// IPv4 with UDP between these ports.
Subject udp_between(std::string_view ports, std::string_view length, std::string_view payload) {
  Subject subject =
      whole(228, "4500 0000 0000 0000 4011 0000 0a000001 0a000002 " + std::string(ports) +
                     std::string(length) + "0000" + std::string(payload));
  subject.tunnels = all_tunnels();
  return subject;
}

TEST(Settled, EachOfTwoPortsMayTellTheTunnel) {
  const std::string l2tp = "0002 0001 0001 21" + std::string(kInner);
  for (const char* ports : {"06a5 06a5", "0868 06a5", "06a5 0868", "0dd8 06a5", "06a5 0dd8"}) {
    SCOPED_TRACE(ports);
    const auto answer = agreed(udp_between(ports, "002b", l2tp));
    EXPECT_TRUE(answer.key.decapsulated);
    EXPECT_EQ(answer.key.destination_port, 2);
  }
}

TEST(Settled, ATriedTunnelLeavesNothingBehind) {
  // VXLAN by its destination port, whose Ethernet frame has a tag and a first fragment without
  // ports; GTP-U by its source port.
  const auto answer = agreed(udp_between("0868 12b5", "0036",
                                         "38ff 0026 00000000"
                                         "4500 0026 0000 0000 4011 0000 81000005 08004500"
                                         "0014 0000 2000 4011 c0000201 c0000202 0000"));
  EXPECT_TRUE(answer.key.decapsulated);
  EXPECT_EQ(answer.key.source, from_hex("81000005"));
  EXPECT_EQ(answer.key.source_port, 0x14);
  EXPECT_EQ(answer.vlan_id, 0);
  EXPECT_EQ(answer.key.fragment, reference::Fragment::Whole);
}

TEST(Settled, GreIsNotLookedAtForOtherTunnels) {
  Subject subject = whole(228, "4500 0030 0000 0000 402f 0000 0a000001 0a000002");
  subject.wire_octets = 48;
  subject.tunnels = {Tunnel::Vxlan};
  EXPECT_EQ(agreed(subject).stop, reference::Stop::Done);
  subject.tunnels = {Tunnel::Erspan};
  EXPECT_EQ(agreed(subject).stop, reference::Stop::Truncated);
}

}  // namespace
}  // namespace clerk::differential
