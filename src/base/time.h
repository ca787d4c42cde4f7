// Time as clerk counts it: unsigned nanoseconds since 1970-01-01 00:00 UTC, and whole seconds of
// the same.
//
// The packet clock, the flow records and the IPFIX Export Time all use these two units. Seconds fit
// 32 bits because the Export Time of RFC 7011 section 3.1 does.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace clerk {

inline constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;

// The first instant that clerk does not count at, in nanoseconds: a packet at or behind it has no
// usable time. It is a day and a half before 32-bit seconds end, in February 2106, so that every
// deadline fits them too.
inline constexpr uint64_t kTimeEnd =
    ((uint64_t{1} << 32) - (uint64_t{1} << 17)) * kNanosecondsPerSecond;

[[nodiscard]] constexpr uint32_t whole_seconds(uint64_t time_ns) {
  return static_cast<uint32_t>(time_ns / kNanosecondsPerSecond);
}

// The system's wall clock, in nanoseconds since 1970. It can be set, back and forth.
[[nodiscard]] uint64_t wall_clock_ns();

// "2023-11-14T22:13:20.123456789Z" and no terminating zero.
inline constexpr size_t kTimeTextSize = 30;

// Writes `time_ns` as RFC 3339 UTC with nine decimals into `buffer` and returns a view of it.
std::string_view format_time(uint64_t time_ns, std::array<char, kTimeTextSize>& buffer);

}  // namespace clerk
