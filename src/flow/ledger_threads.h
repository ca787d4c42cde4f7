// The ledger's records divided over several threads, each with a shard of its own.
//
//                  ┌──order──> shard 0 ──records──┐
//   ledger ──order─┼──order──> shard 1 ──records──┼──by their first packets──> output
//                  └──order──> shard 2 ──records──┘
//
// Each order goes to all shards, and is over when all are done with it. What each releases is in
// order, so that all together leave as if there was one shard. Only room is made in another way:
// behind each delta, for all that it brought, by the oldest of all shards. Each has memory for a
// delta more than its share, and for as much as chance may give it.
//
// All functions are for the ledger's thread, which sleeps while the shards work.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "flow/settled_fragments.h"
#include "flow/shard_thread.h"

namespace clerk {

class LedgerThreads {
 public:
  // The hash outlives the object. Throws std::system_error when the threads cannot be started.
  LedgerThreads(uint32_t threads, uint32_t flows_max, const Timeouts& timeouts,
                const KeyedHash& hash, ReleasedRecords released);

  // Fragments that the next order adds. Those of a delta have the ordinal of the entry, within it,
  // before which they are added.
  template <typename Key>
  void add(const Key& key, uint64_t hash, const FlowCounters& counters, uint64_t position = 0) {
    fragments_.add({.key = key, .hash = hash, .counters = counters, .position = position});
  }

  // Adds all of the delta but its fragments.
  void merge(const Delta& delta, const DeltaPlace& place, uint32_t next_mark);

  // As LedgerShard has them.
  bool tick(uint32_t second);
  void release_all(uint32_t next_mark);
  [[nodiscard]] ShardCounts counts() const;
  [[nodiscard]] uint32_t held() const;
  [[nodiscard]] bool is_idle() const { return held() == 0 && released_.empty(); }
  void add_held_to(uint64_t& packets, uint64_t& octets) const;

  [[nodiscard]] uint32_t size() const { return static_cast<uint32_t>(threads_.size()); }

  // What the shards and all that they need may occupy.
  static size_t octets(uint32_t threads, uint32_t flows_max);

 private:
  template <typename Concerns>
  bool carry_out(const ShardOrder& order, Concerns concerns);
  bool take_records();
  bool make_room(const ShardOrder& order);
  [[nodiscard]] ShardThread& thread_of_oldest() const;

  uint32_t flows_max_;
  SettledFragments fragments_;
  ReleasedRecords released_;
  uint64_t packets_received_ = 0;  // with those of the last delta
  std::vector<std::unique_ptr<ShardThread>> threads_;
};

}  // namespace clerk
