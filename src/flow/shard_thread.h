// A shard of the ledger on a thread of its own.
//
//   ledger's thread ──orders──> shard's thread
//                   <─records── (in batches, which go back empty)
//                   <───done───
//
// The ledger gives each of its shards the same order and takes the records that they release while
// they work, in the order in which each gives them out. An order is over when its records are
// taken; then the shard's thread sleeps, and the ledger's may look at the shard. The functions here
// are for the ledger's thread, but for those of the working thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/spsc_queue.h"
#include "flow/delta.h"
#include "flow/ledger_shard.h"
#include "flow/settled_fragments.h"

namespace clerk {

// Which flows belong to a shard: those whose hash, scaled to the number of shards, is its number.
// It is taken from the half of the hash that is the directory's tag, so that the lines of its
// directory fill as evenly as with one shard; that leaves 28 bits of tag where there are 16 shards.
struct ShardShare {
  uint32_t number = 0;
  uint32_t shards = 1;

  [[nodiscard]] bool has(uint64_t hash) const { return (hash >> 32) * shards >> 32 == number; }
};

// What a shard is to do. Merge, Tick and ReleaseAll add the settled fragments too.
struct ShardOrder {
  enum class Kind : uint8_t { Merge, Tick, ReleaseAll, ListOldest, EvictChosen, End };

  Kind kind = Kind::End;
  uint32_t next_mark = 0;        // the tick that is taken, or the next one
  DeltaPlace place;              // of the delta, or behind the last one
  const Delta* delta = nullptr;  // for Merge
  uint32_t records = 0;          // for ListOldest
};

class ShardThread {
 public:
  // Hash and fragments outlive the object. Throws std::system_error when no thread can be started.
  // `flows_max` is the shard's.
  ShardThread(const ShardShare& share, uint32_t flows_max, const Timeouts& timeouts,
              const KeyedHash& hash, const SettledFragments& fragments);
  // Waits until the order under way is done; its records are lost.
  ~ShardThread();
  ShardThread(const ShardThread&) = delete;
  ShardThread& operator=(const ShardThread&) = delete;

  // Begins. What the order reads stays as it is until its last record is taken.
  void begin(const ShardOrder& order);

  static constexpr uint64_t kNoRecord = UINT64_MAX;

  // The ordinal of the next record, for which this waits, or kNoRecord: the order is over.
  uint64_t next_ordinal() {
    if (at_ == batch_->records.size()) take_batch();
    return at_ < batch_->records.size() ? batch_->ordinals[at_] : kNoRecord;
  }
  // There must be one. Valid until next_ordinal() is called.
  const FlowRecord& take_next() { return batch_->records[at_++]; }

  // Between two orders.
  [[nodiscard]] const LedgerShard& shard() const { return shard_; }

  // Behind ListOldest: of those listed the first that is not chosen, to leave with EvictChosen.
  [[nodiscard]] std::optional<LedgerShard::Age> oldest() const {
    if (chosen_ == shard_.listed()) return std::nullopt;
    return shard_.listed_age(chosen_);
  }
  void choose_oldest() { ++chosen_; }

  // What one may occupy beside its shard.
  static constexpr size_t octets() {
    return kBatches * ReleasedBatch::octets(kBatchRecords) + kOwnOctets;
  }

 private:
  // A batch keeps both sides busy for some ten microseconds, which a wake-up costs.
  static constexpr size_t kBatchRecords = 1024;
  // One is filled, one is taken from, and two between them even out who is ahead.
  static constexpr size_t kBatches = 4;
  static constexpr size_t kQueueCapacity = 8;  // for all batches, and the end of an order

  using Batch = std::unique_ptr<ReleasedBatch>;

  // The numbers of a table's entries that are the shard's.
  using OwnEntries = LazyArray<uint32_t>;
  static constexpr size_t kOwnOctets =
      sizeof(uint32_t) * (kDeltaCapacityMax.ipv4 + kDeltaCapacityMax.ipv6 + kDeltaCapacityMax.link);

  void take_batch();

  // The working thread's.
  void run();
  void carry_out(const ShardOrder& order);
  void merge(const ShardOrder& order);
  void add_fragments(const ShardOrder& order);
  void hand_over(Batch& batch);

  ShardShare share_;
  const SettledFragments& fragments_;
  LedgerShard shard_;
  OwnEntries own_ipv4_{kDeltaCapacityMax.ipv4};
  OwnEntries own_ipv6_{kDeltaCapacityMax.ipv6};
  OwnEntries own_link_{kDeltaCapacityMax.link};

  Batch batch_;  // that records are taken from
  size_t at_ = 0;
  bool busy_ = false;
  uint32_t chosen_ = 0;  // of those that the shard lists

  SpscQueue<ShardOrder, 2> orders_;
  SpscQueue<Batch, kQueueCapacity> released_;  // nullptr: the end of the order
  SpscQueue<Batch, kQueueCapacity> empty_;
  std::jthread thread_;
};

}  // namespace clerk
