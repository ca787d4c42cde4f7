// The clock of a pcapng interface: what its packets' times, counts of units of its own, mean.
#pragma once

#include <cstdint>

namespace clerk {

struct InterfaceClock {
  // One unit is 10^-exponent seconds, or 2^-exponent; by default a microsecond.
  bool binary_exponent = false;
  uint8_t exponent = 6;  // at most 127
  int64_t offset_seconds = 0;

  // Nanoseconds since 1970, rounded down; kTimeEnd for a time before that or too late to be told.
  [[nodiscard]] uint64_t time_ns(uint64_t units) const;
};

}  // namespace clerk
