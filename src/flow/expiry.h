// When a held record is reported, and the wheel that finds the ones due without looking at the
// others.
//
// The wheel has one bucket a second. It is lazy: packets that postpone a deadline do not move the
// record; when its bucket comes up, the record is looked at and put where it now belongs. Only a
// deadline that comes closer moves it at once. So the cost of a tick follows the records due and
// those that lived on, each about once an idle timeout. Its shard's thread only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"
#include "flow/flow_counters.h"
#include "flow/flow_record.h"
#include "flow/index_lists.h"

namespace clerk {

// A flow's end is reported two ticks behind the delta that brought it, so that the last packets of
// the connection fall into the same record.
inline constexpr uint32_t kEndTicks = 2;

struct Timeouts {
  uint64_t idle_ns;
  uint64_t active_ns;
};

// The first tick at which the record is due. A flow that was seen to end is due when its trailing
// packets have had their time, whatever the timeouts say.
[[nodiscard]] inline uint32_t due_second(const FlowCounters& counters, const Timeouts& timeouts) {
  if (counters.ended()) return counters.end_second;
  const uint64_t due_ns =
      std::min(counters.last_ns + timeouts.idle_ns, counters.first_ns + timeouts.active_ns);
  return whole_seconds(due_ns + kNanosecondsPerSecond - 1);  // fits: see kTimeEnd
}

// How far away a deadline may be, in whole seconds: no further than the sooner of the two timeouts,
// or than the time that an ended flow is given, for packets a second ahead of the clock at most.
[[nodiscard]] inline uint32_t horizon_of(const Timeouts& timeouts) {
  return std::max(whole_seconds(std::min(timeouts.idle_ns, timeouts.active_ns)), 1 + kEndTicks) + 1;
}

// Whether all packets of the record lie in the clock's future: a live clock was set back, and the
// record holds packets that came behind the others of the old time. Its deadline may be years away.
[[nodiscard]] inline bool is_ahead_of_clock(const FlowCounters& counters, uint32_t second) {
  return counters.first_ns >= (uint64_t{second} + 2) * kNanosecondsPerSecond;
}

// Why a record that is due at this tick is reported: the first that applies of end, active, idle.
[[nodiscard]] inline EndReason due_reason(const FlowCounters& counters, const Timeouts& timeouts,
                                          uint32_t second) {
  if (counters.ended()) return EndReason::EndDetected;
  const bool active = counters.first_ns + timeouts.active_ns <= second * kNanosecondsPerSecond;
  return active ? EndReason::ActiveTimeout : EndReason::IdleTimeout;
}

class ExpiryWheel {
 public:
  // Deadlines are at most `horizon` seconds away; one further away is looked at once each horizon.
  ExpiryWheel(uint32_t records, uint32_t horizon)
      : bucket_count_(horizon + 2), buckets_(records, bucket_count_) {}

  // `next_mark` is the next tick that will be taken; no record is due before it.
  void add(uint32_t record, uint32_t due, uint32_t next_mark) {
    const uint32_t in = due <= next_mark ? 0 : std::min(due - next_mark, bucket_count_ - 1);
    buckets_.push_back((next_mark + in) % bucket_count_, record);
  }

  void remove(uint32_t record) { buckets_.remove(record); }

  [[nodiscard]] bool is_empty(uint32_t second) const {
    return buckets_.front(second % bucket_count_) == IndexLists::kNone;
  }

  // Takes a record out of the bucket of this tick, or kNone when it is empty. Records that turn out
  // to be due later are added again.
  uint32_t take(uint32_t second) {
    const uint32_t record = buckets_.front(second % bucket_count_);
    if (record != IndexLists::kNone) buckets_.remove(record);
    return record;
  }

 private:
  uint32_t bucket_count_;
  IndexLists buckets_;
};

}  // namespace clerk
