#include "base/stop_request.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <csignal>

namespace clerk {
namespace {

bool is_readable(int fd) {
  pollfd polled{.fd = fd, .events = POLLIN};
  return ::poll(&polled, 1, 0) == 1 && (polled.revents & POLLIN) != 0;
}

TEST(StopRequest, BeginsUnrequested) {
  const StopRequest stop = StopRequest::create().value();
  EXPECT_FALSE(stop.requested());
  EXPECT_FALSE(is_readable(stop.fd()));
}

TEST(StopRequest, IsSeenByFlagAndFileDescriptorFromThenOn) {
  StopRequest stop = StopRequest::create().value();
  EXPECT_TRUE(stop.request());
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(stop.requested());
    EXPECT_TRUE(is_readable(stop.fd()));
  }
}

TEST(StopRequest, TellsWhenItWasRequestedBefore) {
  StopRequest stop = StopRequest::create().value();
  EXPECT_TRUE(stop.request());
  EXPECT_FALSE(stop.request());
}

TEST(StopRequest, FollowsTheFirstSignal) {
  for (const int signal_number : {SIGINT, SIGTERM}) {
    StopRequest stop = StopRequest::create().value();
    stop.install_signal_handlers();
    ASSERT_EQ(::raise(signal_number), 0);
    EXPECT_TRUE(stop.requested());
  }
}

TEST(StopRequestDeathTest, TheSecondSignalEndsTheProcess) {
  EXPECT_EXIT(
      {
        StopRequest stop = StopRequest::create().value();
        stop.install_signal_handlers();
        static_cast<void>(::raise(SIGTERM));
        static_cast<void>(::raise(SIGINT));
      },
      ::testing::ExitedWithCode(128 + SIGINT), "");
}

TEST(StopRequestDeathTest, SignalsDoTheirOldWorkOnceItIsGone) {
  EXPECT_EXIT(
      {
        {
          StopRequest::create().value().install_signal_handlers();
        }
        static_cast<void>(::raise(SIGTERM));
      },
      ::testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace clerk
