#include "base/keyed_hash.h"

#include <gtest/gtest.h>

#include <set>

namespace clerk {
namespace {

TEST(KeyedHash, AgreesWithItselfAndItsCopies) {
  const KeyedHash hash;
  const KeyedHash copy = hash;
  for (uint64_t value = 0; value < 100; ++value)
    EXPECT_EQ(hash(value), copy(value));
}

TEST(KeyedHash, HasASecretOfItsOwn) {
  const KeyedHash one;
  const KeyedHash other;
  size_t equal = 0;
  for (uint64_t value = 0; value < 100; ++value)
    equal += one(value) == other(value) ? 1U : 0U;
  EXPECT_EQ(equal, 0U);
}

TEST(KeyedHash, SpreadsNeighboursOverAllBits) {
  constexpr uint64_t kValues = 4096;
  const KeyedHash hash;
  std::set<uint64_t> high;
  std::set<uint64_t> low;
  for (uint64_t value = 0; value < kValues; ++value) {
    high.insert(hash(value) >> 48);
    low.insert(hash(value) & 0xffff);
  }
  // Of 4096 throws at 65536 places about 3970 are different; far fewer would be no accident.
  EXPECT_GT(high.size(), 3800U);
  EXPECT_GT(low.size(), 3800U);
}

}  // namespace
}  // namespace clerk
