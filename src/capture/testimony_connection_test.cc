#include "capture/testimony_connection.h"

#include <gtest/gtest.h>

#include <vector>

namespace clerk {
namespace {

using std::chrono::milliseconds;

TEST(TestimonyConnection, IsTriedLessAndLessOftenWhileNobodyAnswers) {
  TestimonyConnection connection(3);
  constexpr TestimonyConnection::Clock::time_point kNow{std::chrono::hours(1)};
  EXPECT_LE(connection.next_try(), kNow);
  std::vector<milliseconds> pauses;
  for (int i = 0; i < 8; ++i) {
    connection.put_off(kNow);
    pauses.push_back(std::chrono::duration_cast<milliseconds>(connection.next_try() - kNow));
  }
  const std::vector<milliseconds> wanted{milliseconds(100),  milliseconds(200),  milliseconds(400),
                                         milliseconds(800),  milliseconds(1600), milliseconds(3200),
                                         milliseconds(5000), milliseconds(5000)};
  EXPECT_EQ(pauses, wanted);
}

}  // namespace
}  // namespace clerk
