#include "decode/decode_test_support.h"

#include <gtest/gtest.h>

#include <set>

namespace clerk {
namespace {

TEST(Decode, AddressesStayWhereThePacketHasThem) {
  const auto decoded = decode_built(PacketBuilder().ethernet().vlan(1).ipv4().udp());
  EXPECT_EQ(decoded.headers.addresses, decoded.octets.data() + 14 + 4 + 12);
}

TEST(Decode, AnEmptyCaptureIsTruncated) {
  for (const LinkType type :
       {LinkType::Ethernet, LinkType::LinuxCooked, LinkType::LinuxCooked2, LinkType::Raw,
        LinkType::RawBsd, LinkType::RawOpenBsd, LinkType::Ipv4, LinkType::Ipv6}) {
    EXPECT_EQ(decode_octets({}, type, 60).stop, Stop::Truncated);
  }
}

TEST(Decode, EachCauseHasANameAndAnExplanationOfItsOwn) {
  std::set<std::string_view> names;
  std::set<std::string_view> explanations;
  for (size_t i = 0; i < kStops; ++i) {
    names.insert(name_of(static_cast<Stop>(i)));
    explanations.insert(explain(static_cast<Stop>(i)));
  }
  EXPECT_EQ(names.size(), kStops);
  EXPECT_EQ(explanations.size(), kStops);
}

}  // namespace
}  // namespace clerk
