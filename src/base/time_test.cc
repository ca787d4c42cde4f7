#include "base/time.h"

#include <gtest/gtest.h>

namespace clerk {
namespace {

std::string text(uint64_t time_ns) {
  std::array<char, kTimeTextSize> buffer;
  return std::string(format_time(time_ns, buffer));
}

TEST(Time, IsRfc3339WithNineDecimals) {
  EXPECT_EQ(text(1'700'000'000'123'456'789), "2023-11-14T22:13:20.123456789Z");
  EXPECT_EQ(text(0), "1970-01-01T00:00:00.000000000Z");
}

TEST(Time, KnowsLeapDaysAndTheLastInstant) {
  EXPECT_EQ(text(1'709'164'800 * kNanosecondsPerSecond), "2024-02-29T00:00:00.000000000Z");
  EXPECT_EQ(text(kTimeEnd - 1), "2106-02-05T18:03:43.999999999Z");
}

}  // namespace
}  // namespace clerk
