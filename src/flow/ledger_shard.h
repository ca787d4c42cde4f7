// The flow records of the ledger, or of a part of it: adds counts to them, finds those that are due
// and releases them.
//
// The ledger has one shard on its own thread, or several, each on a thread of its own, which divide
// the flows by their hash. One thread. Memory is bounded by `flows_max`; when that many records are
// held, the one opened first makes room. Of several shards none is filled so far: those that make
// room are the oldest of all, which the ledger finds by their ages.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>

#include "base/keyed_hash.h"
#include "base/lazy_array.h"
#include "base/prefetch.h"
#include "flow/delta_walk.h"
#include "flow/flow_directory.h"
#include "flow/flow_record.h"
#include "flow/ledger_observer.h"
#include "flow/record_table.h"
#include "flow/released_records.h"

namespace clerk {

struct ShardCounts {
  uint64_t flows_created = 0;
  uint64_t records_exported = 0;
  uint64_t packets_exported = 0;
  uint64_t octets_exported = 0;

  ShardCounts& operator+=(const ShardCounts& other) {
    flows_created += other.flows_created;
    records_exported += other.records_exported;
    packets_exported += other.packets_exported;
    octets_exported += other.octets_exported;
    return *this;
  }
};

class LedgerShard {
 public:
  // The hash outlives the shard.
  LedgerShard(uint32_t flows_max, const Timeouts& timeouts, const KeyedHash& hash,
              ReleasedRecords released);

  // What is added from now on comes before this tick.
  void set_next_mark(uint32_t second) { next_mark_ = second; }

  template <typename Key>
  void add(const Key& key, uint64_t hash, const FlowCounters& counters);

  // Fetches what entries some way ahead of the cursor will need. Inlined by force, see prefetch.h.
  template <typename Cursor>
  CLERK_ALWAYS_INLINE void prefetch(const Cursor& cursor) const;

  // Releases the records that are due, in the order of their first packets, and hands over what
  // there is. False when there is nothing.
  bool tick(uint32_t second);

  // Whether tick() might find something to do: what is due is looked at at its tick and not before.
  [[nodiscard]] bool may_be_due(uint32_t second) const {
    return !records_.wheel().is_empty(second) || !released_.empty();
  }

  // Releases all that is held, with reason forced end unless the flow was seen to end.
  void release_all();

  // The order in which records make room, whatever shards they are in: by the turn at which they
  // were opened, and where several were, by their first packets.
  struct Age {
    uint64_t turn = 0;
    uint64_t ordinal = 0;

    friend auto operator<=>(const Age&, const Age&) = default;
  };

  // Remembers the turn of each record that is opened from now on.
  void remember_turns() { turns_.emplace(flows_max_); }
  // What is added now is the ledger's turn of this number, which never goes back.
  void set_turn(uint64_t turn) { turn_ = turn; }

  // Lists the oldest records, in that order: so many, if there are, and all of one turn or none.
  // Until tick() or release_all().
  void list_oldest(uint32_t records);
  [[nodiscard]] uint32_t listed() const { return due_count_; }
  [[nodiscard]] Age listed_age(uint32_t i) const {
    return {.turn = (*turns_)[due_[i].record], .ordinal = due_[i].ordinal};
  }
  // Releases the first so many of the list.
  void evict_listed(uint32_t records);

  // Hands over what was evicted.
  void hand_over() { released_.hand_over(); }

  // Tells of everything from now on. The observer outlives the shard.
  void tell(const LedgerObserver& observer) { observer_ = &observer; }

  [[nodiscard]] const ShardCounts& counts() const { return counts_; }
  [[nodiscard]] uint32_t held() const { return records_.held(); }
  // Whether nothing is held, and nothing waits to be handed over.
  [[nodiscard]] bool is_idle() const { return held() == 0 && released_.empty(); }

  // Adds what is held. Looks at everything: for checks.
  void add_held_to(uint64_t& packets, uint64_t& octets) const;

  // What a shard of this size may occupy, and what its memory of turns adds.
  static size_t octets(uint32_t flows_max);
  static size_t turns_octets(uint32_t flows_max) { return flows_max * sizeof(uint64_t); }

 private:
  struct Due {
    uint64_t ordinal;
    uint32_t record;
    EndReason reason;
  };

  // How many entries ahead the directory's lines and then the records are fetched.
  static constexpr uint32_t kPrefetchLine = 16;
  static constexpr uint32_t kPrefetchRecord = 8;

  template <typename Key>
  uint32_t add_to_record(const Key& key, uint64_t hash, const FlowCounters& counters);
  template <typename Key>
  uint32_t open(const Key& key, uint64_t hash, const FlowCounters& counters);
  template <typename Key>
  CLERK_ALWAYS_INLINE void prefetch_record(const MeterEntry<Key>& entry) const;
  void grow_directory();
  [[nodiscard]] uint64_t hash_of(uint32_t record) const;
  [[nodiscard]] bool is_superseded(uint32_t record) const {
    return (records_.counters(record).marks & mark::kSuperseded) != 0;
  }

  void add_due(uint32_t record, EndReason reason);
  void collect_due(uint32_t second);
  void judge(uint32_t record, uint32_t second);
  void collect_all();
  [[nodiscard]] EndReason eviction_reason(uint32_t record) const;
  void evict_oldest();
  void release_due();
  void release_batch(std::span<const Due> batch);
  void release(uint32_t record, EndReason reason, uint64_t hash);
  template <typename Key>
  void release_as(uint32_t record, EndReason reason, uint64_t hash);

  uint32_t flows_max_;
  Timeouts timeouts_;
  const KeyedHash& hash_;
  ReleasedRecords released_;
  const LedgerObserver* observer_ = nullptr;  // mostly nobody
  FlowDirectory directory_;
  RecordTable records_;
  uint32_t next_mark_ = 1;
  LazyArray<Due> due_;  // the first due_count_ of them; never more than records are held
  uint32_t due_count_ = 0;
  std::optional<LazyArray<uint64_t>> turns_;  // by record; only of several shards
  uint64_t turn_ = 0;
  ShardCounts counts_;
};

template <typename Key>
inline void LedgerShard::add(const Key& key, uint64_t hash, const FlowCounters& counters) {
  const uint32_t record = add_to_record(key, hash, counters);
  if (observer_ != nullptr) [[unlikely]]
    observer_->counted(counters.ordinal, record);
}

// Returns the record, which may be a new one.
template <typename Key>
uint32_t LedgerShard::add_to_record(const Key& key, uint64_t hash, const FlowCounters& counters) {
  const uint32_t record =
      directory_.find(hash, [&](uint32_t candidate) { return records_.has_key(candidate, key); });
  if (record == FlowDirectory::kNone) return open(key, hash, counters);
  FlowCounters& held = records_.counters(record);
  if ((counters.marks & mark::kSynOpened) != 0 && held.ended()) {
    held.marks |= mark::kSuperseded;  // it stays held until it is due
    directory_.remove(hash, record);
    return open(key, hash, counters);
  }
  const bool due_sooner =
      counters.first_ns < held.first_ns || counters.end_second < held.end_second;
  held.add(counters);
  if (due_sooner) {
    records_.wheel().remove(record);
    records_.wheel().add(record, due_second(held, timeouts_), next_mark_);
  }
  return record;
}

template <typename Key>
uint32_t LedgerShard::open(const Key& key, uint64_t hash, const FlowCounters& counters) {
  if (records_.held() == flows_max_) evict_oldest();
  if (directory_.is_crowded()) grow_directory();
  const uint32_t record = records_.open(key, counters);
  directory_.insert(hash, record);
  records_.wheel().add(record, due_second(counters, timeouts_), next_mark_);
  if (turns_) (*turns_)[record] = turn_;
  ++counts_.flows_created;
  return record;
}

template <typename Cursor>
CLERK_ALWAYS_INLINE void LedgerShard::prefetch(const Cursor& cursor) const {
  if (const auto* entry = cursor.ahead(kPrefetchLine)) directory_.prefetch(entry->hash);
  if (const auto* entry = cursor.ahead(kPrefetchRecord)) prefetch_record(*entry);
}

template <typename Key>
CLERK_ALWAYS_INLINE void LedgerShard::prefetch_record(const MeterEntry<Key>& entry) const {
  const uint32_t record = directory_.guess(entry.hash);
  if (record != FlowDirectory::kNone) records_.prefetch<Key>(record);
}

}  // namespace clerk
