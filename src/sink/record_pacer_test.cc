#include "sink/record_pacer.h"

#include <gtest/gtest.h>

#include <thread>

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

// Upper bounds are generous: the machine may be busy. Lower ones are exact but for the first burst
// and what the pacer makes up for.
constexpr auto kBurst = milliseconds(20);
constexpr auto kBusy = seconds(5);

Clock::duration time_of(RecordPacer& pacer, int messages, uint32_t records) {
  const auto start = Clock::now();
  for (int i = 0; i < messages; ++i)
    pacer.wait(records);
  return Clock::now() - start;
}

TEST(RecordPacer, KeepsToItsRate) {
  RecordPacer pacer({20'000});
  const auto taken = time_of(pacer, 200, 20);  // 4000 records: 200 ms
  EXPECT_GE(taken, milliseconds(200) - kBurst);
  EXPECT_LT(taken, kBusy);
}

TEST(RecordPacer, PaysForRecordsNotForMessages) {
  RecordPacer pacer({20'000});
  EXPECT_GE(time_of(pacer, 20, 200), milliseconds(190) - kBurst);
}

TEST(RecordPacer, APauseIsNoCredit) {
  RecordPacer pacer({10'000});
  pacer.wait(1);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_GE(time_of(pacer, 100, 10), milliseconds(100) - kBurst);
}

TEST(RecordPacer, ZeroIsUnlimited) {
  RecordPacer pacer({0});
  EXPECT_LT(time_of(pacer, 100'000, 1'000'000), kBusy);
}

TEST(RecordPacer, AMessageWithoutRecordsDoesNotWait) {
  RecordPacer pacer({1});
  pacer.wait(3600);  // the next record is due in an hour
  EXPECT_LT(time_of(pacer, 1000, 0), kBusy);
}

constexpr RecordPace kUsual{10'000, RecordPace::Kind::Usual};

TEST(RecordPacer, AUsualPaceIsKeptWhileFewRecordsWait) {
  RecordPacer pacer(kUsual);
  pacer.note_backlog(100);
  EXPECT_GE(time_of(pacer, 100, 20), milliseconds(200) - kBurst);
}

TEST(RecordPacer, AUsualPaceRisesSoThatAllThatWaitsLeavesInTime) {
  constexpr size_t kRecords = 200'000;
  RecordPacer pacer(kUsual);
  pacer.note_backlog(kRecords);
  const auto taken = time_of(pacer, kRecords / 500, 500);
  EXPECT_GE(taken, RecordPacer::kSpread - 2 * kBurst);  // spread over that time too
  EXPECT_LT(taken, kBusy);                              // 20 s at the usual pace
}

TEST(RecordPacer, APaceThatRoseStaysUntilNothingWaits) {
  RecordPacer pacer(kUsual);
  pacer.note_backlog(80'000);
  pacer.note_backlog(1);
  EXPECT_LT(pacer.burst_messages(1), 1001U);
  EXPECT_GE(pacer.burst_messages(1), 1000U);  // in 10 ms, of 100,000 a second
  pacer.note_backlog(0);
  EXPECT_EQ(pacer.burst_messages(1), 100U);
}

TEST(RecordPacer, ALimitNeverRises) {
  RecordPacer pacer({10'000, RecordPace::Kind::Limit});
  pacer.note_backlog(1'000'000);
  EXPECT_EQ(pacer.burst_messages(1), 100U);
}

TEST(RecordPacer, ABurstIsOfWholeMessages) {
  EXPECT_EQ(RecordPacer({100'000}).burst_messages(23), 43U);
  EXPECT_EQ(RecordPacer({1}).burst_messages(23), 1U);
  EXPECT_GE(RecordPacer({1}).burst_messages(0), 64U);  // templates
  EXPECT_GE(RecordPacer({0}).burst_messages(23), 64U);
}

}  // namespace
}  // namespace clerk
