#include "capture/packet_filter.h"

#include <gtest/gtest.h>

#include "testing/packet_builder.h"

namespace clerk {
namespace {

PacketFilter filter(const std::string& expression) {
  auto filter = PacketFilter::create(expression);
  EXPECT_TRUE(filter) << filter.error().message;
  return *std::move(filter);
}

// "passes", "held back", or why the filter cannot tell.
std::string verdict(PacketFilter& filter, const Packet& packet) {
  const auto passes = filter.passes(packet);
  if (!passes) return passes.error().message;
  return *passes ? "passes" : "held back";
}

std::string verdict(PacketFilter& filter, const PacketBuilder& packet,
                    LinkType link_type = LinkType::Ethernet) {
  const auto octets = packet.build();
  const auto size = static_cast<uint32_t>(octets.size());
  return verdict(filter, Packet{.data = octets.data(),
                                .captured_octets = size,
                                .wire_octets = size,
                                .link_type = link_type});
}

TEST(PacketFilter, AnEmptyExpressionLetsEverythingThrough) {
  PacketFilter everything = filter("");
  EXPECT_TRUE(everything.empty());
  EXPECT_EQ(verdict(everything, PacketBuilder().ethernet().ipv4().udp()), "passes");
  EXPECT_EQ(verdict(everything, PacketBuilder(), LinkType{12345}), "passes");
}

TEST(PacketFilter, LetsThroughWhatTheExpressionDescribes) {
  PacketFilter web = filter("tcp port 80");
  EXPECT_FALSE(web.empty());
  const auto frame = PacketBuilder().ethernet();
  EXPECT_EQ(verdict(web, PacketBuilder(frame).ipv4().tcp()), "passes");
  EXPECT_EQ(verdict(web, PacketBuilder(frame).ipv6().tcp()), "passes");
  EXPECT_EQ(verdict(web, PacketBuilder(frame).ipv4().udp()), "held back");
  EXPECT_EQ(verdict(web, PacketBuilder(frame).ipv4().tcp({.destination_port = 443})), "held back");
}

TEST(PacketFilter, WorksOnEachLinkTypeThatIsDecoded) {
  PacketFilter udp = filter("udp");
  for (const LinkType raw : {LinkType::Raw, LinkType::RawBsd, LinkType::RawOpenBsd}) {
    EXPECT_EQ(verdict(udp, PacketBuilder().ipv6().udp(), raw), "passes")
        << static_cast<uint32_t>(raw);
    EXPECT_EQ(verdict(udp, PacketBuilder().ipv4().tcp(), raw), "held back")
        << static_cast<uint32_t>(raw);
  }
  EXPECT_EQ(verdict(udp, PacketBuilder().ipv4().udp(), LinkType::Ipv4), "passes");
  EXPECT_EQ(verdict(udp, PacketBuilder().ipv6().udp(), LinkType::Ipv6), "passes");
  EXPECT_EQ(verdict(udp, PacketBuilder().linux_cooked().ipv4().udp(), LinkType::LinuxCooked),
            "passes");
  EXPECT_EQ(verdict(udp, PacketBuilder().linux_cooked2().ipv4().udp(), LinkType::LinuxCooked2),
            "passes");
  EXPECT_EQ(verdict(udp, PacketBuilder().linux_cooked2().ipv4().tcp(), LinkType::LinuxCooked2),
            "held back");
}

TEST(PacketFilter, LengthsAreThoseOfTheWire) {
  PacketFilter large = filter("greater 1000");
  const auto octets = PacketBuilder().ethernet().ipv4().tcp().build();
  const Packet cut{.data = octets.data(),
                   .captured_octets = static_cast<uint32_t>(octets.size()),
                   .wire_octets = 1514};
  EXPECT_EQ(verdict(large, cut), "passes");
}

TEST(PacketFilter, AnOctetThatTheCaptureCutDoesNotMatch) {
  PacketFilter syn = filter("tcp[tcpflags] & tcp-syn != 0");
  const auto octets = PacketBuilder().ethernet().ipv4().tcp({.flags = 2}).build();
  Packet packet{.data = octets.data(), .captured_octets = 14 + 20 + 14, .wire_octets = 54};
  EXPECT_EQ(verdict(syn, packet), "passes");
  packet.captured_octets -= 1;
  EXPECT_EQ(verdict(syn, packet), "held back");
}

TEST(PacketFilter, AWrongExpressionIsRefusedWithItsTextAndTheManual) {
  const auto refused = PacketFilter::create("prot 80");
  ASSERT_FALSE(refused);
  const std::string& message = refused.error().message;
  EXPECT_TRUE(message.starts_with("--filter 'prot 80': ")) << message;
  EXPECT_TRUE(message.ends_with(" (see pcap-filter(7))")) << message;
}

TEST(PacketFilter, AnExpressionThatMakesNoSenseOnALinkTypeSaysSo) {
  PacketFilter station = filter("ether host 02:00:00:00:00:01");
  EXPECT_EQ(verdict(station, PacketBuilder().ethernet().ipv4().udp()), "passes");
  const std::string message = verdict(station, PacketBuilder().ipv4().udp(), LinkType::Raw);
  EXPECT_TRUE(message.starts_with("--filter 'ether host 02:00:00:00:00:01': ")) << message;
  EXPECT_TRUE(message.ends_with(" (see pcap-filter(7))")) << message;
}

// A frame of this VLAN as the kernel hands it over: the tag beside it.
std::string verdict_beside_tag(const std::string& expression, uint16_t vlan_id,
                               const PacketBuilder& packet) {
  PacketFilter with_tag = filter(expression);
  const auto octets = packet.build();
  const auto size = static_cast<uint32_t>(octets.size());
  return verdict(with_tag, Packet{.data = octets.data(),
                                  .captured_octets = size,
                                  .wire_octets = size,
                                  .stripped_vlan_id = vlan_id});
}

TEST(PacketFilter, SeesATagThatTheKernelTookOff) {
  const auto udp = PacketBuilder().ethernet().ipv4().udp();
  EXPECT_EQ(verdict_beside_tag("vlan 7", 7, udp), "passes");
  EXPECT_EQ(verdict_beside_tag("vlan 7 and udp port 80", 7, udp), "passes");
  EXPECT_EQ(verdict_beside_tag("vlan 2050", 2050, udp), "passes");
  EXPECT_EQ(verdict_beside_tag("vlan 7", 8, udp), "held back");
  EXPECT_EQ(verdict_beside_tag("vlan 7", kNoVlanTag, udp), "held back");
  EXPECT_EQ(verdict_beside_tag("vlan 7 and tcp", 7, udp), "held back");
}

TEST(PacketFilter, SeesATagThatTheKernelTookOffInFrontOfOthers) {
  const auto inner = PacketBuilder().ethernet().vlan(9).ipv4().udp();
  EXPECT_EQ(verdict_beside_tag("vlan 7 and vlan 9 and udp", 7, inner), "passes");
  EXPECT_EQ(verdict_beside_tag("vlan 9", 7, inner), "held back");
}

TEST(PacketFilter, ATagThatTheKernelTookOffCountsInTheLength) {
  const auto frame = PacketBuilder().ethernet().ipv4().udp().pad_to(100);
  EXPECT_EQ(verdict_beside_tag("greater 104", 7, frame), "passes");
  EXPECT_EQ(verdict_beside_tag("greater 105", 7, frame), "held back");
}

TEST(PacketFilter, AFrameTooShortForATagIsLeftAsItIs) {
  EXPECT_EQ(verdict_beside_tag("vlan 7", 7, PacketBuilder().payload(11)), "held back");
  EXPECT_EQ(verdict_beside_tag("vlan 7", 7, PacketBuilder().payload(12)), "passes");
  EXPECT_EQ(verdict_beside_tag("less 16", 7, PacketBuilder().payload(12)), "passes");
}

TEST(PacketFilter, IsReadyForALinkTypeBeforeItsFirstPacket) {
  PacketFilter station = filter("ether host 02:00:00:00:00:01");
  EXPECT_TRUE(station.prepare(LinkType::Ethernet));
  EXPECT_FALSE(station.prepare(LinkType::Raw));
  EXPECT_TRUE(filter("").prepare(LinkType::Raw));
}

TEST(PacketFilter, MovesWithItsPrograms) {
  PacketFilter first = filter("udp");
  PacketFilter second = std::move(first);
  EXPECT_EQ(verdict(second, PacketBuilder().ethernet().ipv4().udp()), "passes");
}

}  // namespace
}  // namespace clerk
