// Finds the held record of a flow key: from a hash to a record number.
//
// Lines of 64 octets hold seven record numbers with 32 bits of hash each. A line that is full sends
// further ones to the next line and counts them, so that a search knows when to stop and a removal
// moves nothing.
//
//   line   tag 4 x 7 | record 4 x 7 | overflow 4 | in use 4
//
// The directory begins small and doubles when its owner, who alone knows the hashes of all records,
// says so; memory beyond the lines in use is not touched. At its largest it has room for
// `records_max` records and is then at least 28 % empty. Its shard's thread only.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "base/lazy_array.h"
#include "base/prefetch.h"

namespace clerk {

class FlowDirectory {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit FlowDirectory(uint32_t records_max)
      : lines_(lines_for(records_max)), lines_in_use_(std::min(lines_.size(), kLinesAtStart)) {}

  // Whether lines begin to overflow and there is room to grow. The owner asks before each insert().
  [[nodiscard]] bool is_crowded() const {
    return records_ >= lines_in_use_ * kRecordsPerLine && lines_in_use_ < lines_.size();
  }

  // Doubles the lines in use and forgets all records: the caller inserts them again.
  void grow() {
    std::memset(lines_.data(), 0, lines_in_use_ * sizeof(Line));
    lines_in_use_ = std::min(lines_.size(), 2 * lines_in_use_);
    records_ = 0;
  }

  // The record of this hash that `matches` agrees to, or kNone.
  template <typename Matches>
  [[nodiscard]] uint32_t find(uint64_t hash, Matches matches) const {
    const uint32_t tag = tag_of(hash);
    for (size_t i = home(hash);; i = next(i)) {
      const Line& line = lines_[i];
      for (uint32_t slots = slots_with(line.tag, tag) & line.used; slots != 0; slots &= slots - 1) {
        const uint32_t record = line.record[std::countr_zero(slots)];
        if (matches(record)) return record;
      }
      if (line.overflow == 0) return kNone;
    }
  }

  // The record that a search for this hash will probably look at first, or kNone.
  [[nodiscard]] uint32_t guess(uint64_t hash) const {
    const Line& line = lines_[home(hash)];
    const uint32_t slots = slots_with(line.tag, tag_of(hash));
    return slots == 0 ? kNone : line.record[std::countr_zero(slots)];
  }

  CLERK_ALWAYS_INLINE void prefetch(uint64_t hash) const {
    prefetch_for_write(&lines_[home(hash)]);
  }

  void insert(uint64_t hash, uint32_t record) {
    ++records_;
    DCHECK(records_ <=
           lines_in_use_ * kSlots);  // with every line full the search for one would not end
    size_t i = home(hash);
    for (; lines_[i].used == kAllUsed; i = next(i))
      ++lines_[i].overflow;
    Line& line = lines_[i];
    const auto slot = static_cast<uint32_t>(std::countr_one(line.used));
    line.tag[slot] = tag_of(hash);
    line.record[slot] = record;
    line.used |= 1U << slot;
  }

  // The record must have been inserted under this hash. Inlined by force: each record that leaves
  // waits for its line from memory here, and the compiler gives up behind three kinds of keys.
  CLERK_ALWAYS_INLINE void remove(uint64_t hash, uint32_t record) {
    --records_;
    for (size_t i = home(hash);; i = next(i)) {
      Line& line = lines_[i];
      const uint32_t slots = slots_with(line.record, record) & line.used;
      if (slots != 0) {
        line.used &= ~slots;
        return;
      }
      CHECK(line.overflow > 0);
      --line.overflow;
    }
  }

  // What a directory for this many records may occupy.
  static constexpr size_t octets(uint32_t records_max) {
    return lines_for(records_max) * sizeof(Line);
  }

 private:
  static constexpr uint32_t kSlots = 7;
  static constexpr uint32_t kAllUsed = (1U << kSlots) - 1;
  static constexpr size_t kLinesAtStart = 4096;   // 256 KiB: they stay in a core's cache
  static constexpr uint32_t kRecordsPerLine = 5;  // at most, on average: few lines overflow

  struct Line {
    uint32_t tag[kSlots];
    uint32_t record[kSlots];
    uint32_t overflow;  // records that belong here and live in later lines
    uint32_t used;      // one bit for each slot
  };
  static_assert(sizeof(Line) == 64);

  static constexpr size_t lines_for(uint32_t records_max) {
    return records_max / kRecordsPerLine + 1;
  }

  // The low half of the hash, scaled to the number of lines; the tag is of the high half.
  [[nodiscard]] size_t home(uint64_t hash) const {
    return (hash & UINT32_MAX) * lines_in_use_ >> 32;
  }
  [[nodiscard]] size_t next(size_t line) const { return line + 1 == lines_in_use_ ? 0 : line + 1; }
  static uint32_t tag_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

  // One bit for each slot that has this value. All are compared: which one it is nobody can
  // predict.
  static uint32_t slots_with(const uint32_t (&values)[kSlots], uint32_t wanted) {
    uint32_t slots = 0;
    for (uint32_t slot = 0; slot < kSlots; ++slot)
      slots |= static_cast<uint32_t>(values[slot] == wanted) << slot;
    return slots;
  }

  LazyArray<Line> lines_;
  size_t lines_in_use_;
  size_t records_ = 0;
};

}  // namespace clerk
