#include "base/lazy_array.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

namespace clerk {
namespace {

TEST(LazyArray, BeginsWithZeros) {
  LazyArray<uint64_t> array(10'000);
  ASSERT_EQ(array.size(), 10'000U);
  for (size_t i = 0; i < array.size(); ++i)
    ASSERT_EQ(array[i], 0U);
}

TEST(LazyArray, KeepsWhatIsWritten) {
  LazyArray<uint32_t> array(5000);
  for (uint32_t i = 0; i < 5000; ++i)
    array[i] = i * 3;
  const LazyArray<uint32_t>& same = array;
  for (uint32_t i = 0; i < 5000; ++i)
    ASSERT_EQ(same[i], i * 3);
  EXPECT_EQ(same.data(), &same[0]);
}

TEST(LazyArray, ALargeBoundCostsNothingUntilItIsTouched) {
  constexpr size_t kSize = size_t{1} << 34;  // 128 GiB
  LazyArray<uint64_t> array(kSize);
  array[kSize - 1] = 1;
  array[0] = 2;
  EXPECT_EQ(array[kSize - 1], 1U);
  EXPECT_EQ(array[kSize / 2], 0U);
}

TEST(LazyArray, ThrowsWhenTheAddressSpaceIsRefused) {
  EXPECT_THROW(LazyArray<uint64_t>(size_t{1} << 59), std::bad_alloc);
}

TEST(LazyArray, MovesWithoutMovingItsContents) {
  LazyArray<int> array(10);
  array[3] = 7;
  const int* at = array.data();
  const LazyArray<int> moved(std::move(array));
  EXPECT_EQ(moved.data(), at);
  EXPECT_EQ(moved[3], 7);
}

TEST(LazyArray, MayBeEmpty) { EXPECT_EQ(LazyArray<int>(0).size(), 0U); }

}  // namespace
}  // namespace clerk
