// The records that the ledger holds, of all kinds: fixed capacity, records never move,
// memory of records not held is not touched.
//
// A record is one 64-octet line: the last 16 octets of its key and its counters. For IPv4, and
// without IP, that is the whole key; the first 24 octets of an IPv6 key lie in a parallel array
// that others never touch. So whatever the mix, one bound holds. Its shard's thread only.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/lazy_array.h"
#include "base/prefetch.h"
#include "flow/expiry.h"
#include "flow/flow_counters.h"
#include "flow/flow_key.h"
#include "flow/index_lists.h"

namespace clerk {

class RecordTable {
 public:
  static constexpr uint32_t kNone = IndexLists::kNone;

  // `horizon`: how many seconds away deadlines are, at most.
  RecordTable(uint32_t capacity, uint32_t horizon)
      : hot_(capacity), cold_(capacity), order_(capacity, kLists), wheel_(capacity, horizon) {}

  // Begins a record. There must be room. It is in no bucket of the wheel yet.
  template <typename Key>
  uint32_t open(const Key& key, const FlowCounters& counters) {
    const uint32_t record = take_free();
    store_key(record, key);
    hot_[record].counters = counters;
    hot_[record].counters.marks |= mark_of(Key::kKind);
    order_.push_back(kHeld, record);
    ++held_;
    return record;
  }

  // Ends a record that is in no bucket of the wheel.
  void close(uint32_t record) {
    order_.remove(record);
    order_.push_back(kFree, record);
    --held_;
  }

  [[nodiscard]] FlowKind kind(uint32_t record) const {
    return static_cast<FlowKind>((hot_[record].counters.marks & kKindMask) >> mark::kKindShift);
  }

  template <typename Key>
  [[nodiscard]] bool has_key(uint32_t record, const Key& key) const {
    constexpr size_t kBegin = sizeof(Key) - kKeyEnd;
    const auto* octets = reinterpret_cast<const uint8_t*>(&key);
    return kind(record) == Key::kKind &&
           std::memcmp(hot_[record].key_end.data(), octets + kBegin, kKeyEnd) == 0 &&
           (kBegin == 0 || std::memcmp(cold_[record].key_begin.data(), octets, kBegin) == 0);
  }

  // The record's kind must be the key's.
  template <typename Key>
  [[nodiscard]] Key key(uint32_t record) const {
    constexpr size_t kBegin = sizeof(Key) - kKeyEnd;
    Key key;
    auto* octets = reinterpret_cast<uint8_t*>(&key);
    std::memcpy(octets + kBegin, hot_[record].key_end.data(), kKeyEnd);
    if constexpr (kBegin > 0) std::memcpy(octets, cold_[record].key_begin.data(), kBegin);
    return key;
  }

  FlowCounters& counters(uint32_t record) { return hot_[record].counters; }
  [[nodiscard]] const FlowCounters& counters(uint32_t record) const {
    return hot_[record].counters;
  }
  // Fetches what a record with a key of this type has.
  template <typename Key>
  CLERK_ALWAYS_INLINE void prefetch(uint32_t record) const {
    prefetch_for_write(&hot_[record]);
    if constexpr (sizeof(Key) > kKeyEnd) prefetch_for_write(&cold_[record]);
  }

  // Held records in the order in which they were opened.
  [[nodiscard]] uint32_t oldest() const { return order_.front(kHeld); }
  [[nodiscard]] uint32_t next(uint32_t record) const { return order_.next(record); }

  [[nodiscard]] uint32_t held() const { return held_; }
  ExpiryWheel& wheel() { return wheel_; }
  [[nodiscard]] const ExpiryWheel& wheel() const { return wheel_; }

  // What a table of this capacity may occupy.
  static constexpr size_t octets(uint32_t capacity) {
    return capacity * (sizeof(Hot) + sizeof(Cold) + 2 * IndexLists::kOctetsPerIndex);
  }

 private:
  static constexpr size_t kKeyEnd = 16;

  static constexpr uint8_t mark_of(FlowKind kind) {
    return static_cast<uint8_t>(std::to_underlying(kind) << mark::kKindShift);
  }
  static constexpr uint8_t kKindMask = 3 << mark::kKindShift;

  struct Hot {
    std::array<uint8_t, kKeyEnd> key_end;
    FlowCounters counters;
  };
  static_assert(sizeof(Hot) == 64 && sizeof(Ipv4Key) == kKeyEnd && sizeof(LinkKey) == kKeyEnd);

  struct Cold {
    std::array<uint8_t, sizeof(Ipv6Key) - kKeyEnd> key_begin;
  };

  // The lists of order_.
  static constexpr uint32_t kHeld = 0;
  static constexpr uint32_t kFree = 1;
  static constexpr uint32_t kLists = 2;

  uint32_t take_free() {
    const uint32_t record = order_.front(kFree);
    if (record != kNone) {
      order_.remove(record);
      return record;
    }
    CHECK(touched_ < hot_.size());
    return touched_++;
  }

  template <typename Key>
  void store_key(uint32_t record, const Key& key) {
    constexpr size_t kBegin = sizeof(Key) - kKeyEnd;
    const auto* octets = reinterpret_cast<const uint8_t*>(&key);
    std::memcpy(hot_[record].key_end.data(), octets + kBegin, kKeyEnd);
    if constexpr (kBegin > 0) std::memcpy(cold_[record].key_begin.data(), octets, kBegin);
  }

  LazyArray<Hot> hot_;
  LazyArray<Cold> cold_;
  IndexLists order_;
  ExpiryWheel wheel_;
  uint32_t touched_ = 0;
  uint32_t held_ = 0;
};

}  // namespace clerk
