#include "flow/shard_thread.h"

#include <utility>

#include "base/check.h"

namespace clerk {
namespace {

template <typename Key>
bool is_datagram(const Key& key) {
  if constexpr (Key::kKind == FlowKind::Link) {
    return false;
  } else {
    return key.is_datagram();
  }
}

// The entries of a table that are a shard's, but for fragments that have no flow yet.
template <typename Key>
class OwnCursor {
 public:
  // Looks at all entries and notes the shard's in `own`, which has room for a table's.
  OwnCursor(const MeterTable<Key>& table, const ShardShare& share, LazyArray<uint32_t>& own)
      : table_(table), own_(own) {
    CHECK(table.size() <= own.size());
    for (uint32_t i = 0; i < table.size(); ++i) {
      own[size_] = i;
      // Added, not branched on: nobody can predict which are.
      size_ += static_cast<uint32_t>(share.has(table[i].hash) && !is_datagram(table[i].key));
    }
  }

  [[nodiscard]] uint64_t ordinal() const { return at_ < size_ ? entry().ordinal : kWalkEnd; }
  [[nodiscard]] const MeterEntry<Key>& entry() const { return table_[own_[at_]]; }
  [[nodiscard]] const MeterEntry<Key>* ahead(uint32_t entries) const {
    return at_ + entries < size_ ? &table_[own_[at_ + entries]] : nullptr;
  }
  void advance() { ++at_; }

 private:
  const MeterTable<Key>& table_;
  const LazyArray<uint32_t>& own_;
  uint32_t size_ = 0;
  uint32_t at_ = 0;
};

// The settled fragments that are a shard's.
template <typename Key>
class SettledCursor {
 public:
  SettledCursor(const SettledList<Key>& list, const ShardShare& share)
      : list_(list), share_(share) {
    skip_others();
  }

  [[nodiscard]] uint64_t ordinal() const {
    return at_ < list_.size() ? list_[at_].position : kWalkEnd;
  }
  [[nodiscard]] const SettledCount<Key>& count() const { return list_[at_]; }
  void advance() {
    ++at_;
    skip_others();
  }

 private:
  void skip_others() {
    while (at_ < list_.size() && !share_.has(list_[at_].hash))
      ++at_;
  }

  const SettledList<Key>& list_;
  ShardShare share_;
  uint32_t at_ = 0;
};

// Adds what a cursor stands before.
class Adder {
 public:
  Adder(LedgerShard& shard, const DeltaPlace& place) : shard_(shard), place_(place) {}

  template <typename Key>
  CLERK_ALWAYS_INLINE void operator()(OwnCursor<Key>& cursor) const {
    shard_.prefetch(cursor);
    const MeterEntry<Key>& entry = cursor.entry();
    shard_.set_turn(place_.packets_before + entry.ordinal);
    shard_.add(entry.key, entry.hash, counters_of(entry, place_));
    cursor.advance();
  }

  template <typename Key>
  void operator()(SettledCursor<Key>& cursor) const {
    const SettledCount<Key>& count = cursor.count();
    shard_.set_turn(place_.packets_before + count.position);
    shard_.add(count.key, count.hash, count.counters);
    cursor.advance();
  }

 private:
  LedgerShard& shard_;
  DeltaPlace place_;
};

}  // namespace

ShardThread::ShardThread(const ShardShare& share, uint32_t flows_max, const Timeouts& timeouts,
                         const KeyedHash& hash, const SettledFragments& fragments)
    : share_(share),
      fragments_(fragments),
      shard_(flows_max, timeouts, hash,
             ReleasedRecords(kBatchRecords, [this](Batch& batch) { hand_over(batch); })),
      batch_(std::make_unique<ReleasedBatch>(kBatchRecords)) {
  shard_.remember_turns();
  for (size_t i = 2; i < kBatches; ++i)  // beside the shard's and the one above
    empty_.push(std::make_unique<ReleasedBatch>(kBatchRecords));
  thread_ = std::jthread([this] { run(); });
}

ShardThread::~ShardThread() {
  while (next_ordinal() != kNoRecord)
    take_next();
  orders_.push(ShardOrder{.kind = ShardOrder::Kind::End});
}

void ShardThread::begin(const ShardOrder& order) {
  DCHECK(!busy_);
  busy_ = true;
  orders_.push(order);
}

// The next one of the order under way, for which this waits; an empty one when the order is over.
void ShardThread::take_batch() {
  batch_->clear();
  at_ = 0;
  if (!busy_) return;
  Batch next = released_.pop();
  busy_ = next != nullptr;
  if (busy_) empty_.push(std::exchange(batch_, std::move(next)));
}

void ShardThread::run() {
  for (;;) {
    const ShardOrder order = orders_.pop();
    if (order.kind == ShardOrder::Kind::End) return;
    carry_out(order);
    released_.push(nullptr);
  }
}

void ShardThread::carry_out(const ShardOrder& order) {
  shard_.set_next_mark(order.next_mark);
  switch (order.kind) {
    case ShardOrder::Kind::Merge: return merge(order);
    case ShardOrder::Kind::Tick:
      add_fragments(order);
      shard_.tick(order.next_mark);
      return;
    case ShardOrder::Kind::ReleaseAll: add_fragments(order); return shard_.release_all();
    case ShardOrder::Kind::ListOldest: return shard_.list_oldest(order.records);
    case ShardOrder::Kind::EvictChosen: return shard_.evict_listed(std::exchange(chosen_, 0));
    case ShardOrder::Kind::End: return;
  }
}

void ShardThread::merge(const ShardOrder& order) {
  const Delta& delta = *order.delta;
  const auto walk = [&](auto... link) {
    walk_in_order(Adder(shard_, order.place), OwnCursor(delta.ipv4, share_, own_ipv4_),
                  OwnCursor(delta.ipv6, share_, own_ipv6_), link...,
                  SettledCursor(fragments_.ipv4, share_), SettledCursor(fragments_.ipv6, share_));
  };
  if (delta.link) {
    walk(OwnCursor(*delta.link, share_, own_link_));
  } else {
    walk();
  }
  shard_.hand_over();
}

void ShardThread::add_fragments(const ShardOrder& order) {
  if (fragments_.empty()) return;
  walk_in_order(Adder(shard_, order.place), SettledCursor(fragments_.ipv4, share_),
                SettledCursor(fragments_.ipv6, share_));
}

// Waits while the ledger's thread has all other batches.
void ShardThread::hand_over(Batch& batch) {
  released_.push(std::move(batch));
  batch = empty_.pop();
}

}  // namespace clerk
