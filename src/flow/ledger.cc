#include "flow/ledger.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/prefetch.h"

namespace clerk {
namespace {

// Records handed over at once: a few hundred make the hand-over's cost vanish and stay in the
// cache.
constexpr size_t kRecordsDelivered = 256;

}  // namespace

Ledger::Ledger(const LedgerOptions& options, const KeyedHash& hash, LedgerOutput output)
    : output_(std::move(output)), hash_(hash), ipv4_datagrams_(hash), ipv6_datagrams_(hash) {
  if (options.threads == 1) {
    shard_ = std::make_unique<LedgerShard>(options.flows_max, options.timeouts, hash,
                                           output_of_records());
  } else {
    threads_ = std::make_unique<LedgerThreads>(options.threads, options.flows_max, options.timeouts,
                                               hash, output_of_records());
  }
}

ReleasedRecords Ledger::output_of_records() {
  return {kRecordsDelivered, [this](std::unique_ptr<ReleasedBatch>& batch) {
            output_.records(batch->records, next_mark_);
            batch->clear();
          }};
}

size_t Ledger::octets(uint32_t flows_max, uint32_t threads) {
  const size_t records =
      threads == 1 ? LedgerShard::octets(flows_max) : LedgerThreads::octets(threads, flows_max);
  return records + DatagramTable<Ipv4Key>::octets() + DatagramTable<Ipv6Key>::octets();
}

void Ledger::tell(const LedgerObserver& observer) {
  CHECK(shard_ != nullptr);
  observer_ = &observer;
  shard_->tell(observer);
}

void Ledger::merge(const Delta& delta) {
  if (delta.second != second_) {  // the first delta, or the first behind a restart
    CHECK(is_idle());
    second_ = delta.second;
  }
  next_mark_ = second_ + 1;
  place_ = {.second = second_, .packets_before = counts_.packets.received};
  counts_.packets += delta.counts;
  threads_ ? merge_on_threads(delta) : merge_here(delta);
  take_counts();
}

void Ledger::merge_here(const Delta& delta) {
  shard_->set_next_mark(next_mark_);
  const auto take = [this](auto& cursor) { merge_next(cursor); };
  if (delta.link) {
    walk_in_order(take, TableCursor(delta.ipv4), TableCursor(delta.ipv6), TableCursor(*delta.link));
  } else {
    walk_in_order(take, TableCursor(delta.ipv4), TableCursor(delta.ipv6));
  }
}

template <typename Key>
CLERK_ALWAYS_INLINE void Ledger::merge_next(TableCursor<Key>& cursor) {
  shard_->prefetch(cursor);
  const MeterEntry<Key>& entry = cursor.entry();
  cursor.advance();
  if constexpr (Key::kKind != FlowKind::Link) {
    if (entry.key.is_datagram()) [[unlikely]]
      return merge_fragments(entry);
  }
  shard_->add(entry.key, entry.hash, counters_of(entry, place_));
}

// Fragments first: in order, because each may tell where others belong.
void Ledger::merge_on_threads(const Delta& delta) {
  settle_fragments(delta.ipv4);
  settle_fragments(delta.ipv6);
  threads_->merge(delta, place_, next_mark_);
}

// Datagrams of the two IP versions have nothing to do with each other.
template <typename Key>
void Ledger::settle_fragments(const MeterTable<Key>& table) {
  for (uint32_t i = 0; i < table.size(); ++i) {
    if (!table[i].key.is_datagram()) continue;
    position_ = table[i].ordinal;
    merge_fragments(table[i]);
  }
}

template <typename Key>
DatagramTable<Key>& Ledger::datagrams() {
  if constexpr (Key::kVersion == IpVersion::V4) {
    return ipv4_datagrams_;
  } else {
    return ipv6_datagrams_;
  }
}

template <typename Key>
void Ledger::merge_fragments(const MeterEntry<Key>& entry) {
  DatagramTable<Key>& table = datagrams<Key>();
  while (table.full())
    table.forget_oldest([this](const WaitingFragments<Key>& orphan) { add_orphan(orphan); });
  const FlowCounters counters = counters_of(entry, place_);
  std::optional<TransportKey> transport = table.find(entry.key);
  if ((entry.marks & mark::kHasFirst) != 0) {
    transport = {entry.noted_source_port, entry.noted_destination_port, entry.noted_protocol};
    table.learn(entry.key, *transport, second_, [&](const WaitingFragments<Key>& waited) {
      const Key key = flow_of(waited.key, *transport);
      add(key, waited.counters);
    });
  }
  if (transport) {
    const Key key = flow_of(entry.key, *transport);
    add(key, counters);
  } else if (const auto waits_in = table.wait({entry.key, counters}, second_); !waits_in) {
    add_orphan<Key>({entry.key, counters});
  } else if (observer_ != nullptr && *waits_in != counters.ordinal) {
    observer_->joined(counters.ordinal, *waits_in);
  }
}

template <typename Key>
void Ledger::add_orphan(const WaitingFragments<Key>& fragments) {
  const Key key = flow_of(fragments.key, {0, 0, fragments.key.tail.protocol});
  counts_.fragments_orphaned += fragments.counters.packets;
  if (observer_ != nullptr) observer_->orphaned(fragments.counters.ordinal);
  add(key, fragments.counters);
}

template <typename Key>
void Ledger::add(const Key& key, const FlowCounters& counters) {
  if (threads_) {
    threads_->add(key, hash_(key), counters, position_);
  } else {
    shard_->add(key, hash_(key), counters);
  }
}

void Ledger::advance_to(uint32_t second) {
  // With nothing held the ticks in between have nothing to do, however many they are.
  for (next_mark_ = second_ + 1; next_mark_ <= second && !is_idle(); ++next_mark_)
    tick(next_mark_);
  second_ = second;
  output_.tick(second);
}

void Ledger::tick(uint32_t second) {
  if (shard_) shard_->set_next_mark(second);
  expire_datagrams<Ipv4Key>(second);
  expire_datagrams<Ipv6Key>(second);
  const bool released = threads_ ? threads_->tick(second) : shard_->tick(second);
  take_counts();
  if (released) output_.tick(second);
  if constexpr (kDebugChecks) check_conservation();
}

template <typename Key>
void Ledger::expire_datagrams(uint32_t second) {
  position_ = 0;
  datagrams<Key>().expire(second,
                          [this](const WaitingFragments<Key>& orphan) { add_orphan(orphan); });
}

void Ledger::release_all() {
  expire_datagrams<Ipv4Key>(UINT32_MAX);
  expire_datagrams<Ipv6Key>(UINT32_MAX);
  threads_ ? threads_->release_all(next_mark_) : shard_->release_all();
  take_counts();
  output_.tick(second_ + 1);
  if constexpr (kDebugChecks) check_conservation();
}

void Ledger::restart() {
  release_all();
  ++counts_.clock_restarts;
}

bool Ledger::is_idle() const {
  return ipv4_datagrams_.empty() && ipv6_datagrams_.empty() &&
         (threads_ ? threads_->is_idle() : shard_->is_idle());
}

// What the shards counted until now.
void Ledger::take_counts() {
  const ShardCounts counts = threads_ ? threads_->counts() : shard_->counts();
  counts_.flows_created = counts.flows_created;
  counts_.records_exported = counts.records_exported;
  counts_.packets_exported = counts.packets_exported;
  counts_.octets_exported = counts.octets_exported;
}

// Invariant: each packet received is metered or ignored; each metered one is exported or held. So
// are octets.
void Ledger::check_conservation() const {
  uint64_t packets = 0;
  uint64_t octets = 0;
  ipv4_datagrams_.add_waiting_to(packets, octets);
  ipv6_datagrams_.add_waiting_to(packets, octets);
  threads_ ? threads_->add_held_to(packets, octets) : shard_->add_held_to(packets, octets);
  CHECK(counts_.packets.received == counts_.packets.metered + counts_.packets.ignored_total());
  CHECK(counts_.packets.metered == counts_.packets_exported + packets);
  CHECK(counts_.packets.octets_metered == counts_.octets_exported + octets);
}

}  // namespace clerk
