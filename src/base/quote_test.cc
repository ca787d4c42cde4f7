#include "base/quote.h"

#include <gtest/gtest.h>

namespace clerk {
namespace {

TEST(Quote, KeepsPrintableTextAndShowsTheRestAsNumbers) {
  EXPECT_EQ(quote(""), "''");
  EXPECT_EQ(quote("192.0.2.0/24 ~"), "'192.0.2.0/24 ~'");
  EXPECT_EQ(quote(std::string_view("\x1b[2J\0\x7f\xff", 7)), "'\\x1b[2J\\x00\\x7f\\xff'");
}

}  // namespace
}  // namespace clerk
