#include "testing/reference_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace clerk::reference {
namespace {

// Octets as RFCs and dumps show them: two hexadecimal digits each; spaces are for the reader.
Octets hex(std::string_view digits) {
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

Octets operator+(Octets octets, const Octets& more) {
  octets.insert(octets.end(), more.begin(), more.end());
  return octets;
}

const Octets kMacs = hex("0200 0000 0002 0200 0000 0001");
// ToS 0xb8, Total Length 32, identification 0x1234, UDP, 192.0.2.1 to 198.51.100.2
const Octets kIpv4 = hex("45b8 0020 1234 0000 4011 0000 c0000201 c6336402");
const Octets kUdp = hex("0035 1092 000c 0000 dada dada");
const Octets kSource = hex("c0000201");

Answer decode_ethernet(const Octets& behind_macs, const std::set<Tunnel>& tunnels = {}) {
  return decode({.octets = kMacs + behind_macs, .tunnels = tunnels});
}

TEST(ReferenceDecoder, TellsTheWholeKeyOfAUdpPacket) {
  const Answer answer = decode_ethernet(hex("0800") + kIpv4 + kUdp + hex("eeee eeee"));
  EXPECT_EQ(answer.stop, Stop::Done);
  const Key expected{.version = 4,
                     .source = kSource,
                     .destination = hex("c6336402"),
                     .protocol = 17,
                     .tos = 0xb8,
                     .source_port = 0x35,
                     .destination_port = 0x1092,
                     .octets = 32};
  EXPECT_EQ(answer.key, expected);
}

TEST(ReferenceDecoder, TellsWhatEndedAPacketByWhatIsMissing) {
  const Octets packet = kMacs + hex("0800") + kIpv4 + kUdp;
  const size_t ports_end = 14 + 20 + 4;
  for (size_t captured = 0; captured < packet.size(); ++captured) {
    const Octets cut(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(captured));
    const bool has_key = captured >= ports_end;
    EXPECT_EQ(decode({.octets = cut, .wire_octets = packet.size()}).stop,
              has_key ? Stop::Done : Stop::Truncated);
    EXPECT_EQ(decode({.octets = cut}).stop, has_key ? Stop::Done : Stop::Malformed);
  }
}

TEST(ReferenceDecoder, TellsTheFirstTagAndTheLinkHeaderOfWhatIsNoIp) {
  const Answer answer = decode_ethernet(hex("88a8 6007 8100 0008 0806 0001"));
  EXPECT_EQ(answer.stop, Stop::NonIp);
  EXPECT_EQ(answer.vlan_id, 7);
  const Link expected{.source = hex("0200 0000 0001"),
                      .destination = hex("0200 0000 0002"),
                      .ether_type = 0x0806,
                      .octets = 24};
  EXPECT_EQ(answer.link, expected);
}

TEST(ReferenceDecoder, ReadsAnIeee802Dot3LengthAndSnap) {
  const Answer answer = decode_ethernet(hex("0028 aaaa 03 000000 0800") + kIpv4 + kUdp);
  EXPECT_EQ(answer.stop, Stop::Done);
  EXPECT_EQ(answer.key.source, kSource);
}

TEST(ReferenceDecoder, ReadsAPseudowireByItsControlWord) {
  const Answer answer =
      decode_ethernet(hex("8847 00010140 00000000") + kMacs + hex("8100 0003 0800") + kIpv4 + kUdp);
  EXPECT_EQ(answer.stop, Stop::Done);
  EXPECT_EQ(answer.vlan_id, 3);
}

TEST(ReferenceDecoder, FollowsIpv6ExtensionHeadersOfAFirstFragment) {
  const Octets ipv6 = hex("6000 0000 0014 2c40") + Octets(16, 0x20) + Octets(16, 0x21);
  const Octets fragment = hex("3c00 0001 0000 abcd");
  const Octets destination_options = hex("0600 0104 0000 0000");
  const Octets tcp_ports = hex("0400 0050");
  const Answer answer =
      decode({.link_type = 229, .octets = ipv6 + fragment + destination_options + tcp_ports});
  EXPECT_EQ(answer.stop, Stop::Done);
  EXPECT_EQ(answer.key.fragment, Fragment::First);
  EXPECT_EQ(answer.key.datagram_protocol, 60);
  EXPECT_EQ(answer.key.identification, 0xabcdU);
  EXPECT_EQ(answer.key.protocol, 6);
  EXPECT_EQ(answer.key.source_port, 0x400);
  EXPECT_TRUE(answer.key.tcp_flags_missing);
}

TEST(ReferenceDecoder, MetersTheInsideOfATunnelOnlyWhenItIsNamedAndValid) {
  const Octets outer = hex("0800 4500 0038 0000 0000 402f 0000 0a000001 0a000002");
  const Octets gre = hex("0000 0800");
  const Octets inner = kIpv4 + kUdp;
  EXPECT_EQ(decode_ethernet(outer + gre + inner).key.protocol, 47);
  const Answer inside = decode_ethernet(outer + gre + inner, {Tunnel::Gre});
  EXPECT_EQ(inside.key.protocol, 17);
  EXPECT_TRUE(inside.key.decapsulated);
  const Answer with_route = decode_ethernet(outer + hex("4000 0800") + inner, {Tunnel::Gre});
  EXPECT_EQ(with_route.key.protocol, 47);
  EXPECT_FALSE(with_route.key.decapsulated);
}

TEST(ReferenceDecoder, AsksForTheOctetsThatDecideAboutATunnel) {
  const Octets packet = hex("0800 4500 0038 0000 0000 402f 0000 0a000001 0a000002 0000 0800 45");
  const Capture cut{.octets = kMacs + packet, .wire_octets = 14 + 56, .tunnels = {Tunnel::Gre}};
  EXPECT_EQ(decode(cut).stop, Stop::Truncated);
}

TEST(ReferenceDecoder, ReadsIeee80211BehindRadiotap) {
  const Octets radiotap = hex("0000 0900 02000000 10");  // flags: with a frame check sequence
  const Octets wlan = hex("0801 0000 0a0000000001 0a0000000002 0a0000000003 0000");
  const Octets llc = hex("aaaa 03 000000 0806");
  const Answer answer =
      decode({.link_type = 127, .octets = radiotap + wlan + llc + hex("ffff ffff")});
  EXPECT_EQ(answer.stop, Stop::NonIp);
  const Link expected{.source = hex("0a0000000002"),
                      .destination = hex("0a0000000003"),
                      .ether_type = 0x0806,
                      .octets = 32};
  EXPECT_EQ(answer.link, expected);
}

TEST(ReferenceDecoder, StopsAtTheSixtyFifthShim) {
  Octets tags;
  for (int tag = 0; tag < 64; ++tag)
    tags = tags + hex("8100 0001");
  const Octets packet = hex("0800") + kIpv4 + kUdp;
  EXPECT_EQ(decode_ethernet(tags + packet).stop, Stop::Done);
  EXPECT_EQ(decode_ethernet(tags + hex("8100 0001") + packet).stop, Stop::DepthLimit);
}

}  // namespace
}  // namespace clerk::reference
