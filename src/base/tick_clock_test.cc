#include "base/tick_clock.h"

#include <gtest/gtest.h>

#include <ostream>

namespace clerk {

static std::ostream& operator<<(std::ostream& out, TickClock::Step step) {
  const char* const names[] = {"None", "Forward", "Jump", "Restart"};
  return out << names[static_cast<size_t>(step)];
}

namespace {

using Step = TickClock::Step;

constexpr uint64_t kSecond = kNanosecondsPerSecond;
constexpr uint64_t kStart = 1'700'000'000 * kSecond + 250'000'000;  // a quarter into its second
constexpr uint64_t kMark = kStart + 750'000'000;
constexpr uint64_t kIdleTimeout = 30 * kSecond;

TickClock started_clock() {
  TickClock clock(kIdleTimeout);
  clock.start(kStart);
  return clock;
}

Step step(TickClock& clock, uint64_t time_ns) {
  const Step step = clock.step_to(time_ns);
  clock.move_to(time_ns, step);
  return step;
}

TEST(TickClock, StandsStillUntilTheFirstPacket) {
  TickClock clock(kIdleTimeout);
  EXPECT_FALSE(clock.started());
  clock.start(kStart);
  EXPECT_TRUE(clock.started());
  EXPECT_EQ(clock.now_ns(), kStart);
  EXPECT_EQ(clock.second(), 1'700'000'000U);
}

TEST(TickClock, ItsMarksAreTheWholeSeconds) {
  TickClock clock = started_clock();
  EXPECT_EQ(step(clock, kMark - 1), Step::None);
  EXPECT_EQ(clock.second(), 1'700'000'000U);
  EXPECT_EQ(step(clock, kMark), Step::Forward);
  EXPECT_EQ(clock.second(), 1'700'000'001U);
  EXPECT_EQ(step(clock, kMark), Step::None);
  EXPECT_EQ(step(clock, kMark + kSecond - 1), Step::None);
  EXPECT_EQ(step(clock, kMark + kSecond), Step::Forward);
}

TEST(TickClock, ShowsTheHighestTimeSeen) {
  TickClock clock = started_clock();
  EXPECT_EQ(step(clock, kMark + 5), Step::Forward);
  EXPECT_EQ(step(clock, kStart), Step::None);
  EXPECT_EQ(clock.now_ns(), kMark + 5);
  EXPECT_EQ(clock.second(), 1'700'000'001U);
}

TEST(TickClock, AStepForwardBeyondTheIdleTimeoutIsAJump) {
  TickClock clock = started_clock();
  EXPECT_EQ(clock.step_to(kStart + kIdleTimeout), Step::Forward);
  EXPECT_EQ(clock.step_to(kStart + kIdleTimeout + 1), Step::Jump);
  EXPECT_EQ(step(clock, kStart + 3600 * kSecond), Step::Jump);
  EXPECT_EQ(clock.second(), 1'700'003'600U);
}

TEST(TickClock, AStepBackBeyondTheIdleTimeoutIsARestart) {
  TickClock clock = started_clock();
  EXPECT_EQ(clock.step_to(kStart - kIdleTimeout), Step::None);
  EXPECT_EQ(clock.step_to(kStart - kIdleTimeout - 1), Step::Restart);
  EXPECT_EQ(step(clock, kStart - 3600 * kSecond), Step::Restart);
  EXPECT_EQ(clock.now_ns(), kStart - 3600 * kSecond);
  EXPECT_EQ(clock.second(), 1'699'996'400U);
  EXPECT_EQ(step(clock, kStart - 3600 * kSecond), Step::None);
}

TEST(TickClock, AStepBackIsMeasuredFromTheHighestTimeSeen) {
  TickClock clock = started_clock();
  for (uint64_t back = kSecond; back <= kIdleTimeout; back += kSecond)
    EXPECT_EQ(step(clock, kStart - back), Step::None);
}

TEST(TickClock, MayShowTheFirstAndTheLastUsableTime) {
  TickClock clock(kIdleTimeout);
  clock.start(0);
  EXPECT_EQ(clock.second(), 0U);
  EXPECT_EQ(step(clock, kTimeEnd - 1), Step::Jump);
  EXPECT_EQ(clock.second(), whole_seconds(kTimeEnd) - 1);
  EXPECT_EQ(clock.step_to(kTimeEnd - 1), Step::None);
}

}  // namespace
}  // namespace clerk
