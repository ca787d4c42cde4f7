#include "flow/ledger_threads.h"

#include <cmath>
#include <utility>

#include "base/check.h"

namespace clerk {
namespace {

constexpr auto kEveryone = [](const LedgerShard&) { return true; };

// How many records a shard has memory for: its share of what may be held and of what a delta adds
// before room is made, and eight times the standard deviation of what the hash gives it, which
// chance never exceeds. A shard that was full all the same would make room in itself.
uint32_t shard_flows_max(uint32_t threads, uint32_t flows_max) {
  constexpr uint32_t kDelta = kDeltaCapacityMax.ipv4 + kDeltaCapacityMax.ipv6 +
                              kDeltaCapacityMax.link + DatagramTable<Ipv4Key>::kDatagramsMax +
                              DatagramTable<Ipv6Key>::kDatagramsMax;
  const uint32_t all = flows_max + kDelta;
  return all / threads + static_cast<uint32_t>(4 * std::sqrt(all));
}

}  // namespace

LedgerThreads::LedgerThreads(uint32_t threads, uint32_t flows_max, const Timeouts& timeouts,
                             const KeyedHash& hash, ReleasedRecords released)
    : flows_max_(flows_max), released_(std::move(released)) {
  const uint32_t shard_max = shard_flows_max(threads, flows_max);
  threads_.reserve(threads);
  for (uint32_t i = 0; i < threads; ++i)
    threads_.push_back(std::make_unique<ShardThread>(ShardShare{.number = i, .shards = threads},
                                                     shard_max, timeouts, hash, fragments_));
}

size_t LedgerThreads::octets(uint32_t threads, uint32_t flows_max) {
  const uint32_t shard_max = shard_flows_max(threads, flows_max);
  const size_t shard = LedgerShard::octets(shard_max) + LedgerShard::turns_octets(shard_max);
  return SettledFragments::octets() + threads * (shard + ShardThread::octets());
}

void LedgerThreads::merge(const Delta& delta, const DeltaPlace& place, uint32_t next_mark) {
  packets_received_ = place.packets_before + delta.counts.received;
  const ShardOrder order{
      .kind = ShardOrder::Kind::Merge, .next_mark = next_mark, .place = place, .delta = &delta};
  carry_out(order, kEveryone);
  make_room(order);
}

// Shards that have nothing to do are not woken.
bool LedgerThreads::tick(uint32_t second) {
  const bool has_fragments = !fragments_.empty();
  const bool had_records = !released_.empty();
  const ShardOrder order{.kind = ShardOrder::Kind::Tick,
                         .next_mark = second,
                         .place = {.packets_before = packets_received_}};
  bool has_released = carry_out(
      order, [=](const LedgerShard& shard) { return has_fragments || shard.may_be_due(second); });
  has_released = make_room(order) || has_released;
  released_.hand_over();
  return had_records || has_released;
}

void LedgerThreads::release_all(uint32_t next_mark) {
  const bool has_fragments = !fragments_.empty();
  carry_out({.kind = ShardOrder::Kind::ReleaseAll,
             .next_mark = next_mark,
             .place = {.packets_before = packets_received_}},
            [=](const LedgerShard& shard) { return has_fragments || !shard.is_idle(); });
  released_.hand_over();
}

// Behind an order that may have opened records. Returns whether any were evicted.
bool LedgerThreads::make_room(const ShardOrder& order) {
  const uint32_t held_now = held();
  if (held_now <= flows_max_) return false;
  const uint32_t excess = held_now - flows_max_;
  carry_out({.kind = ShardOrder::Kind::ListOldest, .next_mark = order.next_mark, .records = excess},
            kEveryone);
  for (uint32_t i = 0; i < excess; ++i)
    thread_of_oldest().choose_oldest();
  return carry_out({.kind = ShardOrder::Kind::EvictChosen, .next_mark = order.next_mark},
                   kEveryone);
}

// Each lists as many as are chosen all in all, so that one of them has another one.
ShardThread& LedgerThreads::thread_of_oldest() const {
  ShardThread* found = nullptr;
  LedgerShard::Age oldest;
  for (const auto& thread : threads_) {
    const auto age = thread->oldest();
    if (!age || (found != nullptr && oldest < *age)) continue;
    oldest = *age;
    found = thread.get();
  }
  CHECK(found != nullptr);
  return *found;
}

// By all shards whom the order concerns. Returns whether any released records.
template <typename Concerns>
bool LedgerThreads::carry_out(const ShardOrder& order, Concerns concerns) {
  for (const auto& thread : threads_) {
    if (concerns(thread->shard())) thread->begin(order);
  }
  const bool has_released = take_records();
  fragments_.clear();
  return has_released;
}

// Takes the records of all, in the order of their first packets, until all are done.
bool LedgerThreads::take_records() {
  bool any = false;
  for (;;) {
    uint64_t first = ShardThread::kNoRecord;
    ShardThread* from = nullptr;
    for (const auto& thread : threads_) {
      const uint64_t ordinal = thread->next_ordinal();
      if (ordinal >= first) continue;
      first = ordinal;
      from = thread.get();
    }
    if (from == nullptr) return any;
    any = true;
    released_.add(first) = from->take_next();
  }
}

ShardCounts LedgerThreads::counts() const {
  ShardCounts counts;
  for (const auto& thread : threads_)
    counts += thread->shard().counts();
  return counts;
}

uint32_t LedgerThreads::held() const {
  uint32_t held = 0;
  for (const auto& thread : threads_)
    held += thread->shard().held();
  return held;
}

void LedgerThreads::add_held_to(uint64_t& packets, uint64_t& octets) const {
  for (const auto& thread : threads_)
    thread->shard().add_held_to(packets, octets);
}

}  // namespace clerk
