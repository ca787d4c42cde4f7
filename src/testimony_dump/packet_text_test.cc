#include "testimony_dump/packet_text.h"

#include <gtest/gtest.h>

#include <vector>

#include "testing/packet_builder.h"

namespace testimony_dump {
namespace {

using clerk::PacketBuilder;
using testimony::Link;
using testimony::RingPacket;

// The packet of these octets; what the kernel says beside it is for the test to change.
RingPacket packet_of(const std::vector<uint8_t>& octets) {
  const auto count = static_cast<uint32_t>(octets.size());
  return {.data = octets.data(),
          .captured_octets = count,
          .wire_octets = count,
          .second = 1'700'000'000,
          .nanosecond = 1,
          .network_offset = 14};
}

// Behind time and lengths, which are the same for all.
std::string end_of(const RingPacket& packet, Link link = Link::Ethernet) {
  const std::string begin = "2023-11-14T22:13:20.000000001Z 3 wire " +
                            std::to_string(packet.wire_octets) + " captured " +
                            std::to_string(packet.captured_octets) + " ";
  const std::string text = text_of(packet, link, 3);
  EXPECT_TRUE(text.starts_with(begin)) << text;
  return text.substr(std::min(begin.size(), text.size()));
}

std::string end_of(const PacketBuilder& builder) {
  const auto octets = builder.build();
  return end_of(packet_of(octets));
}

TEST(PacketText, TellsAddressesPortsAndProtocol) {
  EXPECT_EQ(end_of(PacketBuilder().ethernet().ipv4().tcp()),
            "IPv4 192.0.2.1:1024 > 198.51.100.2:80 TCP");
  EXPECT_EQ(end_of(PacketBuilder().ethernet().ipv4({.options_octets = 8}).udp()),
            "IPv4 192.0.2.1:1024 > 198.51.100.2:80 UDP");
  EXPECT_EQ(end_of(PacketBuilder().ethernet().ipv6().udp()),
            "IPv6 [2001:db8::1]:1024 > [2001:db8::2]:80 UDP");
}

TEST(PacketText, TellsTagsOfBothKinds) {
  const auto octets = PacketBuilder().ethernet().vlan(9).ipv4().udp().build();
  RingPacket packet = packet_of(octets);
  EXPECT_EQ(end_of(packet), "vlan 9 IPv4 192.0.2.1:1024 > 198.51.100.2:80 UDP");
  packet.has_vlan = true;
  packet.vlan_tci = 0xe007;
  EXPECT_EQ(end_of(packet), "vlan 7 vlan 9 IPv4 192.0.2.1:1024 > 198.51.100.2:80 UDP");
}

TEST(PacketText, TellsOtherTypesAsNumbers) {
  EXPECT_EQ(end_of(PacketBuilder().ethernet().ether_type(0x88cc).payload(20)), "0x88cc");
  EXPECT_EQ(end_of(PacketBuilder().ethernet().ether_type(0x0806).payload(20)), "ARP");
}

TEST(PacketText, LaterFragmentsHaveNoPorts) {
  EXPECT_EQ(end_of(PacketBuilder().ethernet().ipv4({.fragment_offset = 8}).udp()),
            "IPv4 192.0.2.1 > 198.51.100.2 UDP");
}

TEST(PacketText, BeginsWithTheNetworkHeaderWhereThereIsNoEthernet) {
  const auto octets = PacketBuilder().ipv4().udp().build();
  RingPacket packet = packet_of(octets);
  packet.network_offset = 0;
  packet.ether_type = 0x0800;
  EXPECT_EQ(end_of(packet, Link::Other), "IPv4 192.0.2.1:1024 > 198.51.100.2:80 UDP");
}

// In memory of exactly that size, so that the address sanitizer sees a read outside.
TEST(PacketText, LeavesOutWhatIsCut) {
  for (const PacketBuilder& builder :
       {PacketBuilder().ethernet().vlan(1).ipv4({.options_octets = 4}).tcp(),
        PacketBuilder().ethernet().vlan(1).ipv6().udp()}) {
    const auto whole = builder.build();
    const std::string told = end_of(packet_of(whole));
    for (size_t count = 0; count < whole.size(); ++count) {
      const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(count));
      EXPECT_LE(end_of(packet_of(cut)).size(), told.size()) << count;
    }
  }
}

TEST(PacketText, SurvivesHeadersThatContradictThemselves) {
  for (const uint8_t words : {uint8_t{0}, uint8_t{4}, uint8_t{15}})
    EXPECT_EQ(end_of(PacketBuilder().ethernet().ipv4({.header_words = words}).udp()),
              "IPv4 192.0.2.1 > 198.51.100.2 UDP");
}

}  // namespace
}  // namespace testimony_dump
