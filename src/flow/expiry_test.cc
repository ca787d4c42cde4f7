#include "flow/expiry.h"

#include <gtest/gtest.h>

#include <map>

#include "flow/flow_test_support.h"

namespace clerk {
namespace {

constexpr uint32_t kHorizon = 126;

constexpr Timeouts kTimeouts{.idle_ns = 30 * kSecond, .active_ns = 60 * kSecond};

FlowCounters seen(uint64_t first_ns, uint64_t last_ns) {
  return {.first_ns = first_ns, .last_ns = last_ns, .end_second = FlowCounters::kNotEnded};
}

TEST(DueSecond, IsTheFirstSecondAtOrBehindTheTimeout) {
  EXPECT_EQ(due_second(seen(100 * kSecond, 100 * kSecond), kTimeouts), 130U);
  EXPECT_EQ(due_second(seen(100 * kSecond, 100 * kSecond + 1), kTimeouts), 131U);
  EXPECT_EQ(due_second(seen(101 * kSecond - 1, 101 * kSecond - 1), kTimeouts), 131U);
}

TEST(DueSecond, IsOfTheTimeoutThatEndsFirst) {
  EXPECT_EQ(due_second(seen(100 * kSecond, 125 * kSecond), kTimeouts), 155U);
  EXPECT_EQ(due_second(seen(100 * kSecond, 145 * kSecond), kTimeouts), 160U);
}

TEST(DueSecond, FollowsFractionalTimeouts) {
  const Timeouts timeouts{.idle_ns = kSecond + kSecond / 2, .active_ns = 60 * kSecond};
  EXPECT_EQ(due_second(seen(100 * kSecond, 100 * kSecond), timeouts), 102U);
  EXPECT_EQ(due_second(seen(100 * kSecond, 100 * kSecond + kSecond / 2), timeouts), 102U);
}

TEST(DueSecond, OfAnEndedFlowIsItsEnd) {
  FlowCounters ended = seen(100 * kSecond, 100 * kSecond);
  ended.end_second = 103;
  EXPECT_EQ(due_second(ended, kTimeouts), 103U);
}

TEST(DueSecond, FitsItsTypeUpToTheEndOfTime) {
  constexpr uint32_t kDay = 86400;  // the longest timeout that the command line takes
  const Timeouts timeouts{.idle_ns = kDay * kSecond, .active_ns = kDay * kSecond};
  EXPECT_EQ(due_second(seen(kTimeEnd - 1, kTimeEnd - 1), timeouts), whole_seconds(kTimeEnd) + kDay);
}

TEST(DueSecond, IsTheFirstThatASlowSearchFinds) {
  Dice dice(1);
  for (int i = 0; i < 2000; ++i) {
    const Timeouts timeouts{.idle_ns = kSecond + dice.below(20 * kSecond),
                            .active_ns = kSecond + dice.below(40 * kSecond)};
    const uint64_t first_ns = 100 * kSecond + dice.below(10 * kSecond);
    const FlowCounters counters = seen(first_ns, first_ns + dice.below(10 * kSecond));
    uint32_t second = 0;
    while (second * kSecond < counters.last_ns + timeouts.idle_ns &&
           second * kSecond < counters.first_ns + timeouts.active_ns)
      ++second;
    ASSERT_EQ(due_second(counters, timeouts), second);
  }
}

TEST(DueReason, IsEndBeforeActiveBeforeIdle) {
  FlowCounters counters = seen(100 * kSecond, 130 * kSecond);
  EXPECT_EQ(due_reason(counters, kTimeouts, 160), EndReason::ActiveTimeout);
  counters.end_second = 160;
  EXPECT_EQ(due_reason(counters, kTimeouts, 160), EndReason::EndDetected);
  EXPECT_EQ(due_reason(seen(100 * kSecond, 120 * kSecond), kTimeouts, 150), EndReason::IdleTimeout);
  EXPECT_EQ(due_reason(seen(100 * kSecond + 1, 130 * kSecond), kTimeouts, 160),
            EndReason::IdleTimeout);
}

TEST(ExpiryWheel, GivesARecordAtTheSecondItIsDue) {
  ExpiryWheel wheel(4, kHorizon);
  wheel.add(2, 105, 100);
  for (uint32_t second = 100; second < 105; ++second)
    EXPECT_EQ(wheel.take(second), IndexLists::kNone);
  EXPECT_EQ(wheel.take(105), 2U);
  EXPECT_EQ(wheel.take(105), IndexLists::kNone);
}

TEST(ExpiryWheel, GivesARecordThatIsOverdueAtTheNextMark) {
  ExpiryWheel wheel(4, kHorizon);
  wheel.add(2, 3, 100);
  EXPECT_EQ(wheel.take(100), 2U);
}

TEST(ExpiryWheel, GivesNoRecordThatWasRemoved) {
  ExpiryWheel wheel(4, kHorizon);
  wheel.add(2, 105, 100);
  wheel.remove(2);
  EXPECT_EQ(wheel.take(105), IndexLists::kNone);
}

// The wheel against a map of deadlines that move both ways, some many rounds away. As in the
// ledger, a deadline that moves back is found out only when its bucket comes up.
class WheelAndMap {
 public:
  void tick(uint32_t second) {
    for (uint32_t record = wheel_.take(second); record != IndexLists::kNone;
         record = wheel_.take(second)) {
      const uint32_t due = due_.at(record);
      if (due > second) {
        wheel_.add(record, due, second);
      } else {
        EXPECT_EQ(due, second) << "record " << record << " comes late";
        due_.erase(record);
      }
    }
    for (const auto& [record, due] : due_)
      EXPECT_GT(due, second) << "record " << record << " did not come";
  }

  void change_one(uint32_t next_mark) {
    const auto record = static_cast<uint32_t>(dice_.below(kRecords));
    const auto due = static_cast<uint32_t>(next_mark + dice_.below(dice_.one_in(4) ? 1000 : 60));
    const auto known = due_.find(record);
    if (known == due_.end()) {
      wheel_.add(record, due, next_mark);
    } else if (due < known->second) {
      wheel_.remove(record);
      wheel_.add(record, due, next_mark);
    }
    due_[record] = due;
  }

  uint64_t changes() { return dice_.below(30); }

 private:
  static constexpr uint32_t kRecords = 200;

  Dice dice_{1};
  ExpiryWheel wheel_{kRecords, kHorizon};
  std::map<uint32_t, uint32_t> due_;
};

TEST(ExpiryWheel, GivesEachRecordAtItsSecondHoweverDeadlinesMove) {
  WheelAndMap both;
  for (uint32_t second = 1'000'000; second < 1'005'000; ++second) {
    for (uint64_t left = both.changes(); left > 0; --left)
      both.change_one(second);
    both.tick(second);
    ASSERT_FALSE(HasFailure()) << "at " << second;
  }
}

}  // namespace
}  // namespace clerk
