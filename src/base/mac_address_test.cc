#include "base/mac_address.h"

#include <gtest/gtest.h>

namespace clerk {
namespace {

TEST(MacAddress, IsWrittenInLowerCaseWithAllDigits) {
  EXPECT_EQ(to_string(MacAddress{{0x02, 0x00, 0x0a, 0xbc, 0xde, 0xff}}), "02:00:0a:bc:de:ff");
  EXPECT_EQ(to_string(MacAddress{}), "00:00:00:00:00:00");
}

TEST(MacAddress, IsCopiedFromTheWire) {
  constexpr std::array<uint8_t, 7> kWire{1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(MacAddress::from_wire(kWire.data()), (MacAddress{{1, 2, 3, 4, 5, 6}}));
}

TEST(MacAddress, IsZeroWhereTheLinkHasNone) {
  EXPECT_EQ(MacAddress::from_wire(nullptr), MacAddress{});
}

}  // namespace
}  // namespace clerk
