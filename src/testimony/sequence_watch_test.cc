#include "testimony/sequence_watch.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace testimony {
namespace {

constexpr uint64_t kLast = std::numeric_limits<uint64_t>::max();

int64_t missed_after(std::initializer_list<uint64_t> sequences) {
  SequenceWatch watch;
  for (const uint64_t sequence : sequences)
    watch.note(sequence);
  return watch.missed();
}

TEST(SequenceWatch, MissesNothingInARow) {
  EXPECT_EQ(missed_after({}), 0);
  EXPECT_EQ(missed_after({7}), 0);
  EXPECT_EQ(missed_after({7, 8, 9}), 0);
}

TEST(SequenceWatch, CountsWhatIsSkipped) {
  EXPECT_EQ(missed_after({7, 9}), 1);
  EXPECT_EQ(missed_after({7, 9, 20}), 11);
}

TEST(SequenceWatch, TakesOffWhatComesLate) {
  EXPECT_EQ(missed_after({7, 9, 8}), 0);
  EXPECT_EQ(missed_after({7, 8, 11, 12, 9, 10}), 0);
}

// As the original daemon delivers blocks once it runs out of phase.
TEST(SequenceWatch, DoesNotCountWhatWasBeforeTheFirst) {
  EXPECT_EQ(missed_after({2325, 2326, 2323, 2324, 2329, 2330, 2327, 2328}), 0);
}

TEST(SequenceWatch, IsNeverBelowNothing) {
  EXPECT_EQ(missed_after({7, 9, 8, 8, 8}), 0);
  EXPECT_EQ(missed_after({7, 9, 7, 9}), 1);
}

TEST(SequenceWatch, StaysAtTheHighestNumberWhateverADaemonClaims) {
  constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(missed_after({0, kLast}), kHighest);
  EXPECT_EQ(missed_after({0, kLast / 2, kLast}), kHighest);
  EXPECT_EQ(missed_after({0, kLast, 5}), kHighest - 1);
  EXPECT_EQ(missed_after({kLast, 0, kLast}), 0);
}

TEST(SequenceWatch, TellsHowFarItSaw) {
  SequenceWatch watch;
  EXPECT_EQ(watch.highest(), std::nullopt);
  watch.note(7);
  watch.note(5);
  EXPECT_EQ(watch.highest(), 7U);
}

}  // namespace
}  // namespace testimony
