#include "flow/ledger.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "base/prefetch.h"
#include "decode/wire.h"

namespace clerk {
namespace {

// Records handed over at once: a few hundred make the hand-over's cost vanish and stay in the
// cache.
constexpr size_t kRecordsDelivered = 256;

// Records whose memory is fetched together: as many as a core has requests under way, and few
// enough that none is pushed out of its first cache again.
constexpr size_t kBatchRecords = 32;

// How many entries ahead the directory's lines and then the records are fetched.
constexpr uint32_t kPrefetchLine = 16;
constexpr uint32_t kPrefetchRecord = 8;

template <typename Key>
FlowRecord to_flow_record(const Key& key, const FlowCounters& counters, EndReason reason) {
  const KeyTail& tail = key.tail;
  const bool icmp = is_icmp(Key::kVersion, tail.protocol);
  return {.source = IpAddress::from_wire(Key::kVersion, key.source.data()),
          .destination = IpAddress::from_wire(Key::kVersion, key.destination.data()),
          .octets = counters.octets,
          .packets = counters.packets,
          .first_ns = counters.first_ns,
          .last_ns = counters.last_ns,
          .source_port = tail.source_port,
          .destination_port = icmp ? uint16_t{0} : tail.destination_port,
          .icmp_type_code = icmp ? tail.destination_port : uint16_t{0},
          .vlan_id = key.vlan_id(),
          .protocol = tail.protocol,
          .tos = counters.tos,
          .tcp_flags = counters.tcp_flags,
          .end_reason = reason};
}

FlowRecord to_flow_record(const LinkKey& key, const FlowCounters& counters, EndReason reason) {
  return {.source_mac = {key.source},
          .destination_mac = {key.destination},
          .octets = counters.octets,
          .packets = counters.packets,
          .first_ns = counters.first_ns,
          .last_ns = counters.last_ns,
          .vlan_id = key.vlan_id,
          .ether_type = key.ether_type,
          .end_reason = reason,
          .without_ip = true};
}

// Reads a delta's table from front to back.
template <typename Key>
struct Cursor {
  static constexpr uint64_t kEnd = UINT64_MAX;

  const MeterTable<Key>& table;
  uint32_t at = 0;

  // Of the next entry; no two entries of a delta have the same.
  [[nodiscard]] uint64_t ordinal() const { return at < table.size() ? table[at].ordinal : kEnd; }
};

}  // namespace

Ledger::Ledger(const LedgerOptions& options, const KeyedHash& hash, LedgerOutput output)
    : options_(options),
      hash_(hash),
      output_(std::move(output)),
      directory_(options.flows_max),
      records_(options.flows_max, horizon_of(options.timeouts)),
      ipv4_datagrams_(hash),
      ipv6_datagrams_(hash),
      due_(options.flows_max) {
  batch_.reserve(kRecordsDelivered);
}

size_t Ledger::octets(uint32_t flows_max) {
  return RecordTable::octets(flows_max) + FlowDirectory::octets(flows_max) +
         flows_max * sizeof(Due) + DatagramTable<Ipv4Key>::octets() +
         DatagramTable<Ipv6Key>::octets();
}

void Ledger::merge(const Delta& delta) {
  if (delta.second != second_) {  // the first delta, or the first behind a restart
    CHECK(is_idle());
    second_ = delta.second;
  }
  next_mark_ = second_ + 1;
  packets_before_ = counts_.packets.received;
  counts_.packets += delta.counts;
  if (delta.link) {
    merge_in_order(delta.ipv4, delta.ipv6, *delta.link);
  } else {
    merge_in_order(delta.ipv4, delta.ipv6);
  }
}

// All tables as one, in the order of first packets: the order in which records are opened and
// evicted.
template <typename... Key>
void Ledger::merge_in_order(const MeterTable<Key>&... tables) {
  std::tuple cursors{Cursor<Key>{tables}...};
  std::apply(
      [this](auto&... cursor) {
        for (;;) {
          const uint64_t first = std::min({cursor.ordinal()...});
          if (first == Cursor<Ipv4Key>::kEnd) return;
          const auto merge_if_first = [&](auto& one) {
            if (one.ordinal() != first) return false;
            merge_entry(one.table, one.at++);
            return true;
          };
          static_cast<void>((merge_if_first(cursor) || ...));
        }
      },
      cursors);
}

template <typename Key>
CLERK_ALWAYS_INLINE void Ledger::merge_entry(const MeterTable<Key>& table, uint32_t at) {
  prefetch(table, at);
  const MeterEntry<Key>& entry = table[at];
  if constexpr (Key::kKind != FlowKind::Link) {
    if (entry.key.is_datagram()) [[unlikely]]
      return merge_fragments(entry);
  }
  add(entry.key, entry.hash, counters_of(entry));
}

template <typename Key>
CLERK_ALWAYS_INLINE void Ledger::prefetch(const MeterTable<Key>& table, uint32_t entry) const {
  if (entry + kPrefetchLine < table.size()) directory_.prefetch(table[entry + kPrefetchLine].hash);
  if (entry + kPrefetchRecord >= table.size()) return;
  const uint32_t record = directory_.guess(table[entry + kPrefetchRecord].hash);
  if (record != FlowDirectory::kNone) records_.prefetch<Key>(record);
}

template <typename Key>
FlowCounters Ledger::counters_of(const MeterEntry<Key>& entry) const {
  constexpr uint8_t kEnds = wire::tcp_flag::kFin | wire::tcp_flag::kRst;
  // A live delta may hold the first packets of the next second too.
  const auto end_second = [&] {
    return std::clamp(whole_seconds(entry.last_ns), second_, second_ + 1) + 1 + kEndTicks;
  };
  const bool ends = (entry.tcp_flags & kEnds) != 0;
  return {.octets = entry.octets,
          .packets = entry.packets,
          .first_ns = entry.first_ns,
          .last_ns = entry.last_ns,
          .ordinal = packets_before_ + entry.ordinal,
          .end_second = ends ? end_second() : FlowCounters::kNotEnded,
          .tcp_flags = entry.tcp_flags,
          .tos = entry.tos,
          .marks = entry.marks};
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
  const FlowCounters counters = counters_of(entry);
  std::optional<TransportKey> transport = table.find(entry.key);
  if ((entry.marks & mark::kHasFirst) != 0) {
    transport = {entry.noted_source_port, entry.noted_destination_port, entry.noted_protocol};
    table.learn(entry.key, *transport, second_, [&](const WaitingFragments<Key>& waited) {
      const Key key = flow_of(waited.key, *transport);
      add(key, hash_(key), waited.counters);
    });
  }
  if (transport) {
    const Key key = flow_of(entry.key, *transport);
    add(key, hash_(key), counters);
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
  add(key, hash_(key), fragments.counters);
}

template <typename Key>
void Ledger::add(const Key& key, uint64_t hash, const FlowCounters& counters) {
  const uint32_t record = add_to_record(key, hash, counters);
  if (observer_ != nullptr) [[unlikely]]
    observer_->counted(counters.ordinal, record);
}

// Returns the record, which may be a new one.
template <typename Key>
uint32_t Ledger::add_to_record(const Key& key, uint64_t hash, const FlowCounters& counters) {
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
    records_.wheel().add(record, due_second(held, options_.timeouts), next_mark_);
  }
  return record;
}

template <typename Key>
uint32_t Ledger::open(const Key& key, uint64_t hash, const FlowCounters& counters) {
  if (records_.held() == options_.flows_max) evict_oldest();
  if (directory_.is_crowded()) grow_directory();
  const uint32_t record = records_.open(key, counters);
  directory_.insert(hash, record);
  records_.wheel().add(record, due_second(counters, options_.timeouts), next_mark_);
  ++counts_.flows_created;
  return record;
}

void Ledger::grow_directory() {
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

bool Ledger::is_superseded(uint32_t record) const {
  return (records_.counters(record).marks & mark::kSuperseded) != 0;
}

uint64_t Ledger::hash_of(uint32_t record) const {
  switch (records_.kind(record)) {
    case FlowKind::Ipv4: return hash_(records_.key<Ipv4Key>(record));
    case FlowKind::Ipv6: return hash_(records_.key<Ipv6Key>(record));
    case FlowKind::Link: return hash_(records_.key<LinkKey>(record));
  }
  std::unreachable();
}

void Ledger::advance_to(uint32_t second) {
  // With nothing held the ticks in between have nothing to do, however many they are.
  for (next_mark_ = second_ + 1; next_mark_ <= second && !is_idle(); ++next_mark_)
    tick(next_mark_);
  second_ = second;
  output_.tick(second);
}

void Ledger::tick(uint32_t second) {
  expire_datagrams<Ipv4Key>(second);
  expire_datagrams<Ipv6Key>(second);
  collect_due(second);
  if (due_count_ > 0 || !batch_.empty()) {
    release_due();
    output_.tick(second);
  }
  if constexpr (kDebugChecks) check_conservation();
}

template <typename Key>
void Ledger::expire_datagrams(uint32_t second) {
  datagrams<Key>().expire(second,
                          [this](const WaitingFragments<Key>& orphan) { add_orphan(orphan); });
}

void Ledger::add_due(uint32_t record, EndReason reason) {
  due_[due_count_++] = {records_.counters(record).ordinal, record, reason};
}

void Ledger::collect_due(uint32_t second) {
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
void Ledger::judge(uint32_t record, uint32_t second) {
  const FlowCounters& held = records_.counters(record);
  const uint32_t due = due_second(held, options_.timeouts);
  if (due <= second) {
    add_due(record, due_reason(held, options_.timeouts, second));
  } else if (is_ahead_of_clock(held, second)) {
    add_due(record, EndReason::ForcedEnd);
  } else {
    records_.wheel().add(record, due, second);
  }
}

void Ledger::release_all() {
  expire_datagrams<Ipv4Key>(UINT32_MAX);
  expire_datagrams<Ipv6Key>(UINT32_MAX);
  collect_all();
  release_due();
  output_.tick(second_ + 1);
  if constexpr (kDebugChecks) check_conservation();
}

void Ledger::collect_all() {
  for (uint32_t record = records_.oldest(); record != RecordTable::kNone;
       record = records_.next(record)) {
    const FlowCounters& held = records_.counters(record);
    records_.wheel().remove(record);
    add_due(record, held.ended() ? EndReason::EndDetected : EndReason::ForcedEnd);
  }
}

void Ledger::restart() {
  release_all();
  ++counts_.clock_restarts;
}

void Ledger::evict_oldest() {
  const uint32_t record = records_.oldest();
  records_.wheel().remove(record);
  const bool ended = records_.counters(record).ended();
  release(record, ended ? EndReason::EndDetected : EndReason::LackOfResources, hash_of(record));
}

// Records leave in the order of their first packets.
void Ledger::release_due() {
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
  deliver();
}

// The directory's lines of all are on their way before the first is needed.
void Ledger::release_batch(std::span<const Due> batch) {
  std::array<uint64_t, kBatchRecords> hashes;
  for (size_t i = 0; i < batch.size(); ++i) {
    hashes[i] = hash_of(batch[i].record);
    directory_.prefetch(hashes[i]);
  }
  for (size_t i = 0; i < batch.size(); ++i)
    release(batch[i].record, batch[i].reason, hashes[i]);
}

void Ledger::release(uint32_t record, EndReason reason, uint64_t hash) {
  switch (records_.kind(record)) {
    case FlowKind::Ipv4: release_as<Ipv4Key>(record, reason, hash); break;
    case FlowKind::Ipv6: release_as<Ipv6Key>(record, reason, hash); break;
    case FlowKind::Link: release_as<LinkKey>(record, reason, hash); break;
  }
  if (batch_.size() == kRecordsDelivered) deliver();
}

template <typename Key>
void Ledger::release_as(uint32_t record, EndReason reason, uint64_t hash) {
  const Key key = records_.key<Key>(record);
  const FlowCounters& held = records_.counters(record);
  if (!is_superseded(record)) directory_.remove(hash, record);
  batch_.push_back(to_flow_record(key, held, reason));
  ++counts_.records_exported;
  counts_.packets_exported += held.packets;
  counts_.octets_exported += held.octets;
  records_.close(record);
  if (observer_ != nullptr) observer_->released(record);
}

void Ledger::deliver() {
  if (!batch_.empty()) output_.records(batch_, next_mark_);
  batch_.clear();
}

bool Ledger::is_idle() const {
  return records_.held() == 0 && ipv4_datagrams_.empty() && ipv6_datagrams_.empty() &&
         batch_.empty();
}

// Invariant: each packet received is metered or ignored; each metered one is exported or held. So
// are octets.
void Ledger::check_conservation() const {
  uint64_t packets = 0;
  uint64_t octets = 0;
  ipv4_datagrams_.add_waiting_to(packets, octets);
  ipv6_datagrams_.add_waiting_to(packets, octets);
  for (uint32_t i = records_.oldest(); i != RecordTable::kNone; i = records_.next(i)) {
    packets += records_.counters(i).packets;
    octets += records_.counters(i).octets;
  }
  CHECK(counts_.packets.received == counts_.packets.metered + counts_.packets.ignored_total());
  CHECK(counts_.packets.metered == counts_.packets_exported + packets);
  CHECK(counts_.packets.octets_metered == counts_.octets_exported + octets);
}

}  // namespace clerk
