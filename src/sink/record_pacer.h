// Spreads records over time, so that a collector's receive buffer is not overrun: bursts of up to
// one run of messages, with pauses between them. Sleeps. One thread at a time.
//
// A usual pace suits days like all others. When flows end in greater numbers, as at a live tick
// that ends many at once, it rises until those that wait have left, so that each leaves within
// kSpread of its release, before the next tick comes, and the queue before the sink stays short. A
// limit never rises.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace clerk {

struct RecordPace {
  enum class Kind : uint8_t {
    Limit,  // what the user set
    Usual,  // may rise
  };

  uint64_t records_per_second = 0;  // 0: not paced
  Kind kind = Kind::Limit;
};

class RecordPacer {
 public:
  using Clock = std::chrono::steady_clock;

  // In which time all that waits has left, where the pace may rise: before the next tick, with some
  // room for a thread that is kept waiting.
  static constexpr std::chrono::milliseconds kSpread{800};

  explicit RecordPacer(const RecordPace& pace)
      : pace_(pace), records_per_second_(pace.records_per_second) {}

  // So many records wait to leave; with none, the pace is the usual one again.
  void note_backlog(size_t records);

  // How many messages may leave at once, at least one, when each has so many records.
  [[nodiscard]] size_t burst_messages(uint32_t message_records) const;

  // Waits until a burst of this many records may leave.
  void wait(uint32_t records);

 private:
  // What leaves at once is at most what the pace allows in this time: 1000 records at 100,000 a
  // second, which are 44 messages. A receive buffer of 2 MiB has room for 900 of them, which the
  // kernel counts as 2304 octets each.
  static constexpr std::chrono::milliseconds kBurst{10};

  // It also bounds how often the thread sleeps.
  static constexpr std::chrono::milliseconds kSleepMin{2};

  // When the thread slept for longer than it had to, so much of it is made up for.
  static constexpr std::chrono::milliseconds kCredit{10};

  RecordPace pace_;
  uint64_t records_per_second_;     // as it is now
  Clock::time_point paid_until_{};  // when all records that left have been paid for
};

}  // namespace clerk
