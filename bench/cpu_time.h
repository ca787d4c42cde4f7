// User and system time of this process so far, in nanoseconds: what getrusage(2) says.
#pragma once

#include <sys/resource.h>

#include <cstdint>

namespace clerk::bench {

inline std::uint64_t cpu_time_ns() {
  const auto nanoseconds = [](const timeval& time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_usec) * 1000;
  };
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime);
}

}  // namespace clerk::bench
