// Reading the tables of a delta as one list, in the order of first packets: the order in which
// records are opened and evicted.
//
// A cursor stands before an entry of one table; ordinal() is that of the entry, or kWalkEnd.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/prefetch.h"
#include "base/time.h"
#include "decode/wire.h"
#include "flow/expiry.h"
#include "flow/flow_counters.h"
#include "flow/meter_table.h"

namespace clerk {

inline constexpr uint64_t kWalkEnd = UINT64_MAX;

// Where a delta stands among those of a run.
struct DeltaPlace {
  uint32_t second = 0;          // of the clock, while its packets came
  uint64_t packets_before = 0;  // received before it
};

// What is added to a record for this entry.
template <typename Key>
FlowCounters counters_of(const MeterEntry<Key>& entry, const DeltaPlace& place) {
  constexpr uint8_t kEnds = wire::tcp_flag::kFin | wire::tcp_flag::kRst;
  // A live delta may hold the first packets of the next second too.
  const auto end_second = [&] {
    return std::clamp(whole_seconds(entry.last_ns), place.second, place.second + 1) + 1 + kEndTicks;
  };
  const bool ends = (entry.tcp_flags & kEnds) != 0;
  return {.octets = entry.octets,
          .packets = entry.packets,
          .first_ns = entry.first_ns,
          .last_ns = entry.last_ns,
          .ordinal = place.packets_before + entry.ordinal,
          .end_second = ends ? end_second() : FlowCounters::kNotEnded,
          .tcp_flags = entry.tcp_flags,
          .tos = entry.tos,
          .marks = entry.marks};
}

// All entries of a table.
template <typename Key>
class TableCursor {
 public:
  explicit TableCursor(const MeterTable<Key>& table) : table_(table) {}

  [[nodiscard]] uint64_t ordinal() const {
    return at_ < table_.size() ? table_[at_].ordinal : kWalkEnd;
  }
  [[nodiscard]] const MeterEntry<Key>& entry() const { return table_[at_]; }
  // The entry this many further on, or none.
  [[nodiscard]] const MeterEntry<Key>* ahead(uint32_t entries) const {
    return at_ + entries < table_.size() ? &table_[at_ + entries] : nullptr;
  }
  void advance() { ++at_; }

 private:
  const MeterTable<Key>& table_;
  uint32_t at_ = 0;
};

// Calls take(cursor) with the cursor that stands before the first of all entries, which take()
// advances, until all are at their end. No two tables of a delta have the same ordinal; where other
// lists have, the cursor named first comes first.
template <typename Take, typename... Cursor>
CLERK_ALWAYS_INLINE void walk_in_order(Take take, Cursor... cursors) {
  for (;;) {
    const uint64_t first = std::min({cursors.ordinal()...});
    if (first == kWalkEnd) return;
    const auto take_if_first = [&](auto& cursor) {
      if (cursor.ordinal() != first) return false;
      take(cursor);
      return true;
    };
    static_cast<void>((take_if_first(cursors) || ...));
  }
}

}  // namespace clerk
