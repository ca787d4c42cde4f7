#include "base/log.h"

#include <gtest/gtest.h>

namespace clerk {
namespace {

using std::chrono::seconds;

TEST(LogLimiter, LetsOneThroughEachIntervalAndTellsHowManyItHeldBack) {
  LogLimiter limiter(seconds(10));
  const std::chrono::steady_clock::time_point start{};
  EXPECT_EQ(limiter.allow(start), 0U);
  EXPECT_EQ(limiter.allow(start + seconds(1)), std::nullopt);
  EXPECT_EQ(limiter.allow(start + seconds(9)), std::nullopt);
  EXPECT_EQ(limiter.allow(start + seconds(10)), 2U);
  EXPECT_EQ(limiter.allow(start + seconds(20)), 0U);
}

}  // namespace
}  // namespace clerk
