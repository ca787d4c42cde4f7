// Times as IPFIX writes them (RFC 7011 section 6.1).
//
// dateTimeMilliseconds counts milliseconds since 1970. dateTimeMicroseconds and dateTimeNanoseconds
// are the 64-bit NTP format: seconds since 1900, then a fraction in units of 2^-32 seconds; the
// former has the fraction's low eleven bits zero.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace clerk::ipfix {

enum class TimeUnit : uint8_t { Nanoseconds, Microseconds, Milliseconds };

inline constexpr uint64_t kNtpSecondsAt1970 = 2'208'988'800;  // RFC 868
inline constexpr unsigned kMicrosecondZeroBits = 11;

// Rounded to the nearest fraction, so that rounding back gives the same nanosecond. The seconds
// wrap in 2036 as RFC 7011 section 6.1.9 has it.
[[nodiscard]] constexpr uint64_t to_ntp_nanoseconds(uint64_t time_ns) {
  const uint64_t seconds = time_ns / kNanosecondsPerSecond + kNtpSecondsAt1970;
  const uint64_t rest = time_ns % kNanosecondsPerSecond;
  const uint64_t fraction = ((rest << 32) + kNanosecondsPerSecond / 2) / kNanosecondsPerSecond;
  return seconds << 32 | fraction;
}

// Whole microseconds, rounded up to a multiple of 2^11: a step is less than half a microsecond, so
// that readers that round and readers that cut off both get the same microsecond.
[[nodiscard]] constexpr uint64_t to_ntp_microseconds(uint64_t time_ns) {
  constexpr uint64_t kMicrosecondsPerSecond = 1'000'000;
  constexpr unsigned kStepBits = 32 - kMicrosecondZeroBits;
  const uint64_t seconds = time_ns / kNanosecondsPerSecond + kNtpSecondsAt1970;
  const uint64_t rest = time_ns % kNanosecondsPerSecond / 1000;
  const uint64_t steps =
      ((rest << kStepBits) + kMicrosecondsPerSecond - 1) / kMicrosecondsPerSecond;
  return seconds << 32 | steps << kMicrosecondZeroBits;
}

[[nodiscard]] constexpr uint64_t encode_time(uint64_t time_ns, TimeUnit unit) {
  switch (unit) {
    case TimeUnit::Nanoseconds: return to_ntp_nanoseconds(time_ns);
    case TimeUnit::Microseconds: return to_ntp_microseconds(time_ns);
    case TimeUnit::Milliseconds: break;
  }
  return time_ns / 1'000'000;
}

}  // namespace clerk::ipfix
