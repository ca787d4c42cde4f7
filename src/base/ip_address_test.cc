#include "base/ip_address.h"

#include <gtest/gtest.h>

#include <array>

namespace clerk {
namespace {

TEST(IpAddress, Ipv4IsDottedDecimal) {
  const std::array<uint8_t, 4> wire{192, 0, 2, 1};
  EXPECT_EQ(to_string(IpAddress::from_wire(IpVersion::V4, wire.data())), "192.0.2.1");
}

TEST(IpAddress, Ipv6ShortensTheLongestRunOfZeroGroups) {
  const std::array<uint8_t, 16> wire{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(to_string(IpAddress::from_wire(IpVersion::V6, wire.data())), "2001:db8:0:1::1");
}

TEST(IpAddress, Ipv6KeepsASingleZeroGroup) {
  const std::array<uint8_t, 16> wire{0x20, 0x01, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
  EXPECT_EQ(to_string(IpAddress::from_wire(IpVersion::V6, wire.data())), "2001:0:1:1:1:1:1:1");
}

}  // namespace
}  // namespace clerk
