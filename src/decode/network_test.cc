#include "decode/network.h"

#include <gtest/gtest.h>

#include "decode/decode_test_support.h"
#include "decode/wire.h"

namespace clerk {
namespace {

using namespace wire;

constexpr size_t kIpv4At = 14;  // behind Ethernet

PacketBuilder frame() { return PacketBuilder().ethernet(); }

TEST(Network, Ipv4GivesAddressesTosAndProtocol) {
  const auto decoded = decode_built(
      frame().ipv4({.source = "10.1.2.3", .destination = "10.4.5.6", .tos = 0xbb}).udp());
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.source(), "10.1.2.3");
  EXPECT_EQ(decoded.destination(), "10.4.5.6");
  EXPECT_EQ(decoded.headers.tos, 0xbb);
  EXPECT_EQ(decoded.headers.protocol, protocol::kUdp);
  EXPECT_EQ(decoded.headers.fragment, Fragment::Whole);
}

TEST(Network, Ipv6GivesAddressesTrafficClassAndProtocol) {
  const auto decoded = decode_built(frame()
                                        .ipv6({.source = "2001:db8::a",
                                               .destination = "ff02::1",
                                               .traffic_class = 0xb9,
                                               .flow_label = 0xfffff})
                                        .udp());
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.source(), "2001:db8::a");
  EXPECT_EQ(decoded.destination(), "ff02::1");
  EXPECT_EQ(decoded.headers.tos, 0xb9);
  EXPECT_EQ(decoded.headers.protocol, protocol::kUdp);
  EXPECT_EQ(decoded.headers.fragment, Fragment::Whole);
}

// Lengths.

TEST(Network, OctetsAreTheIpLengthWithoutLinkLayerAndPadding) {
  EXPECT_EQ(decode_built(frame().ipv4().udp().payload(2).pad_to(60)).headers.octets, 30U);
  EXPECT_EQ(decode_built(frame().ipv6().udp().payload(2).pad_to(100)).headers.octets, 50U);
  EXPECT_EQ(decode_built(frame().vlan(1).mpls(16).ipv4().udp().payload(9)).headers.octets, 37U);
}

TEST(Network, OctetsAreTheIpLengthWhenTheCaptureIsCut) {
  const auto octets = frame().ipv4().tcp().payload(1400).build();
  EXPECT_EQ(decode_cut(octets, 64).headers.octets, 1440U);
}

TEST(Network, ATotalLengthOf0IsDerivedFromTheWire) {
  const auto octets = frame().ipv4({.total_length = 0}).tcp().payload(3000).build();
  EXPECT_EQ(decode_octets(octets).headers.octets, 3040U);
  EXPECT_EQ(decode_cut(octets, 96).headers.octets, 3040U);
  EXPECT_EQ(decode_cut(octets, 96).headers.destination_port, 80);
}

TEST(Network, APayloadLengthOf0IsDerivedFromTheWire) {
  const auto octets = frame().ipv6({.payload_length = 0}).tcp().payload(3000).build();
  EXPECT_EQ(decode_octets(octets).headers.octets, 3060U);
  EXPECT_EQ(decode_cut(octets, 96).headers.octets, 3060U);
  EXPECT_EQ(decode_cut(octets, 96).headers.destination_port, 80);
}

TEST(Network, AJumbogramIsDerivedFromTheWire) {
  const auto octets =
      frame().ipv6({.payload_length = 0}).hop_by_hop().udp().payload(70'000).build();
  EXPECT_EQ(decode_cut(octets, 256).headers.octets, 40U + 8 + 8 + 70'000);
}

TEST(Network, NoNextHeaderWithPayloadLength0IsAnIpv6HeaderAlone) {
  const auto decoded = decode_built(frame().ipv6().pad_to(60));
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.octets, 40U);
  EXPECT_EQ(decoded.headers.protocol, protocol::kNoNextHeader);
}

TEST(Network, ATotalLengthBeyondTheWireIsBelieved) {
  const auto decoded = decode_built(frame().ipv4({.total_length = 1500}).udp());
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.octets, 1500U);
}

TEST(Network, ATotalLengthShorterThanTheHeaderIsMalformed) {
  EXPECT_EQ(decode_built(frame().ipv4({.total_length = 19}).udp()).stop, Stop::Malformed);
  EXPECT_EQ(decode_built(frame().ipv4({.options_octets = 8, .total_length = 27}).udp()).stop,
            Stop::Malformed);
}

TEST(Network, AWireLengthBelowTheCapturedOneIsNotBelieved) {
  const auto ipv4 = frame().ipv4({.total_length = 0}).udp().build();
  EXPECT_EQ(decode_octets(ipv4, LinkType::Ethernet, 20).stop, Stop::Done);
  EXPECT_EQ(decode_octets(ipv4, LinkType::Ethernet, 0).stop, Stop::Done);
  const auto ipv6 = frame().ipv6({.payload_length = 0}).udp().build();
  EXPECT_EQ(decode_octets(ipv6, LinkType::Ethernet, 20).stop, Stop::Done);
}

// The IPv4 header.

TEST(Network, AHeaderLengthBelow5WordsIsMalformed) {
  for (uint8_t words = 0; words < 5; ++words)
    EXPECT_EQ(decode_built(frame().ipv4({.header_words = words}).udp()).stop, Stop::Malformed);
}

TEST(Network, IpOfAnotherVersionThanAnnouncedIsMalformed) {
  for (const uint8_t version : Octets{0, 5, 6, 15})
    EXPECT_EQ(decode_built(frame().ipv4({.version = version}).udp()).stop, Stop::Malformed);
  for (const uint8_t version : Octets{0, 4, 5, 15})
    EXPECT_EQ(decode_built(frame().ipv6({.version = version}).udp()).stop, Stop::Malformed);
}

TEST(Network, Ipv4OptionsArePassedOver) {
  for (size_t options = 4; options <= 40; options += 4) {
    const auto decoded = decode_built(frame().ipv4({.options_octets = options}).udp({5, 6}));
    EXPECT_EQ(decoded.stop, Stop::Done);
    EXPECT_EQ(decoded.headers.source_port, 5);
    EXPECT_EQ(decoded.headers.octets, 28 + options);
  }
}

TEST(Network, OptionsThatTheCaptureCutMatterOnlyToAProtocolWithPorts) {
  const auto gre = frame().ipv4({.options_octets = 40}).protocol(47).payload(50).build();
  EXPECT_EQ(decode_cut(gre, kIpv4At + 24).stop, Stop::Done);
  const auto udp = frame().ipv4({.options_octets = 40}).udp().build();
  EXPECT_EQ(decode_cut(udp, kIpv4At + 24).stop, Stop::Truncated);
}

TEST(Network, AuthenticationInIpv4IsTheProtocolAndHasNoPorts) {
  const auto decoded = decode_built(frame().ipv4().authentication().tcp());
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.protocol, protocol::kAuthentication);
  EXPECT_EQ(decoded.headers.destination_port, 0);
}

TEST(Network, ExtensionHeadersOfIpv6AreProtocolsInIpv4) {
  for (const uint8_t number : Octets{0, 43, 44, 60, 135, 139, 140}) {
    const auto decoded = decode_built(frame().ipv4().protocol(number).payload(40));
    EXPECT_EQ(decoded.stop, Stop::Done);
    EXPECT_EQ(decoded.headers.protocol, number);
    EXPECT_EQ(decoded.headers.destination_port, 0);
  }
}

TEST(Network, ATunnelIsItsOuterHeader) {
  const auto decoded = decode_built(frame().ipv4({.source = "10.0.0.1"}).ipv6().tcp());
  EXPECT_EQ(decoded.headers.protocol, 41);
  EXPECT_EQ(decoded.source(), "10.0.0.1");
  EXPECT_EQ(decoded.headers.destination_port, 0);
}

// IPv4 fragments.

TEST(Network, AFirstFragmentHasPortsAndItsIdentification) {
  const auto decoded = decode_built(
      frame().ipv4({.identification = 0xbeef, .more_fragments = true}).udp({5, 6}).payload(8));
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.fragment, Fragment::First);
  EXPECT_EQ(decoded.headers.identification, 0xbeefU);
  EXPECT_EQ(decoded.headers.datagram_protocol, protocol::kUdp);
  EXPECT_EQ(decoded.headers.source_port, 5);
}

TEST(Network, ALaterFragmentIsNeverReadAsATransportHeader) {
  for (const bool more : {true, false}) {
    for (const uint8_t number : Octets{1, 6, 17, 33, 132, 136}) {
      const auto decoded = decode_built(
          frame()
              .ipv4({.identification = 0xbeef, .fragment_offset = 1480, .more_fragments = more})
              .protocol(number)
              .payload(100));
      EXPECT_EQ(decoded.stop, Stop::Done);
      EXPECT_EQ(decoded.headers.fragment, Fragment::Later);
      EXPECT_EQ(decoded.headers.identification, 0xbeefU);
      EXPECT_EQ(decoded.headers.datagram_protocol, number);
      EXPECT_EQ(decoded.headers.source_port, 0);
      EXPECT_EQ(decoded.headers.destination_port, 0);
      EXPECT_EQ(decoded.headers.tcp_flags, 0);
      EXPECT_FALSE(decoded.headers.tcp_flags_missing);
    }
  }
}

TEST(Network, ALaterFragmentNeedsNoPayload) {
  const auto octets = frame().ipv4({.fragment_offset = 8}).protocol(17).build();
  EXPECT_EQ(decode_octets(octets).stop, Stop::Done);
  EXPECT_EQ(decode_cut(octets, kIpv4At + 20).stop, Stop::Done);
}

TEST(Network, FragmentsOfAProtocolWithoutPortsLackNothing) {
  for (const uint8_t number : Octets{47, 50, 51, 58}) {
    const auto first = frame().ipv4({.more_fragments = true}).protocol(number).payload(24);
    EXPECT_EQ(decode_built(first).headers.fragment, Fragment::Whole);
    const auto later = frame().ipv4({.fragment_offset = 24}).protocol(number).payload(24);
    EXPECT_EQ(decode_built(later).headers.fragment, Fragment::Whole);
  }
}

TEST(Network, DoNotFragmentIsNoFragment) {
  const auto packet = frame().ipv4().udp().set_octet(kIpv4At + 6, 0x40);
  EXPECT_EQ(decode_built(packet).headers.fragment, Fragment::Whole);
}

// The IPv6 chain of extension headers.

void expect_tcp(const PacketBuilder& packet) {
  const auto decoded = decode_built(packet);
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.protocol, protocol::kTcp);
  EXPECT_EQ(decoded.headers.source_port, 1024);
  EXPECT_EQ(decoded.headers.destination_port, 80);
  EXPECT_EQ(decoded.headers.tcp_flags, tcp_flag::kAck);
  EXPECT_EQ(decoded.headers.fragment, Fragment::Whole);
}

TEST(Network, EachExtensionHeaderIsLookedThroughAtEachLength) {
  for (const size_t octets : {8U, 16U, 64U, 2048U}) {
    expect_tcp(frame().ipv6().hop_by_hop(octets).tcp());
    expect_tcp(frame().ipv6().routing(octets).tcp());
    expect_tcp(frame().ipv6().destination_options(octets).tcp());
    expect_tcp(frame().ipv6().mobility(octets).tcp());
    expect_tcp(frame().ipv6().host_identity(octets).tcp());
    expect_tcp(frame().ipv6().shim6(octets).tcp());
  }
  for (const size_t octets : {8U, 12U, 24U, 28U, 1028U})
    expect_tcp(frame().ipv6().authentication(octets).tcp());
}

TEST(Network, AChainOfAllExtensionHeadersIsFollowed) {
  expect_tcp(frame()
                 .ipv6()
                 .hop_by_hop(16)
                 .destination_options()
                 .routing(24)
                 .fragment({.identification = 7})
                 .authentication()
                 .destination_options(32)
                 .mobility()
                 .host_identity()
                 .shim6()
                 .tcp());
}

TEST(Network, TheOctetsOfExtensionHeadersCount) {
  EXPECT_EQ(decode_built(frame().ipv6().hop_by_hop(16).tcp().payload(4)).headers.octets,
            40U + 16 + 20 + 4);
}

TEST(Network, AsManyExtensionHeadersAsTheLimitAreFollowedAndNotOneMore) {
  PacketBuilder packet = frame().ipv6();
  for (int i = 0; i < kExtensionHeadersMax; ++i)
    packet.destination_options();
  expect_tcp(PacketBuilder(packet).tcp());
  EXPECT_EQ(decode_built(PacketBuilder(packet).destination_options().tcp()).stop, Stop::DepthLimit);
}

TEST(Network, AHeaderThatMayEndTheChainIsThePacketsProtocolWhenItDoes) {
  EXPECT_EQ(decode_built(frame().ipv6().mobility()).headers.protocol, protocol::kMobility);
  EXPECT_EQ(decode_built(frame().ipv6().host_identity()).headers.protocol, protocol::kHostIdentity);
  EXPECT_EQ(decode_built(frame().ipv6().shim6()).headers.protocol, protocol::kShim6);
  EXPECT_EQ(decode_built(frame().ipv6().routing().mobility()).headers.protocol,
            protocol::kMobility);
}

TEST(Network, OptionsInFrontOfNothingLeaveNoNextHeader) {
  for (const auto& packet : {frame().ipv6().hop_by_hop(), frame().ipv6().destination_options(),
                             frame().ipv6().routing(), frame().ipv6().authentication()}) {
    const auto decoded = decode_built(packet);
    EXPECT_EQ(decoded.stop, Stop::Done);
    EXPECT_EQ(decoded.headers.protocol, protocol::kNoNextHeader);
  }
}

TEST(Network, NothingBehindNoNextHeaderIsRead) {
  const auto decoded = decode_built(frame().ipv6().payload(40));
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.protocol, protocol::kNoNextHeader);
  EXPECT_EQ(decoded.headers.destination_port, 0);
}

TEST(Network, EncryptedPayloadEndsTheChain) {
  const auto decoded = decode_built(frame().ipv6().hop_by_hop().protocol(50).payload(64));
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.protocol, 50);
}

TEST(Network, AnExtensionHeaderBeyondTheIpLengthIsMalformed) {
  // The next header's eight octets lie in the padding.
  const auto beyond = frame().ipv6({.payload_length = 8}).hop_by_hop().destination_options().tcp();
  EXPECT_EQ(decode_built(beyond).stop, Stop::Malformed);
  const auto short_payload = frame().ipv6({.payload_length = 4}).hop_by_hop().tcp();
  EXPECT_EQ(decode_built(short_payload).stop, Stop::Malformed);
  // The first claims to be longer than the packet.
  const auto long_header =
      frame().ipv6().hop_by_hop().destination_options().tcp().set_octet(kIpv4At + 41, 200);
  EXPECT_EQ(decode_built(long_header).stop, Stop::Malformed);
}

TEST(Network, AnExtensionHeaderThatTheCaptureCutIsTruncated) {
  const auto octets = frame().ipv6().hop_by_hop(64).destination_options(64).tcp().build();
  for (size_t captured = kIpv4At + 40; captured < kIpv4At + 40 + 128 + 4; ++captured)
    EXPECT_EQ(decode_cut(octets, captured).stop, Stop::Truncated) << captured;
}

// IPv6 fragments.

TEST(Network, AFirstIpv6FragmentHasPortsAndItsIdentification) {
  const auto decoded = decode_built(
      frame().ipv6().fragment({.more = true, .identification = 0xdeadbeef}).udp({5, 6}));
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.fragment, Fragment::First);
  EXPECT_EQ(decoded.headers.identification, 0xdeadbeefU);
  EXPECT_EQ(decoded.headers.datagram_protocol, protocol::kUdp);
  EXPECT_EQ(decoded.headers.protocol, protocol::kUdp);
  EXPECT_EQ(decoded.headers.destination_port, 6);
}

TEST(Network, ALaterIpv6FragmentIsNeverReadAsATransportHeader) {
  for (const bool more : {true, false}) {
    const auto decoded =
        decode_built(frame()
                         .ipv6()
                         .hop_by_hop()
                         .fragment({.offset = 1448, .more = more, .identification = 9})
                         .protocol(protocol::kTcp)
                         .payload(100));
    EXPECT_EQ(decoded.stop, Stop::Done);
    EXPECT_EQ(decoded.headers.fragment, Fragment::Later);
    EXPECT_EQ(decoded.headers.identification, 9U);
    EXPECT_EQ(decoded.headers.protocol, protocol::kTcp);
    EXPECT_EQ(decoded.headers.datagram_protocol, protocol::kTcp);
    EXPECT_EQ(decoded.headers.destination_port, 0);
    EXPECT_FALSE(decoded.headers.tcp_flags_missing);
  }
}

TEST(Network, AnAtomicFragmentIsAWholePacket) {
  expect_tcp(frame().ipv6().fragment({.identification = 3}).tcp());
}

TEST(Network, AnAtomicFragmentMakesNoWholePacketOfAFragment) {
  const auto packet = frame()
                          .ipv6()
                          .fragment({.more = true, .identification = 7})
                          .fragment({.identification = 9})
                          .tcp();
  const auto decoded = decode_built(packet);
  EXPECT_EQ(decoded.stop, Stop::Done);
  EXPECT_EQ(decoded.headers.fragment, Fragment::First);
  EXPECT_EQ(decoded.headers.identification, 7U);
  EXPECT_EQ(decoded.headers.datagram_protocol, wire::protocol::kFragment);
}

TEST(Network, TheReservedBitsOfAFragmentHeaderAreNoOffset) {
  expect_tcp(frame().ipv6().fragment({.offset = 0x0006}).tcp());
}

TEST(Network, AFragmentedExtensionHeaderIsTheDatagramsProtocolInEachFragment) {
  const auto first = decode_built(
      frame().ipv6().fragment({.more = true, .identification = 4}).destination_options().udp());
  EXPECT_EQ(first.headers.fragment, Fragment::First);
  EXPECT_EQ(first.headers.protocol, protocol::kUdp);
  EXPECT_EQ(first.headers.datagram_protocol, protocol::kDestinationOptions);
  const auto later = decode_built(frame()
                                      .ipv6()
                                      .fragment({.offset = 64, .identification = 4})
                                      .protocol(protocol::kDestinationOptions)
                                      .payload(30));
  EXPECT_EQ(later.headers.fragment, Fragment::Later);
  EXPECT_EQ(later.headers.datagram_protocol, protocol::kDestinationOptions);
  EXPECT_EQ(later.headers.identification, 4U);
}

TEST(Network, Ipv6FragmentsOfAProtocolWithoutPortsLackNothing) {
  for (const uint8_t number : Octets{1, 50, 59}) {
    const auto first = frame().ipv6().fragment({.more = true}).protocol(number).payload(16);
    EXPECT_EQ(decode_built(first).headers.fragment, Fragment::Whole);
    const auto later = frame().ipv6().fragment({.offset = 16}).protocol(number).payload(16);
    EXPECT_EQ(decode_built(later).headers.fragment, Fragment::Whole);
    EXPECT_EQ(decode_built(later).headers.protocol, number);
  }
}

}  // namespace
}  // namespace clerk
