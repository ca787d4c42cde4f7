#include "sink/record_pacer.h"

#include <gtest/gtest.h>

#include <thread>

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// Upper bounds are generous: the machine may be busy. Lower ones are exact but for the burst.
constexpr auto kBurst = milliseconds(10);
constexpr auto kBusy = seconds(5);

Clock::duration time_of(RecordPacer& pacer, int messages, uint32_t records) {
  const auto start = Clock::now();
  for (int i = 0; i < messages; ++i)
    pacer.wait(records);
  return Clock::now() - start;
}

TEST(RecordPacer, KeepsToItsRate) {
  RecordPacer pacer(20'000);
  const auto taken = time_of(pacer, 200, 20);  // 4000 records: 200 ms
  EXPECT_GE(taken, milliseconds(200) - kBurst);
  EXPECT_LT(taken, kBusy);
}

TEST(RecordPacer, PaysForRecordsNotForMessages) {
  RecordPacer pacer(20'000);
  EXPECT_GE(time_of(pacer, 20, 200), milliseconds(190) - kBurst);
}

TEST(RecordPacer, APauseIsNoCredit) {
  RecordPacer pacer(10'000);
  pacer.wait(1);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_GE(time_of(pacer, 100, 10), milliseconds(100) - kBurst);
}

TEST(RecordPacer, ZeroIsUnlimited) {
  RecordPacer pacer(0);
  EXPECT_LT(time_of(pacer, 100'000, 1'000'000), kBusy);
}

TEST(RecordPacer, AMessageWithoutRecordsDoesNotWait) {
  RecordPacer pacer(1);
  pacer.wait(3600);  // the next record is due in an hour
  EXPECT_LT(time_of(pacer, 1000, 0), kBusy);
}

}  // namespace
}  // namespace clerk
