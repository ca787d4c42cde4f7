#include "clerk/explained_packets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace clerk {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<uint64_t> ordinals(const ExplainedGroup& group) {
  std::vector<uint64_t> ordinals;
  ordinals.reserve(group.packets.size());
  for (const ExplainedPacket& packet : group.packets)
    ordinals.push_back(packet.ordinal);
  return ordinals;
}

void add(ExplainedPackets& packets, uint64_t count, uint64_t ordinal) {
  packets.add(count, {.ordinal = ordinal, .text = fmt::format("packet {}", ordinal)});
}

class ExplainedPacketsTest : public ::testing::Test {
 protected:
  ExplainedPackets packets_;
  const LedgerObserver& ledger_ = packets_.observer();
};

TEST_F(ExplainedPacketsTest, LeaveWithTheirRecord) {
  add(packets_, 0, 0);
  add(packets_, 1, 1);
  add(packets_, 0, 2);
  ledger_.counted(0, 7);
  ledger_.counted(1, 8);
  ledger_.released(8);
  ledger_.released(7);
  EXPECT_THAT(ordinals(packets_.take_next()), ElementsAre(1));
  const ExplainedGroup group = packets_.take_next();
  EXPECT_THAT(ordinals(group), ElementsAre(0, 2));
  EXPECT_EQ(group.packets[1].text, "packet 2");
  EXPECT_TRUE(packets_.empty());
}

TEST_F(ExplainedPacketsTest, ARecordWithoutAnyHasItsTurnToo) {
  add(packets_, 5, 5);
  ledger_.counted(0, 0);
  ledger_.counted(5, 1);
  ledger_.released(0);
  ledger_.released(1);
  EXPECT_THAT(ordinals(packets_.take_next()), IsEmpty());
  EXPECT_THAT(ordinals(packets_.take_next()), ElementsAre(5));
}

TEST_F(ExplainedPacketsTest, ANumberThatIsUsedAgainIsAnotherRecord) {
  add(packets_, 0, 0);
  add(packets_, 1, 1);
  ledger_.counted(0, 7);
  ledger_.released(7);
  ledger_.counted(1, 7);
  ledger_.released(7);
  EXPECT_THAT(ordinals(packets_.take_next()), ElementsAre(0));
  EXPECT_THAT(ordinals(packets_.take_next()), ElementsAre(1));
}

TEST_F(ExplainedPacketsTest, FragmentsThatWaitedStandWhereTheyCame) {
  add(packets_, 0, 0);
  add(packets_, 1, 1);
  add(packets_, 2, 2);
  add(packets_, 3, 3);
  ledger_.joined(2, 1);
  ledger_.counted(3, 7);
  ledger_.counted(1, 7);
  ledger_.counted(0, 7);
  ledger_.released(7);
  EXPECT_THAT(ordinals(packets_.take_next()), ElementsAre(0, 1, 2, 3));
}

TEST_F(ExplainedPacketsTest, OrphansAreMarked) {
  add(packets_, 0, 0);
  add(packets_, 1, 1);
  ledger_.orphaned(0);
  ledger_.counted(0, 7);
  ledger_.counted(1, 7);
  ledger_.released(7);
  const ExplainedGroup group = packets_.take_next();
  ASSERT_EQ(group.packets.size(), 2U);
  EXPECT_TRUE(group.packets[0].orphaned);
  EXPECT_FALSE(group.packets[1].orphaned);
}

TEST_F(ExplainedPacketsTest, CountsThatHoldNoneAreNoMatter) {
  ledger_.joined(1, 0);
  ledger_.orphaned(0);
  ledger_.counted(0, 7);
  EXPECT_TRUE(packets_.empty());
  ledger_.released(7);
  EXPECT_FALSE(packets_.empty());
  EXPECT_EQ(packets_.take_next().size(), 0U);
}

TEST(ExplainedPacketsBound, OfOneRecordOnlySoManyAreHeld) {
  ExplainedPackets packets(/*packets_of_record_max=*/3);
  const LedgerObserver& ledger = packets.observer();
  for (uint64_t ordinal = 0; ordinal < 5; ++ordinal)
    add(packets, 0, ordinal);
  ledger.counted(0, 7);
  ledger.released(7);
  const ExplainedGroup group = packets.take_next();
  EXPECT_THAT(ordinals(group), ElementsAre(0, 1, 2));
  EXPECT_EQ(group.left_out, 2U);
  EXPECT_EQ(group.size(), 5U);
}

TEST(ExplainedPacketsBound, OfOneRecordOnlySoManyAreHeldHoweverTheyCame) {
  ExplainedPackets packets(/*packets_of_record_max=*/3);
  const LedgerObserver& ledger = packets.observer();
  for (uint64_t ordinal = 0; ordinal < 9; ++ordinal)
    add(packets, ordinal / 2, ordinal);
  ledger.joined(2, 1);
  for (const uint64_t count : {0U, 1U, 3U, 4U})
    ledger.counted(count, 7);
  ledger.released(7);
  const ExplainedGroup group = packets.take_next();
  EXPECT_THAT(ordinals(group), ElementsAre(0, 1, 2));
  EXPECT_EQ(group.size(), 9U);
  EXPECT_TRUE(packets.empty());
}

TEST(ExplainedPacketsBound, OfAllRecordsOnlySoMuchIsHeld) {
  constexpr size_t kOctetsOfTwo = 2 * sizeof(ExplainedPacket) + 50;
  ExplainedPackets packets(/*packets_of_record_max=*/100, kOctetsOfTwo);
  const LedgerObserver& ledger = packets.observer();
  // Each time there is as much room as at first, whatever was held and dropped before.
  for (uint64_t round = 0; round < 3; ++round) {
    for (uint64_t count = 0; count < 3; ++count) {
      add(packets, count, count);
      ledger.counted(count, 7);
    }
    ledger.released(7);
    const ExplainedGroup group = packets.take_next();
    EXPECT_THAT(ordinals(group), ElementsAre(0, 1));
    EXPECT_EQ(group.left_out, 1U);
  }
}

TEST(ExplainedPacketsBound, WhatIsDroppedOnTheWayMakesRoom) {
  constexpr size_t kOctetsOfTwo = 2 * sizeof(ExplainedPacket) + 50;
  ExplainedPackets packets(/*packets_of_record_max=*/1, kOctetsOfTwo);
  const LedgerObserver& ledger = packets.observer();
  add(packets, 0, 0);
  add(packets, 1, 1);
  ledger.counted(0, 7);
  ledger.counted(1, 7);
  add(packets, 2, 2);
  ledger.counted(2, 8);
  ledger.released(7);
  ledger.released(8);
  EXPECT_EQ(packets.take_next().left_out, 1U);
  EXPECT_THAT(ordinals(packets.take_next()), ElementsAre(2));
}

}  // namespace
}  // namespace clerk
