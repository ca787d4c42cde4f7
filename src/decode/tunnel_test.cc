// What does not prove to be a tunnel is metered by the header outside.
#include <gtest/gtest.h>

#include "decode/decode_test_support.h"
#include "decode/tunnel.h"

namespace clerk {
namespace {

constexpr size_t kIpv4At = wire::kEthernetOctets;
constexpr size_t kTransportAt = kIpv4At + wire::kIpv4OctetsMin;
constexpr size_t kPayloadAt = kTransportAt + wire::kUdpOctets;
constexpr TunnelSet kAll{Tunnel::Gre,   Tunnel::Erspan, Tunnel::IpInIp,
                         Tunnel::Vxlan, Tunnel::Geneve, Tunnel::Gtpu,
                         Tunnel::L2tp,  Tunnel::Teredo, Tunnel::MplsUdp};

constexpr uint16_t kInnerPort = 5353;

PacketBuilder frame() { return PacketBuilder().ethernet(); }
PacketBuilder outer() { return frame().ipv4(); }
PacketBuilder to_port(uint16_t port) { return outer().udp({.source = 9, .destination = port}); }
PacketBuilder with_inner(PacketBuilder packet) {
  return packet.ipv4().udp({.source = 7, .destination = kInnerPort}).payload(8);
}

struct Outcome {
  Stop stop;
  bool decapsulated;
  uint16_t destination_port;
};

Outcome look_into(const PacketBuilder& packet, TunnelSet tunnels = kAll) {
  const auto octets = packet.build();
  const auto size = static_cast<uint32_t>(octets.size());
  Headers headers{};
  const Stop stop = decode({.data = octets.data(), .captured_octets = size, .wire_octets = size},
                           tunnels, headers);
  return {stop, headers.decapsulated, headers.destination_port};
}

void expect_inner(const PacketBuilder& packet, TunnelSet tunnels = kAll) {
  const Outcome outcome = look_into(packet, tunnels);
  EXPECT_EQ(outcome.stop, Stop::Done);
  EXPECT_TRUE(outcome.decapsulated);
  EXPECT_EQ(outcome.destination_port, kInnerPort);
}

void expect_outer(const PacketBuilder& packet, TunnelSet tunnels = kAll) {
  const Outcome outcome = look_into(packet, tunnels);
  EXPECT_EQ(outcome.stop, Stop::Done);
  EXPECT_FALSE(outcome.decapsulated);
  EXPECT_NE(outcome.destination_port, kInnerPort);
}

// The same packet with one octet of it changed.
void expect_outer_with(PacketBuilder packet, size_t at, uint8_t value) {
  expect_inner(packet);
  expect_outer(packet.set_octet(at, value));
}

TEST(Tunnel, OnlyThoseAskedForAreLookedInto) {
  const struct {
    PacketBuilder packet;
    TunnelSet tunnels;
  } cases[] = {
      {with_inner(outer()), {Tunnel::IpInIp}},
      {with_inner(outer().gre()), {Tunnel::Gre}},
      {with_inner(outer().gre_pptp()), {Tunnel::Gre}},
      {with_inner(outer().eoip().ethernet()), {Tunnel::Gre}},
      {with_inner(outer().erspan2().ethernet()), {Tunnel::Erspan}},
      {with_inner(outer().erspan3().ethernet()), {Tunnel::Erspan}},
      {with_inner(to_port(4789).vxlan().ethernet()), {Tunnel::Vxlan}},
      {with_inner(to_port(4790).vxlan_gpe()), {Tunnel::Vxlan}},
      {with_inner(to_port(6081).geneve().ethernet()), {Tunnel::Geneve}},
      {with_inner(to_port(2152).gtpu()), {Tunnel::Gtpu}},
      {with_inner(to_port(1701).l2tp().ppp()), {Tunnel::L2tp}},
      {with_inner(to_port(6635).mpls(16)), {Tunnel::MplsUdp}},
  };
  for (const auto& [packet, tunnels] : cases) {
    expect_inner(packet, tunnels);
    TunnelSet others;
    for (int i = 0; i <= static_cast<int>(Tunnel::MplsUdp); ++i) {
      const auto tunnel = static_cast<Tunnel>(i);
      if (!tunnels.has(tunnel)) others.add(tunnel);
    }
    expect_outer(packet, others);
    expect_outer(packet, {});
  }
}

TEST(Tunnel, AFragmentIsNotLookedInto) {
  expect_outer(with_inner(frame().ipv4({.more_fragments = true}).gre()));
  expect_outer(with_inner(frame().ipv4({.fragment_offset = 8}).gre()));
  expect_outer(with_inner(frame().ipv6().fragment({.more = true}).gre()));
  expect_inner(with_inner(frame().ipv6().fragment({}).gre()));
}

TEST(Tunnel, EightInOneAnotherAreFollowedAndNoMore) {
  const auto nested = [](int tunnels) {
    PacketBuilder packet = outer();
    for (int i = 1; i < tunnels; ++i)
      packet.ipv4();
    return with_inner(packet);
  };
  expect_inner(nested(kTunnelsMax));
  EXPECT_EQ(look_into(nested(kTunnelsMax + 1)).stop, Stop::DepthLimit);
}

TEST(Tunnel, ShimsCountThroughAllOfThem) {
  PacketBuilder packet = frame();
  for (int i = 0; i < kShimsMax; ++i)
    packet.vlan(1);
  expect_inner(with_inner(PacketBuilder(packet).ipv4().gre()));
  EXPECT_EQ(look_into(with_inner(packet.ipv4().gre().ethernet())).stop, Stop::DepthLimit);
}

TEST(Tunnel, TheOutermostTagOnTheWholeWayIsTheVlan) {
  const auto vlan_of = [](const PacketBuilder& packet) {
    const auto octets = packet.build();
    const auto size = static_cast<uint32_t>(octets.size());
    Headers headers{};
    EXPECT_EQ(decode({.data = octets.data(), .captured_octets = size, .wire_octets = size}, kAll,
                     headers),
              Stop::Done);
    return headers.vlan_id;
  };
  const auto inside = [](PacketBuilder packet) {
    return packet.ipv4().udp({1, 4789}).vxlan().ethernet().vlan(30);
  };
  EXPECT_EQ(vlan_of(with_inner(inside(frame().vlan(10).vlan(20)))), 10);
  EXPECT_EQ(vlan_of(with_inner(inside(frame()))), 30);
  EXPECT_EQ(vlan_of(inside(frame()).ether_type(0x0806).payload(28)), 0) << "the tag of no packet";
}

TEST(Tunnel, AnInnerLengthThatDoesNotFitIsNoTunnel) {
  expect_outer(outer().ipv4({.total_length = 2000}).udp({7, kInnerPort}));
  expect_outer(outer().ipv6({.payload_length = 2000}).udp({7, kInnerPort}));
  expect_inner(outer().ipv4({.total_length = 0}).udp({7, kInnerPort}));
}

TEST(Tunnel, AnInnerPacketWithoutAKeyIsNoTunnel) {
  expect_outer(outer().ipv4().protocol(wire::protocol::kUdp).payload(3));
  expect_outer(outer().ipv4({.version = 5}).udp({7, kInnerPort}));
  expect_outer(outer().ipv4({.header_words = 4}).udp({7, kInnerPort}));
  expect_outer(outer().gre().ether_type(0x0806).payload(28));
  expect_outer(outer().gre().ether_type(0x0100).payload(28));
}

TEST(Tunnel, GreWithRoutingOrAnUnknownVersionIsNotBelieved) {
  const PacketBuilder gre = with_inner(outer().gre());
  expect_outer_with(gre, kTransportAt, 0x40);
  expect_outer_with(gre, kTransportAt, 0x08);
  expect_outer_with(gre, kTransportAt + 1, 2);
  expect_outer_with(gre, kTransportAt + 1, 1);  // version 1 carries PPP
  expect_outer_with(with_inner(outer().gre_pptp()), kTransportAt, 0x90);
  expect_outer_with(with_inner(outer().gre_pptp()), kTransportAt + 4, 0xff);  // its length
  expect_outer_with(with_inner(outer().eoip().ethernet()), kTransportAt + 4, 0xff);
}

TEST(Tunnel, ErspanOfAnotherVersionIsNotBelieved) {
  constexpr size_t kGreWithSequence = 8;
  expect_outer_with(with_inner(outer().erspan2().ethernet()), kTransportAt + kGreWithSequence,
                    0x20);
  expect_outer_with(with_inner(outer().erspan3().ethernet()), kTransportAt + kGreWithSequence,
                    0x10);
}

TEST(Tunnel, AUdpPortAloneIsNoProof) {
  expect_outer_with(with_inner(to_port(4789).vxlan().ethernet()), kPayloadAt, 0);
  expect_outer_with(with_inner(to_port(4790).vxlan_gpe()), kPayloadAt, 0x08);
  expect_outer_with(with_inner(to_port(4790).vxlan_gpe()), kPayloadAt, 0x1c);   // version 1
  expect_outer_with(with_inner(to_port(4790).vxlan_gpe()), kPayloadAt + 3, 4);  // NSH
  expect_outer_with(with_inner(to_port(6081).geneve().ethernet()), kPayloadAt, 0x40);
  expect_outer_with(with_inner(to_port(2152).gtpu()), kPayloadAt, 0x50);         // version 2
  expect_outer_with(with_inner(to_port(2152).gtpu()), kPayloadAt, 0x20);         // GTP'
  expect_outer_with(with_inner(to_port(2152).gtpu()), kPayloadAt + 1, 1);        // an echo
  expect_outer_with(with_inner(to_port(2152).gtpu()), kPayloadAt + 2, 0xff);     // its length
  expect_outer_with(with_inner(to_port(1701).l2tp().ppp()), kPayloadAt, 0x80);   // control
  expect_outer_with(with_inner(to_port(1701).l2tp().ppp()), kPayloadAt + 1, 3);  // version 3
  expect_outer_with(with_inner(to_port(1701).l2tp({.length = true}).ppp()), kPayloadAt + 2, 0xff);
  for (const uint16_t port :
       std::initializer_list<uint16_t>{4789, 4790, 6081, 2152, 1701, 3544, 6635, 8472})
    expect_outer(to_port(port).payload(100));
}

TEST(Tunnel, AGtpuExtensionWithoutLengthIsNotBelieved) {
  constexpr size_t kExtensionAt = kPayloadAt + 12;
  expect_outer_with(with_inner(to_port(2152).gtpu({.extension_words = 1})), kExtensionAt, 0);
}

TEST(Tunnel, TeredoNeedsALengthThatIsThatOfTheRest) {
  const auto packet = [] { return to_port(3544).ipv6().udp({7, kInnerPort}).payload(8); };
  expect_inner(packet());
  expect_outer(packet().set_octet(kPayloadAt + wire::kIpv6LengthAt + 1, 15));
}

TEST(Tunnel, UdpThatLiesAboutItsLengthIsNotLookedInto) {
  const PacketBuilder packet = with_inner(to_port(4789).vxlan().ethernet());
  expect_outer_with(packet, kTransportAt + wire::kUdpLengthAt, 0xff);
  expect_outer_with(packet, kTransportAt + wire::kUdpLengthAt + 1, 7);
  expect_inner(PacketBuilder(packet).set_octet(kTransportAt + wire::kUdpLengthAt + 1, 0));
}

TEST(Tunnel, TheLengthOnTheLinkIsTheOutermostHeaders) {
  const auto octets = with_inner(to_port(4789).vxlan().ethernet()).build();
  const auto size = static_cast<uint32_t>(octets.size());
  Headers headers{};
  ASSERT_EQ(
      decode({.data = octets.data(), .captured_octets = size, .wire_octets = size}, kAll, headers),
      Stop::Done);
  EXPECT_EQ(headers.octets_on_link, size - wire::kEthernetOctets);
  EXPECT_EQ(headers.octets, wire::kIpv4OctetsMin + wire::kUdpOctets + 8);
}

// The key would be another one, if only more had been captured.
TEST(Tunnel, WhatTheCaptureCutOffIsTruncated) {
  const auto octets = with_inner(to_port(4789).vxlan().ethernet()).build();
  const auto size = static_cast<uint32_t>(octets.size());
  for (const uint32_t captured : {43U, 49U, 60U, 80U}) {
    Headers headers{};
    EXPECT_EQ(decode({.data = octets.data(), .captured_octets = captured, .wire_octets = size},
                     kAll, headers),
              Stop::Truncated);
    EXPECT_EQ(decode({.data = octets.data(), .captured_octets = captured, .wire_octets = size}, {},
                     headers),
              Stop::Done);
  }
}

TEST(Tunnels, AListHasTheTunnelsThatItNames) {
  const TunnelSet two = parse_tunnels("vxlan,gre").value();
  EXPECT_TRUE(two.has(Tunnel::Vxlan) && two.has(Tunnel::Gre));
  EXPECT_FALSE(two.has(Tunnel::Erspan) || two.empty());
  const TunnelSet all = parse_tunnels("all").value();
  for (int i = 0; i <= static_cast<int>(Tunnel::MplsUdp); ++i)
    EXPECT_TRUE(all.has(static_cast<Tunnel>(i)));
}

TEST(Tunnels, AWordThatIsNoneIsNamedWithThoseThatThereAre) {
  for (const char* list : {"gre,vxlam", "vxlam", "vxlam,all"})
    EXPECT_EQ(parse_tunnels(list).error().message,
              "'vxlam' is no tunnel; choose gre,erspan,ipip,vxlan,geneve,gtpu,l2tp,teredo,mplsudp "
              "or all");
  EXPECT_FALSE(parse_tunnels(""));
  EXPECT_FALSE(parse_tunnels("gre,"));
}

}  // namespace
}  // namespace clerk
