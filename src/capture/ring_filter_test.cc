#include "capture/ring_filter.h"

#include <gtest/gtest.h>

#include "testing/packet_builder.h"

namespace clerk {
namespace {

RingFilter filter(const std::string& expression) {
  auto filter = RingFilter::create(expression);
  EXPECT_TRUE(filter) << filter.error().message;
  return *std::move(filter);
}

bool passes(RingFilter& filter, const PacketBuilder& packet,
            LinkType link_type = LinkType::Ethernet) {
  const auto octets = packet.build();
  const auto size = static_cast<uint32_t>(octets.size());
  return filter.passes({.data = octets.data(),
                        .captured_octets = size,
                        .wire_octets = size,
                        .link_type = link_type});
}

const PacketBuilder kFrame = PacketBuilder().ethernet().ipv4().udp();
const PacketBuilder kBare = PacketBuilder().ipv4().udp();

TEST(RingFilter, AnEmptyOneLetsEverythingThrough) {
  RingFilter everything = filter("");
  EXPECT_TRUE(everything.empty());
  EXPECT_TRUE(passes(everything, kFrame));
  EXPECT_TRUE(passes(everything, kBare, LinkType::NotIp));
  EXPECT_FALSE(everything.has_met_senseless());
}

TEST(RingFilter, SeesPacketsWithAndWithoutALinkHeader) {
  RingFilter udp = filter("udp");
  EXPECT_TRUE(passes(udp, kFrame));
  EXPECT_TRUE(passes(udp, kBare, LinkType::Ipv4));
  EXPECT_TRUE(passes(udp, PacketBuilder().ipv6().udp(), LinkType::Ipv6));
  EXPECT_FALSE(passes(udp, PacketBuilder().ethernet().ipv4().tcp()));
  EXPECT_FALSE(passes(udp, PacketBuilder().ipv4().tcp(), LinkType::Ipv4));
  EXPECT_FALSE(passes(udp, PacketBuilder().payload(40), LinkType::NotIp));
  EXPECT_FALSE(udp.has_met_senseless());
}

TEST(RingFilter, HoldsBackWhereItMakesNoSenseAndSaysSo) {
  RingFilter tagged = filter("vlan 7");
  EXPECT_FALSE(passes(tagged, kFrame));
  EXPECT_FALSE(tagged.has_met_senseless());
  EXPECT_FALSE(passes(tagged, kBare, LinkType::Ipv4));
  EXPECT_TRUE(tagged.has_met_senseless());
}

TEST(RingFilter, ThatMakesNoSenseAnywhereIsRefused) {
  const auto refused = RingFilter::create("prot 80");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("--filter 'prot 80': "));
}

}  // namespace
}  // namespace clerk
