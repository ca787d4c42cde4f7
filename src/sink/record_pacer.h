// Spreads records over time, so that a collector's receive buffer is not overrun. Sleeps. One
// thread at a time.
#pragma once

#include <chrono>
#include <cstdint>

namespace clerk {

class RecordPacer {
 public:
  // 0 does not pace.
  explicit RecordPacer(uint64_t records_per_second) : records_per_second_(records_per_second) {}

  // Waits until a message of this many records may leave.
  void wait(uint32_t records);

 private:
  using Clock = std::chrono::steady_clock;

  // After a pause this much may leave at once. It also bounds how often the thread sleeps.
  static constexpr Clock::duration kBurst = std::chrono::milliseconds(2);

  uint64_t records_per_second_;
  Clock::time_point paid_until_{};  // when all records that left have been paid for
};

}  // namespace clerk
