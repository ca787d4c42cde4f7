// The clock whose whole seconds are the ticks of the program. The packets of a file drive it, and
// it stands at the highest time seen so far; live, the wall clock drives it.
//
// A step back beyond the idle timeout (an older second file, a corrected clock) restarts it; after
// a smaller one it stands still until time has caught up. A step forward is believed, and counted
// when it is longer than the idle timeout. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace clerk {

class TickClock {
 public:
  enum class Step : uint8_t {
    None,     // still the same second, or a time older than the clock
    Forward,  // a later second has begun
    Jump,     // the same, more than the idle timeout later
    Restart,  // time went back beyond the idle timeout: a new beginning
  };

  explicit TickClock(uint64_t idle_timeout_ns) : idle_timeout_ns_(idle_timeout_ns) {}

  // What this time does to the clock. It is not moved yet.
  [[nodiscard]] Step step_to(uint64_t time_ns) const {
    if (time_ns < now_ns_) [[unlikely]] {
      return now_ns_ - time_ns > idle_timeout_ns_ ? Step::Restart : Step::None;
    }
    if (time_ns < next_mark_ns_) return Step::None;
    return time_ns - now_ns_ > idle_timeout_ns_ ? Step::Jump : Step::Forward;
  }

  // Moves the clock to this time, as step_to() said.
  void move_to(uint64_t time_ns, Step step) {
    if (time_ns > now_ns_ || step == Step::Restart) now_ns_ = time_ns;
    if (step == Step::None) return;
    second_ = whole_seconds(now_ns_);
    next_mark_ns_ = (uint64_t{second_} + 1) * kNanosecondsPerSecond;
  }

  // Sets the clock for the first time.
  void start(uint64_t time_ns) {
    started_ = true;
    move_to(time_ns, Step::Restart);
  }

  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] uint64_t now_ns() const { return now_ns_; }
  [[nodiscard]] uint32_t second() const { return second_; }
  // Before this time nothing but a step back moves the clock to another second.
  [[nodiscard]] uint64_t next_mark_ns() const { return next_mark_ns_; }

 private:
  uint64_t idle_timeout_ns_;
  bool started_ = false;
  uint64_t now_ns_ = 0;
  uint32_t second_ = 0;
  uint64_t next_mark_ns_ = 0;
};

}  // namespace clerk
