#include "base/big_endian.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace clerk {
namespace {

using Octets = std::array<uint8_t, 8>;

TEST(BigEndian, StoresTheMostSignificantOctetFirst) {
  Octets octets{};
  uint8_t* end = store_big_endian<uint32_t>(octets.data(), 0x01020304);
  end = store_big_endian<uint16_t>(end, 0x0506);
  end = store_big_endian<uint8_t>(end, 0x07);
  EXPECT_EQ(octets, (Octets{1, 2, 3, 4, 5, 6, 7, 0}));
  EXPECT_EQ(end, octets.data() + 7);
}

TEST(BigEndian, LoadsAtAnyAlignment) {
  const Octets octets{0xff, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(load_big_endian<uint8_t>(octets.data()), 0xff);
  EXPECT_EQ(load_big_endian<uint16_t>(octets.data() + 1), 0x0102);
  EXPECT_EQ(load_big_endian<uint32_t>(octets.data() + 3), 0x03040506U);
  EXPECT_EQ(load_big_endian<uint64_t>(octets.data()), 0xff01020304050607U);
}

template <std::unsigned_integral T>
T slow_load(const uint8_t* from) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value = value << 8 | from[i];
  return static_cast<T>(value);
}

template <std::unsigned_integral T>
void expect_round_trip(uint64_t bits) {
  Octets octets{};
  const auto value = static_cast<T>(bits);
  store_big_endian(octets.data(), value);
  ASSERT_EQ(slow_load<T>(octets.data()), value);
  ASSERT_EQ(load_big_endian<T>(octets.data()), value);
}

TEST(BigEndian, DoesWhatALoopOverTheOctetsDoes) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t bits = random();
    expect_round_trip<uint8_t>(bits);
    expect_round_trip<uint16_t>(bits);
    expect_round_trip<uint32_t>(bits);
    expect_round_trip<uint64_t>(bits);
  }
}

}  // namespace
}  // namespace clerk
