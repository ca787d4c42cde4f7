#include "testimonyd/block_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace clerk {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Return = BlockLedger::Return;

constexpr BlockLedger::Holder kAnn = 1;
constexpr BlockLedger::Holder kBob = 2;

const BlockLedger::Clock::time_point kNow{std::chrono::seconds(1000)};

void lend(BlockLedger& ledger, int count = 1) {
  for (int i = 0; i < count; ++i)
    ledger.lend(kNow + std::chrono::seconds(ledger.lent()));
}

TEST(BlockLedger, BlocksOfNobodyAreFreeAtOnce) {
  BlockLedger ledger(4);
  for (uint32_t i = 0; i < 9; ++i) {
    EXPECT_EQ(ledger.next(), i % 4);
    EXPECT_FALSE(ledger.lend(kNow));
    EXPECT_EQ(ledger.room(), 4U);
  }
  EXPECT_EQ(ledger.lent(), 9U);
  EXPECT_EQ(ledger.held(), 0U);
  EXPECT_EQ(ledger.oldest_held(), std::nullopt);
}

TEST(BlockLedger, ABlockIsFreeWhenItsLastHolderHasGivenItBack) {
  BlockLedger ledger(4);
  ledger.add(kAnn);
  ledger.add(kBob);
  EXPECT_TRUE(ledger.lend(kNow));
  EXPECT_EQ(ledger.give_back(kAnn, 0), Return::Held);
  EXPECT_TRUE(ledger.is_held(0));
  EXPECT_EQ(ledger.give_back(kBob, 0), Return::Free);
  EXPECT_FALSE(ledger.is_held(0));
}

TEST(BlockLedger, WhatAHolderDoesNotHaveIsForeign) {
  BlockLedger ledger(4);
  ledger.add(kAnn);
  lend(ledger);
  EXPECT_EQ(ledger.give_back(kAnn, 1), Return::Foreign);
  EXPECT_EQ(ledger.give_back(kAnn, 4), Return::Foreign);
  EXPECT_EQ(ledger.give_back(kAnn, UINT32_MAX), Return::Foreign);
  EXPECT_EQ(ledger.give_back(kBob, 0), Return::Foreign);
  EXPECT_EQ(ledger.give_back(kAnn, 0), Return::Free);
  EXPECT_EQ(ledger.give_back(kAnn, 0), Return::Foreign) << "twice";
}

TEST(BlockLedger, WhoComesLaterHasNothingOfWhatWasLentBefore) {
  BlockLedger ledger(4);
  ledger.add(kAnn);
  lend(ledger);
  ledger.add(kBob);
  EXPECT_EQ(ledger.held_by(kBob), 0U);
  EXPECT_EQ(ledger.give_back(kAnn, 0), Return::Free);
}

TEST(BlockLedger, WhoGoesFreesWhatNobodyElseHolds) {
  BlockLedger ledger(8);
  ledger.add(kAnn);
  ledger.add(kBob);
  lend(ledger, 4);
  ledger.give_back(kBob, 1);
  ledger.give_back(kBob, 3);
  ledger.give_back(kAnn, 3);
  EXPECT_THAT(ledger.remove(kAnn), ElementsAre(1));
  EXPECT_EQ(ledger.held(), 2U);
  EXPECT_THAT(ledger.remove(kAnn), IsEmpty());
  EXPECT_THAT(ledger.remove(kBob), ElementsAre(0, 2));
  EXPECT_EQ(ledger.held(), 0U);
  EXPECT_EQ(ledger.room(), 8U);
}

TEST(BlockLedger, RoomEndsAtTheOldestBlockThatIsHeld) {
  BlockLedger ledger(4);
  ledger.add(kAnn);
  lend(ledger, 3);
  EXPECT_EQ(ledger.room(), 1U);
  ledger.give_back(kAnn, 1);
  ledger.give_back(kAnn, 2);
  EXPECT_EQ(ledger.room(), 1U) << "block 0 is still out";
  lend(ledger);
  EXPECT_EQ(ledger.room(), 0U);
  ledger.give_back(kAnn, 0);
  EXPECT_EQ(ledger.room(), 3U);
  EXPECT_EQ(ledger.oldest_held(), 3U);
  EXPECT_EQ(ledger.next(), 0U);
}

TEST(BlockLedger, TellsWhoHoldsTheOldestAndSinceWhen) {
  BlockLedger ledger(4);
  ledger.add(kAnn);
  ledger.add(kBob);
  lend(ledger, 2);
  EXPECT_EQ(ledger.oldest_held(), 0U);
  EXPECT_THAT(ledger.holders_of(0), UnorderedElementsAre(kAnn, kBob));
  ledger.give_back(kAnn, 0);
  EXPECT_THAT(ledger.holders_of(0), ElementsAre(kBob));
  ledger.give_back(kBob, 0);
  EXPECT_EQ(ledger.oldest_held(), 1U);
  EXPECT_EQ(ledger.lent_at(1), kNow + std::chrono::seconds(1));
}

// The slow twin: who holds which block, as sets.
class Twin {
 public:
  explicit Twin(uint32_t blocks) : holders_(blocks) {}

  void add(BlockLedger::Holder holder) { present_.insert(holder); }
  std::vector<uint32_t> remove(BlockLedger::Holder holder) {
    std::vector<uint32_t> freed;
    for (uint32_t i = 0; i < holders_.size(); ++i)
      if (holders_[i].erase(holder) > 0 && holders_[i].empty()) freed.push_back(i);
    present_.erase(holder);
    return freed;
  }
  void lend() { holders_[lent_++ % holders_.size()] = present_; }
  Return give_back(BlockLedger::Holder holder, uint32_t index) {
    if (index >= holders_.size() || holders_[index].erase(holder) == 0) return Return::Foreign;
    return holders_[index].empty() ? Return::Free : Return::Held;
  }
  [[nodiscard]] uint32_t room() const {
    const auto blocks = static_cast<uint32_t>(holders_.size());
    uint32_t room = 0;
    while (room < blocks && holders_[(lent_ + room) % blocks].empty())
      ++room;
    return room;
  }

 private:
  std::set<BlockLedger::Holder> present_;
  std::vector<std::set<BlockLedger::Holder>> holders_;
  uint64_t lent_ = 0;
};

TEST(BlockLedger, IsItsSlowTwin) {
  std::mt19937 random(7);
  for (uint32_t blocks = 1; blocks <= 9; ++blocks) {
    BlockLedger ledger(blocks);
    Twin twin(blocks);
    for (int step = 0; step < 3000; ++step) {
      const BlockLedger::Holder holder = random() % 5;
      const auto index = static_cast<uint32_t>(random() % (blocks + 1));
      switch (random() % 12) {
        case 0: ledger.add(holder), twin.add(holder); break;
        case 1: EXPECT_EQ(ledger.remove(holder), twin.remove(holder)); break;
        case 2:
        case 3:
        case 4:
          if (ledger.room() > 0) ledger.lend(kNow), twin.lend();
          break;
        default: EXPECT_EQ(ledger.give_back(holder, index), twin.give_back(holder, index));
      }
      ASSERT_EQ(ledger.room(), twin.room()) << blocks << " blocks, step " << step;
    }
  }
}

}  // namespace
}  // namespace clerk
