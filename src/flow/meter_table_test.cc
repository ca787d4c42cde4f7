#include "flow/meter_table.h"

#include <gtest/gtest.h>

#include <map>

#include "base/keyed_hash.h"
#include "flow/flow_test_support.h"

namespace clerk {
namespace {

using Table = MeterTable<Ipv4Key>;

Ipv4Key key_of(uint16_t number) {
  return {.source = {10, 0, 0, 1},
          .destination = {10, 0, 0, 2},
          .tail = {.source_port = number, .protocol = 17}};
}

TEST(MeterTable, FindsWhatWasInsertedAndNothingElse) {
  const KeyedHash hash;
  Table table(16);
  const Ipv4Key key = key_of(1);
  const auto inserted = table.find_or_insert(key, hash(key));
  EXPECT_TRUE(inserted.is_new);
  EXPECT_EQ(inserted.entry->key, key);
  EXPECT_EQ(inserted.entry->hash, hash(key));
  const auto found = table.find_or_insert(key, hash(key));
  EXPECT_FALSE(found.is_new);
  EXPECT_EQ(found.entry, inserted.entry);
  EXPECT_TRUE(table.find_or_insert(key_of(2), hash(key_of(2))).is_new);
}

TEST(MeterTable, TellsKeysOfOneHashApart) {
  Table table(8);
  for (uint16_t i = 0; i < 8; ++i)
    EXPECT_TRUE(table.find_or_insert(key_of(i), 42).is_new);
  for (uint16_t i = 0; i < 8; ++i)
    EXPECT_EQ(table.find_or_insert(key_of(i), 42).entry->key, key_of(i));
}

TEST(MeterTable, AFullTableFindsItsEntriesAndTakesNoMore) {
  const KeyedHash hash;
  Table table(8);
  for (uint16_t i = 0; i < 8; ++i)
    table.find_or_insert(key_of(i), hash(key_of(i)));
  EXPECT_EQ(table.room(), 0U);
  EXPECT_EQ(table.find_or_insert(key_of(8), hash(key_of(8))).entry, nullptr);
  EXPECT_EQ(table.supersede(key_of(3), hash(key_of(3))).entry, nullptr);
  EXPECT_EQ(table.find_or_insert(key_of(3), hash(key_of(3))).entry->key, key_of(3));
}

TEST(MeterTable, ANewerEntryIsFoundInsteadOfTheOneItSupersedes) {
  const KeyedHash hash;
  Table table(8);
  const Ipv4Key key = key_of(1);
  auto* older = table.find_or_insert(key, hash(key)).entry;
  auto* newer = table.supersede(key, hash(key)).entry;
  EXPECT_NE(older, newer);
  EXPECT_EQ(table.find_or_insert(key, hash(key)).entry, newer);
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(&table[0], older);
  EXPECT_EQ(&table[1], newer);
}

TEST(MeterTable, AClearedTableForgetsForAsManyGenerationsAsThereAre) {
  constexpr uint32_t kGenerations = 1U << 24;
  Table table(2);
  constexpr uint64_t kHash = 1;  // the same slot and tag each time
  for (uint32_t i = 0; i < kGenerations + 2; ++i) {
    ASSERT_TRUE(table.find_or_insert(key_of(1), kHash).is_new) << "generation " << i;
    ASSERT_FALSE(table.find_or_insert(key_of(1), kHash).is_new) << "generation " << i;
    table.clear();
    ASSERT_EQ(table.size(), 0U);
  }
}

// The table against a map, with keys drawn from a few hundred: lookups, supersessions, full tables
// and clears in every order. The hash has only a few bits, so that slots collide.
TEST(MeterTable, DoesWhatAMapDoes) {
  constexpr uint32_t kCapacity = 128;
  Dice dice(1);
  const KeyedHash hash;
  Table table(kCapacity);
  std::map<uint16_t, uint32_t> newest;  // key to entry number
  for (int i = 0; i < 200'000; ++i) {
    const auto number = static_cast<uint16_t>(dice.below(160));
    const Ipv4Key key = key_of(number);
    const uint64_t key_hash = hash(key) & 0xff0000000000001f;
    if (dice.one_in(500)) {
      table.clear();
      newest.clear();
    }
    const bool known = newest.contains(number);
    const bool full = table.size() == kCapacity;
    const bool supersedes = known && dice.one_in(20);
    const auto found =
        supersedes ? table.supersede(key, key_hash) : table.find_or_insert(key, key_hash);
    if (full && (supersedes || !known)) {
      ASSERT_EQ(found.entry, nullptr);
      continue;
    }
    ASSERT_EQ(found.is_new, supersedes || !known);
    if (found.is_new) newest[number] = table.size() - 1;
    ASSERT_EQ(found.entry, &table[newest.at(number)]);
    ASSERT_EQ(found.entry->key, key);
  }
}

}  // namespace
}  // namespace clerk
