#include "decode/transport.h"

#include <gtest/gtest.h>

#include <array>

#include "decode/decode_test_support.h"
#include "decode/wire.h"

namespace clerk {
namespace {

using namespace wire;

constexpr size_t kTransportAt = 14 + 20;    // behind Ethernet and IPv4
constexpr size_t kTransportAtV6 = 14 + 40;  // behind Ethernet and IPv6

constexpr std::array kProtocolsWithPorts{protocol::kTcp, protocol::kUdp, protocol::kDccp,
                                         protocol::kSctp, protocol::kUdpLite};

PacketBuilder frame() { return PacketBuilder().ethernet(); }

void expect_ports(const PacketBuilder& packet, uint8_t number) {
  const auto decoded = decode_built(packet);
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.protocol, number);
  EXPECT_EQ(decoded.headers.source_port, 0x1234);
  EXPECT_EQ(decoded.headers.destination_port, 0xfedc);
}

TEST(Transport, EachProtocolWithPortsGivesThem) {
  constexpr Ports kPorts{.source = 0x1234, .destination = 0xfedc};
  for (const auto& ip : {frame().ipv4(), frame().ipv6()}) {
    expect_ports(PacketBuilder(ip).tcp({.source_port = 0x1234, .destination_port = 0xfedc}), 6);
    expect_ports(PacketBuilder(ip).udp(kPorts), 17);
    expect_ports(PacketBuilder(ip).dccp(kPorts), 33);
    expect_ports(PacketBuilder(ip).sctp(kPorts), 132);
    expect_ports(PacketBuilder(ip).udp_lite(kPorts), 136);
  }
}

TEST(Transport, OtherProtocolsHaveNoPorts) {
  for (int number = 0; number <= 255; ++number) {
    const auto other = static_cast<uint8_t>(number);
    if (has_transport_key(IpVersion::V4, other)) continue;
    const auto decoded = decode_built(frame().ipv4().protocol(other).payload(40));
    EXPECT_EQ(decoded.stop, Stop::Done) << number;
    EXPECT_EQ(decoded.headers.source_port, 0) << number;
    EXPECT_EQ(decoded.headers.destination_port, 0) << number;
    EXPECT_EQ(decoded.headers.tcp_flags, 0) << number;
    EXPECT_FALSE(decoded.headers.tcp_flags_missing) << number;
  }
}

TEST(Transport, OnlyPortsAndIcmpOfTheSameVersionBelongToTheKey) {
  for (const IpVersion version : {IpVersion::V4, IpVersion::V6}) {
    const uint8_t icmp = version == IpVersion::V4 ? protocol::kIcmp : protocol::kIcmpV6;
    size_t keyed = 0;
    for (int number = 0; number <= 255; ++number)
      keyed += has_transport_key(version, static_cast<uint8_t>(number)) ? 1U : 0U;
    EXPECT_EQ(keyed, kProtocolsWithPorts.size() + 1);
    EXPECT_TRUE(has_transport_key(version, icmp));
    for (const uint8_t number : kProtocolsWithPorts)
      EXPECT_TRUE(has_transport_key(version, number));
  }
}

TEST(Transport, IcmpGivesTypeTimes256PlusCode) {
  const auto echo = decode_built(frame().ipv4().icmp(8, 0));
  EXPECT_EQ(echo.headers.destination_port, 8 * 256);
  EXPECT_EQ(echo.headers.source_port, 0);
  EXPECT_EQ(decode_built(frame().ipv4().icmp(3, 13)).headers.destination_port, 3 * 256 + 13);
  EXPECT_EQ(decode_built(frame().ipv6().icmp_v6(135, 0)).headers.destination_port, 135 * 256);
  EXPECT_EQ(decode_built(frame().ipv6().icmp_v6(255, 255)).headers.destination_port, 65535);
}

TEST(Transport, IcmpOfTheOtherVersionHasNoTypeAndCode) {
  EXPECT_EQ(decode_built(frame().ipv4().icmp_v6(135, 1)).headers.destination_port, 0);
  EXPECT_EQ(decode_built(frame().ipv6().icmp(8, 1)).headers.destination_port, 0);
}

TEST(Transport, TcpGivesItsLowEightFlags) {
  for (int flags = 0; flags <= 255; ++flags) {
    const auto decoded = decode_built(frame().ipv4().tcp({.flags = static_cast<uint8_t>(flags)}));
    EXPECT_EQ(decoded.headers.tcp_flags, flags);
    EXPECT_FALSE(decoded.headers.tcp_flags_missing);
  }
}

TEST(Transport, OnlyTcpHasFlags) {
  const auto decoded = decode_built(frame().ipv6().udp().payload(100));
  EXPECT_EQ(decoded.headers.tcp_flags, 0);
  EXPECT_FALSE(decoded.headers.tcp_flags_missing);
}

TEST(Transport, ATcpHeaderCutBehindItsPortsIsMeteredWithoutFlags) {
  const auto octets = frame().ipv4().tcp({.flags = 0xff}).build();
  for (size_t captured = 4; captured <= kTcpFlagsAt; ++captured) {
    const auto decoded = decode_cut(octets, kTransportAt + captured);
    EXPECT_EQ(decoded.stop, Stop::Done);
    EXPECT_EQ(decoded.headers.destination_port, 80);
    EXPECT_EQ(decoded.headers.tcp_flags, 0);
    EXPECT_TRUE(decoded.headers.tcp_flags_missing);
  }
  const auto decoded = decode_cut(octets, kTransportAt + kTcpFlagsAt + 1);
  EXPECT_EQ(decoded.headers.tcp_flags, 0xff);
  EXPECT_FALSE(decoded.headers.tcp_flags_missing);
}

TEST(Transport, FlagsAreNotReadFromBehindTheIpLength) {
  const auto decoded = decode_built(frame().ipv4({.total_length = 28}).tcp().pad_to(80));
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.tcp_flags, 0);
  EXPECT_TRUE(decoded.headers.tcp_flags_missing);
}

TEST(Transport, FlagsAreMissingFromATinyFirstFragment) {
  const auto decoded =
      decode_built(frame().ipv4({.more_fragments = true, .total_length = 28}).tcp({.flags = 2}));
  EXPECT_EQ(decoded.headers.fragment, Fragment::First);
  EXPECT_TRUE(decoded.headers.tcp_flags_missing);
}

TEST(Transport, PortsAreNotReadFromPadding) {
  for (const uint8_t number : kProtocolsWithPorts) {
    const auto ipv4 = frame().ipv4().protocol(number).payload(3).pad_to(60);
    EXPECT_EQ(decode_built(ipv4).stop, Stop::Malformed) << int{number};
    const auto ipv6 = frame().ipv6().protocol(number).payload(3).pad_to(80);
    EXPECT_EQ(decode_built(ipv6).stop, Stop::Malformed) << int{number};
  }
}

TEST(Transport, IcmpTypeAndCodeAreNotReadFromPadding) {
  const auto ipv4 = frame().ipv4().protocol(protocol::kIcmp).payload(1).pad_to(60);
  EXPECT_EQ(decode_built(ipv4).stop, Stop::Malformed);
  const auto ipv6 = frame().ipv6().protocol(protocol::kIcmpV6).payload(1).pad_to(80);
  EXPECT_EQ(decode_built(ipv6).stop, Stop::Malformed);
}

TEST(Transport, AnIpLengthWithoutRoomForPortsIsMalformedEvenIfPaddingWasCut) {
  const auto octets = frame().ipv4().protocol(protocol::kUdp).payload(3).pad_to(60).build();
  EXPECT_EQ(decode_cut(octets, 59).stop, Stop::Malformed);
  EXPECT_EQ(decode_cut(octets, kTransportAt + 3).stop, Stop::Malformed);
  EXPECT_EQ(decode_cut(octets, kTransportAt).stop, Stop::Malformed);
  EXPECT_EQ(decode_cut(octets, kTransportAt - 1).stop, Stop::Truncated);
}

TEST(Transport, ACaptureCutInFrontOfTheKeysEndIsTruncated) {
  for (const uint8_t number : kProtocolsWithPorts) {
    const auto ipv4 = frame().ipv4().protocol(number).payload(40).build();
    const auto ipv6 = frame().ipv6().protocol(number).payload(40).build();
    for (size_t captured = 0; captured < kPortsOctets; ++captured) {
      EXPECT_EQ(decode_cut(ipv4, kTransportAt + captured).stop, Stop::Truncated);
      EXPECT_EQ(decode_cut(ipv6, kTransportAtV6 + captured).stop, Stop::Truncated);
    }
    EXPECT_EQ(decode_cut(ipv4, kTransportAt + kPortsOctets).stop, Stop::Done);
    EXPECT_EQ(decode_cut(ipv6, kTransportAtV6 + kPortsOctets).stop, Stop::Done);
  }
  const auto icmp = frame().ipv4().icmp(3, 1).build();
  EXPECT_EQ(decode_cut(icmp, kTransportAt + 1).stop, Stop::Truncated);
  EXPECT_EQ(decode_cut(icmp, kTransportAt + 2).stop, Stop::Done);
}

TEST(Transport, AProtocolWithoutPortsNeedsNoPayload) {
  const auto octets = frame().ipv4().protocol(47).payload(40).build();
  EXPECT_EQ(decode_cut(octets, kTransportAt).stop, Stop::Done);
}

}  // namespace
}  // namespace clerk
