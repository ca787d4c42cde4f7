// The Metering Process's slow half: merges the deltas of all meters into Flow Records, decides when
// each is reported and why, and releases it.
//
// What is held is what was not yet reported: a record leaves the ledger whenever it is released.
// The ledger itself keeps the clock, gives fragments their flows and counts; the records are in a
// shard, or in several, each on a thread of its own (`threads`). Memory is
// bounded by `flows_max`; when that many records are held, the one opened first makes room. That is
// the order of first packets, but for fragments that had to wait for their datagram's ports. With
// several threads room is made behind each delta, for all the flows that it brought; nothing else
// of the output is different.
//
// Its functions are for one thread, on which the output is called too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/keyed_hash.h"
#include "flow/delta.h"
#include "flow/delta_walk.h"
#include "flow/flow_record.h"
#include "flow/fragments.h"
#include "flow/ledger_observer.h"
#include "flow/ledger_shard.h"
#include "flow/ledger_threads.h"
#include "flow/packet_counts.h"

namespace clerk {

struct LedgerOptions {
  uint32_t flows_max;  // at least 1, below 2^31
  Timeouts timeouts;
  uint32_t threads = 1;  // 1: the caller's; else that many more
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

class Ledger {
 public:
  // More would wait for the one thread that puts their records in order.
  static constexpr uint32_t kThreadsMax = 16;

  // The hash must be the meters'; it outlives the ledger. Throws std::system_error when threads
  // cannot be started.
  Ledger(const LedgerOptions& options, const KeyedHash& hash, LedgerOutput output);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Adds what a meter counted. Deltas come in the order of their packets.
  void merge(const Delta& delta);

  // The clock moves forward: takes every tick up to this second.
  void advance_to(uint32_t second);

  // Releases all that is held, with reason forced end unless the flow was seen to end.
  void release_all();

  // The clock goes back: releases all that is held. The next delta sets the new clock.
  void restart();

  // Tells of everything from now on. The observer outlives the ledger, which has one thread.
  void tell(const LedgerObserver& observer);

  void note_clock_jump() { ++counts_.clock_jumps; }
  [[nodiscard]] const LedgerCounts& counts() const { return counts_; }
  [[nodiscard]] uint32_t flows_held() const { return threads_ ? threads_->held() : shard_->held(); }
  // That share the work: 1 is the caller's.
  [[nodiscard]] uint32_t threads() const { return threads_ ? threads_->size() : 1; }

  // What a ledger of this size and number of threads may occupy.
  static size_t octets(uint32_t flows_max, uint32_t threads = 1);

 private:
  void merge_here(const Delta& delta);
  template <typename Key>
  void merge_next(TableCursor<Key>& cursor);
  void merge_on_threads(const Delta& delta);
  template <typename Key>
  void settle_fragments(const MeterTable<Key>& table);
  template <typename Key>
  void merge_fragments(const MeterEntry<Key>& entry);
  template <typename Key>
  void add_orphan(const WaitingFragments<Key>& fragments);
  template <typename Key>
  void add(const Key& key, const FlowCounters& counters);
  template <typename Key>
  DatagramTable<Key>& datagrams();

  void tick(uint32_t second);
  template <typename Key>
  void expire_datagrams(uint32_t second);
  ReleasedRecords output_of_records();

  [[nodiscard]] bool is_idle() const;
  void take_counts();
  void check_conservation() const;

  LedgerOutput output_;
  const KeyedHash& hash_;
  const LedgerObserver* observer_ = nullptr;  // mostly nobody
  DatagramTable<Ipv4Key> ipv4_datagrams_;
  DatagramTable<Ipv6Key> ipv6_datagrams_;
  uint32_t second_ = 0;     // of the clock
  uint32_t next_mark_ = 1;  // the tick that is being taken, or the next one
  DeltaPlace place_;        // of the delta that is being merged
  uint64_t position_ = 0;   // within it, of the entry whose fragments are being merged
  LedgerCounts counts_;
  // One of the two: what is on the caller's thread costs nothing more for the other's being there.
  std::unique_ptr<LedgerShard> shard_;
  std::unique_ptr<LedgerThreads> threads_;
};

}  // namespace clerk
