#include "ipfix/timestamp.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace clerk::ipfix {
namespace {

constexpr uint64_t kSecond = kNanosecondsPerSecond;

struct Read {
  uint64_t seconds;  // since 1970
  uint64_t fraction;
};

// Seconds since 1900 modulo 2^32: from 2036 on they begin again.
Read read(uint64_t ntp) {
  return {static_cast<uint32_t>((ntp >> 32) - kNtpSecondsAt1970), ntp & UINT32_MAX};
}

uint64_t rounded(uint64_t ntp, uint64_t units) {
  const auto [seconds, fraction] = read(ntp);
  return seconds * units + ((fraction * units + (uint64_t{1} << 31)) >> 32);
}

uint64_t cut_off(uint64_t ntp, uint64_t units) {
  const auto [seconds, fraction] = read(ntp);
  return seconds * units + (fraction * units >> 32);
}

// The extremes, and as many others from a fixed seed.
std::vector<uint64_t> times() {
  constexpr size_t kRandomTimes = 100'000;
  std::vector<uint64_t> times{
      0, 1, 999, 1000, kSecond - 1, kSecond, kTimeEnd - 1, kTimeEnd - kSecond, kTimeEnd - 1000};
  const uint64_t era_1 = ((uint64_t{1} << 32) - kNtpSecondsAt1970) * kSecond;
  times.insert(times.end(), {era_1 - 1, era_1, era_1 + 1});
  std::mt19937_64 random(1);
  while (times.size() < kRandomTimes)
    times.push_back(random() % kTimeEnd);
  return times;
}

TEST(Timestamp, CountsFrom1900InTheNtpFormat) {
  EXPECT_EQ(to_ntp_nanoseconds(0), 2'208'988'800ULL << 32);
  EXPECT_EQ(to_ntp_nanoseconds(kSecond / 2), 2'208'988'800ULL << 32 | 0x80000000);
  EXPECT_EQ(to_ntp_microseconds(kSecond / 4), 2'208'988'800ULL << 32 | 0x40000000);
}

TEST(Timestamp, BeginsAgainIn2036) {
  const uint64_t era_1 = ((uint64_t{1} << 32) - kNtpSecondsAt1970) * kSecond;
  EXPECT_EQ(to_ntp_nanoseconds(era_1), 0U);
  EXPECT_EQ(to_ntp_nanoseconds(era_1 + 3 * kSecond), uint64_t{3} << 32);
  EXPECT_EQ(to_ntp_microseconds(era_1 + 3 * kSecond), uint64_t{3} << 32);
}

TEST(Timestamp, NanosecondsReadBackExactlyWhenRounded) {
  for (const uint64_t time_ns : times())
    ASSERT_EQ(rounded(to_ntp_nanoseconds(time_ns), 1'000'000'000), time_ns);
}

TEST(Timestamp, NanosecondsAreTheNearestFraction) {
  for (const uint64_t time_ns : times()) {
    const uint64_t exact = (time_ns % kSecond) << 32;  // the fraction, times 10^9
    const uint64_t written = (to_ntp_nanoseconds(time_ns) & UINT32_MAX) * kSecond;
    const uint64_t error = written > exact ? written - exact : exact - written;
    ASSERT_LE(error, kSecond / 2) << time_ns;
  }
}

TEST(Timestamp, MicrosecondsReadBackExactlyWhenRoundedAndWhenCutOff) {
  for (const uint64_t time_ns : times()) {
    const uint64_t written = to_ntp_microseconds(time_ns);
    ASSERT_EQ(rounded(written, 1'000'000), time_ns / 1000);
    ASSERT_EQ(cut_off(written, 1'000'000), time_ns / 1000);
  }
}

TEST(Timestamp, MicrosecondsLeaveTheLowElevenBitsZero) {
  for (const uint64_t time_ns : times())
    ASSERT_EQ(to_ntp_microseconds(time_ns) & 0x7ff, 0U);
}

TEST(Timestamp, MillisecondsCountFrom1970) {
  EXPECT_EQ(encode_time(1'700'000'000'123'999'999, TimeUnit::Milliseconds), 1'700'000'000'123U);
}

TEST(Timestamp, TheUnitChoosesTheEncoding) {
  constexpr uint64_t kTime = 1'700'000'000'123'456'789;
  EXPECT_EQ(encode_time(kTime, TimeUnit::Nanoseconds), to_ntp_nanoseconds(kTime));
  EXPECT_EQ(encode_time(kTime, TimeUnit::Microseconds), to_ntp_microseconds(kTime));
}

}  // namespace
}  // namespace clerk::ipfix
