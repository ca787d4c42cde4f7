#include "flow/ledger_shard.h"

#include <algorithm>
#include <array>
#include <utility>

namespace clerk {
namespace {

// Records whose memory is fetched together: as many as a core has requests under way, and few
// enough that none is pushed out of its first cache again.
constexpr size_t kBatchRecords = 32;

// Of an empty record.
void put_counters(FlowRecord& record, const FlowCounters& counters, EndReason reason) {
  record.octets = counters.octets;
  record.packets = counters.packets;
  record.first_ns = counters.first_ns;
  record.last_ns = counters.last_ns;
  record.end_reason = reason;
}

template <typename Key>
void put(FlowRecord& record, const Key& key, const FlowCounters& counters, EndReason reason) {
  const KeyTail& tail = key.tail;
  const bool icmp = is_icmp(Key::kVersion, tail.protocol);
  put_counters(record, counters, reason);
  record.source.version = Key::kVersion;
  std::ranges::copy(key.source, record.source.octets.begin());
  record.destination.version = Key::kVersion;
  std::ranges::copy(key.destination, record.destination.octets.begin());
  record.source_port = tail.source_port;
  record.destination_port = icmp ? uint16_t{0} : tail.destination_port;
  record.icmp_type_code = icmp ? tail.destination_port : uint16_t{0};
  record.vlan_id = key.vlan_id();
  record.protocol = tail.protocol;
  record.tos = counters.tos;
  record.tcp_flags = counters.tcp_flags;
}

void put(FlowRecord& record, const LinkKey& key, const FlowCounters& counters, EndReason reason) {
  put_counters(record, counters, reason);
  record.source_mac = {key.source};
  record.destination_mac = {key.destination};
  record.vlan_id = key.vlan_id;
  record.ether_type = key.ether_type;
  record.without_ip = true;
}

}  // namespace

LedgerShard::LedgerShard(uint32_t flows_max, const Timeouts& timeouts, const KeyedHash& hash,
                         ReleasedRecords released)
    : flows_max_(flows_max),
      timeouts_(timeouts),
      hash_(hash),
      released_(std::move(released)),
      directory_(flows_max),
      records_(flows_max, horizon_of(timeouts)),
      due_(flows_max) {}

size_t LedgerShard::octets(uint32_t flows_max) {
  return RecordTable::octets(flows_max) + FlowDirectory::octets(flows_max) +
         flows_max * sizeof(Due);
}

void LedgerShard::grow_directory() {
  directory_.grow();
  uint32_t record = records_.oldest();
  while (record != RecordTable::kNone) {
    std::array<std::pair<uint64_t, uint32_t>, kBatchRecords> batch;
    size_t size = 0;
    for (; size < batch.size() && record != RecordTable::kNone; record = records_.next(record)) {
      if (is_superseded(record)) continue;
      batch[size] = {hash_of(record), record};
      directory_.prefetch(batch[size++].first);
    }
    for (size_t i = 0; i < size; ++i)
      directory_.insert(batch[i].first, batch[i].second);
  }
}

uint64_t LedgerShard::hash_of(uint32_t record) const {
  switch (records_.kind(record)) {
    case FlowKind::Ipv4: return hash_(records_.key<Ipv4Key>(record));
    case FlowKind::Ipv6: return hash_(records_.key<Ipv6Key>(record));
    case FlowKind::Link: return hash_(records_.key<LinkKey>(record));
  }
  std::unreachable();
}

bool LedgerShard::tick(uint32_t second) {
  collect_due(second);
  if (due_count_ == 0 && released_.empty()) return false;
  release_due();
  return true;
}

void LedgerShard::release_all() {
  collect_all();
  release_due();
}

void LedgerShard::add_due(uint32_t record, EndReason reason) {
  due_[due_count_++] = {records_.counters(record).ordinal, record, reason};
}

void LedgerShard::collect_due(uint32_t second) {
  ExpiryWheel& wheel = records_.wheel();
  std::array<uint32_t, kBatchRecords> batch;
  for (;;) {
    size_t size = 0;
    for (; size < batch.size() && (batch[size] = wheel.take(second)) != RecordTable::kNone; ++size)
      records_.prefetch<Ipv4Key>(batch[size]);
    for (size_t i = 0; i < size; ++i)
      judge(batch[i], second);
    if (size < batch.size()) return;
  }
}

// Whether the record is due at this tick, or when.
void LedgerShard::judge(uint32_t record, uint32_t second) {
  const FlowCounters& held = records_.counters(record);
  const uint32_t due = due_second(held, timeouts_);
  if (due <= second) {
    add_due(record, due_reason(held, timeouts_, second));
  } else if (is_ahead_of_clock(held, second)) {
    add_due(record, EndReason::ForcedEnd);
  } else {
    records_.wheel().add(record, due, second);
  }
}

void LedgerShard::collect_all() {
  for (uint32_t record = records_.oldest(); record != RecordTable::kNone;
       record = records_.next(record)) {
    const FlowCounters& held = records_.counters(record);
    records_.wheel().remove(record);
    add_due(record, held.ended() ? EndReason::EndDetected : EndReason::ForcedEnd);
  }
}

EndReason LedgerShard::eviction_reason(uint32_t record) const {
  return records_.counters(record).ended() ? EndReason::EndDetected : EndReason::LackOfResources;
}

void LedgerShard::evict_oldest() {
  const uint32_t record = records_.oldest();
  records_.wheel().remove(record);
  release(record, eviction_reason(record), hash_of(record));
}

// Records lie in the order of their turns; those of one turn in an order that depends on which
// others are in the shard.
void LedgerShard::list_oldest(uint32_t records) {
  due_count_ = 0;
  uint64_t turn = 0;
  for (uint32_t record = records_.oldest(); record != RecordTable::kNone;
       record = records_.next(record)) {
    if (due_count_ >= records && (*turns_)[record] != turn) break;
    turn = (*turns_)[record];
    add_due(record, eviction_reason(record));
  }
  const std::span<Due> listed(due_.data(), due_count_);
  const auto age = [this](const Due& due) { return Age{(*turns_)[due.record], due.ordinal}; };
  if (!std::ranges::is_sorted(listed, {}, age)) std::ranges::sort(listed, {}, age);
}

void LedgerShard::evict_listed(uint32_t records) {
  due_count_ = records;
  for (const Due& due : std::span(due_.data(), records))
    records_.wheel().remove(due.record);
  release_due();
}

// Records leave in the order of their first packets.
void LedgerShard::release_due() {
  std::span<Due> due(due_.data(), due_count_);
  if (!std::ranges::is_sorted(due, {}, &Due::ordinal)) std::ranges::sort(due, {}, &Due::ordinal);
  while (!due.empty()) {
    const auto batch = due.first(std::min(due.size(), kBatchRecords));
    due = due.subspan(batch.size());
    for (const Due& next : due.first(std::min(due.size(), kBatchRecords)))
      records_.prefetch<Ipv4Key>(next.record);
    release_batch(batch);
  }
  due_count_ = 0;
  released_.hand_over();
}

// The directory's lines of all are on their way before the first is needed.
void LedgerShard::release_batch(std::span<const Due> batch) {
  std::array<uint64_t, kBatchRecords> hashes;
  for (size_t i = 0; i < batch.size(); ++i) {
    hashes[i] = hash_of(batch[i].record);
    directory_.prefetch(hashes[i]);
  }
  for (size_t i = 0; i < batch.size(); ++i)
    release(batch[i].record, batch[i].reason, hashes[i]);
}

void LedgerShard::release(uint32_t record, EndReason reason, uint64_t hash) {
  switch (records_.kind(record)) {
    case FlowKind::Ipv4: release_as<Ipv4Key>(record, reason, hash); break;
    case FlowKind::Ipv6: release_as<Ipv6Key>(record, reason, hash); break;
    case FlowKind::Link: release_as<LinkKey>(record, reason, hash); break;
  }
}

template <typename Key>
void LedgerShard::release_as(uint32_t record, EndReason reason, uint64_t hash) {
  const Key key = records_.key<Key>(record);
  const FlowCounters& held = records_.counters(record);
  if (!is_superseded(record)) directory_.remove(hash, record);
  ++counts_.records_exported;
  counts_.packets_exported += held.packets;
  counts_.octets_exported += held.octets;
  records_.close(record);  // its memory stays as it is until the next record opens
  if (observer_ != nullptr) observer_->released(record);
  put(released_.add(held.ordinal), key, held, reason);
}

void LedgerShard::add_held_to(uint64_t& packets, uint64_t& octets) const {
  for (uint32_t i = records_.oldest(); i != RecordTable::kNone; i = records_.next(i)) {
    packets += records_.counters(i).packets;
    octets += records_.counters(i).octets;
  }
}

}  // namespace clerk
