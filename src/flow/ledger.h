// The Metering Process's slow half: merges the deltas of all meters into Flow Records, decides when
// each is reported and why, and releases it.
//
// What is held is what was not yet reported: a record leaves the ledger whenever it is released.
// One thread. Memory is bounded by `flows_max`; when that many records are held, the one opened
// first makes room. That is the order of first packets, but for fragments that had to wait for
// their datagram's ports.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/keyed_hash.h"
#include "base/lazy_array.h"
#include "flow/delta.h"
#include "flow/flow_directory.h"
#include "flow/flow_record.h"
#include "flow/fragments.h"
#include "flow/record_table.h"

namespace clerk {

struct LedgerOptions {
  uint32_t flows_max;  // at least 1, below 2^31
  Timeouts timeouts;
};

struct LedgerCounts {
  PacketCounts packets;
  uint64_t flows_created = 0;
  uint64_t records_exported = 0;
  uint64_t packets_exported = 0;
  uint64_t octets_exported = 0;
  uint64_t fragments_orphaned = 0;  // packets whose first fragment never came; exported with port 0
  uint64_t clock_jumps = 0;
  uint64_t clock_restarts = 0;

  // What was counted since `before`.
  LedgerCounts& operator-=(const LedgerCounts& before) {
    packets -= before.packets;
    flows_created -= before.flows_created;
    records_exported -= before.records_exported;
    packets_exported -= before.packets_exported;
    octets_exported -= before.octets_exported;
    fragments_orphaned -= before.fragments_orphaned;
    clock_jumps -= before.clock_jumps;
    clock_restarts -= before.clock_restarts;
    return *this;
  }
};

// Who receives the records, and may change them. `second` is the clock that export follows: the
// tick they are released at.
struct LedgerOutput {
  std::function<void(std::span<FlowRecord> records, uint32_t second)> records;
  // All records of this tick have been given out.
  std::function<void(uint32_t second)> tick;
};

// Who wants to know which record each count ends up in: for people who ask, not for every run. A
// count is named by the ordinal of its first packet (FlowCounters::ordinal). Record numbers are the
// table's own, and used again once a record is released.
struct LedgerObserver {
  std::function<void(uint64_t ordinal, uint32_t record)> counted;
  // It waits for its datagram's ports as part of an earlier count, whose ordinal stands for both
  // from now on.
  std::function<void(uint64_t ordinal, uint64_t earlier)> joined;
  // Its datagram's first fragment never came: it is about to be counted with port 0.
  std::function<void(uint64_t ordinal)> orphaned;
  // LedgerOutput gets the records later, in the order in which they are released.
  std::function<void(uint32_t record)> released;
};

class Ledger {
 public:
  // The hash must be the meters'; it outlives the ledger.
  Ledger(const LedgerOptions& options, const KeyedHash& hash, LedgerOutput output);

  // Adds what a meter counted. Deltas come in the order of their packets.
  void merge(const Delta& delta);

  // The clock moves forward: takes every tick up to this second.
  void advance_to(uint32_t second);

  // Releases all that is held, with reason forced end unless the flow was seen to end.
  void release_all();

  // The clock goes back: releases all that is held. The next delta sets the new clock.
  void restart();

  // Tells of everything from now on. The observer outlives the ledger.
  void tell(const LedgerObserver& observer) { observer_ = &observer; }

  void note_clock_jump() { ++counts_.clock_jumps; }
  [[nodiscard]] const LedgerCounts& counts() const { return counts_; }
  [[nodiscard]] uint32_t flows_held() const { return records_.held(); }

  // What a ledger of this size may occupy.
  static size_t octets(uint32_t flows_max);

 private:
  struct Due {
    uint64_t ordinal;
    uint32_t record;
    EndReason reason;
  };

  template <typename... Key>
  void merge_in_order(const MeterTable<Key>&... tables);
  template <typename Key>
  void merge_entry(const MeterTable<Key>& table, uint32_t at);
  template <typename Key>
  void prefetch(const MeterTable<Key>& table, uint32_t entry) const;
  template <typename Key>
  void merge_fragments(const MeterEntry<Key>& entry);
  template <typename Key>
  void add_orphan(const WaitingFragments<Key>& fragments);
  template <typename Key>
  void add(const Key& key, uint64_t hash, const FlowCounters& counters);
  template <typename Key>
  uint32_t add_to_record(const Key& key, uint64_t hash, const FlowCounters& counters);
  template <typename Key>
  uint32_t open(const Key& key, uint64_t hash, const FlowCounters& counters);
  void grow_directory();
  [[nodiscard]] uint64_t hash_of(uint32_t record) const;
  [[nodiscard]] bool is_superseded(uint32_t record) const;
  template <typename Key>
  [[nodiscard]] FlowCounters counters_of(const MeterEntry<Key>& entry) const;
  template <typename Key>
  DatagramTable<Key>& datagrams();

  void tick(uint32_t second);
  template <typename Key>
  void expire_datagrams(uint32_t second);
  void add_due(uint32_t record, EndReason reason);
  void collect_due(uint32_t second);
  void judge(uint32_t record, uint32_t second);
  void collect_all();
  void evict_oldest();
  void release_due();
  void release_batch(std::span<const Due> batch);
  void release(uint32_t record, EndReason reason, uint64_t hash);
  template <typename Key>
  void release_as(uint32_t record, EndReason reason, uint64_t hash);
  void deliver();

  [[nodiscard]] bool is_idle() const;
  void check_conservation() const;

  LedgerOptions options_;
  const KeyedHash& hash_;
  LedgerOutput output_;
  const LedgerObserver* observer_ = nullptr;  // mostly nobody
  FlowDirectory directory_;
  RecordTable records_;
  DatagramTable<Ipv4Key> ipv4_datagrams_;
  DatagramTable<Ipv6Key> ipv6_datagrams_;
  uint32_t second_ = 0;          // of the clock
  uint32_t next_mark_ = 1;       // the tick that is being taken, or the next one
  uint64_t packets_before_ = 0;  // received before the delta that is being merged
  LazyArray<Due> due_;           // the first due_count_ of them; never more than records are held
  uint32_t due_count_ = 0;
  std::vector<FlowRecord> batch_;
  LedgerCounts counts_;
};

}  // namespace clerk
