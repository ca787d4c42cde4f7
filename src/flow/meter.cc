#include "flow/meter.h"

#include <algorithm>

#include "base/prefetch.h"
#include "base/time.h"
#include "decode/wire.h"
#include "flow/flow_counters.h"

namespace clerk {
namespace {

using wire::tcp_flag::kSyn;
constexpr uint8_t kOpensOrEnds = kSyn | wire::tcp_flag::kFin | wire::tcp_flag::kRst;

template <typename Key>
void note_first_fragment(MeterEntry<Key>& entry, const Headers& headers) {
  entry.marks |= mark::kHasFirst;
  entry.noted_source_port = headers.source_port;
  entry.noted_destination_port = headers.destination_port;
  entry.noted_protocol = headers.protocol;
}

template <typename Key>
bool has_noted(const MeterEntry<Key>& entry, const Headers& headers) {
  return (entry.marks & mark::kHasFirst) != 0 && entry.noted_source_port == headers.source_port &&
         entry.noted_destination_port == headers.destination_port &&
         entry.noted_protocol == headers.protocol;
}

// Whether this packet may not be added to the entry of its key, because the ledger, which knows
// what came before, may have to tell the two apart. A SYN behind anything but plain SYNs may begin
// a new connection. A first fragment behind later ones, or behind a first one with other ports, may
// belong to another datagram with the same identification.
template <typename Key>
bool opens_second_entry(const MeterEntry<Key>& entry, const Headers& headers) {
  if (headers.fragment != Fragment::Whole) [[unlikely]] {
    return headers.fragment == Fragment::First && !has_noted(entry, headers);
  }
  return (headers.tcp_flags & kSyn) != 0 && (entry.marks & mark::kBeyondSyn) != 0;
}

template <typename Key>
void begin_entry(MeterEntry<Key>& entry, uint64_t time_ns, uint32_t ordinal) {
  entry.octets = 0;
  entry.first_ns = time_ns;
  entry.last_ns = time_ns;
  entry.packets = 0;
  entry.ordinal = ordinal;
  entry.tcp_flags = 0;
  entry.tos = 0;
  entry.marks = 0;
}

template <typename Key>
void begin_entry(MeterEntry<Key>& entry, const Headers& headers, uint64_t time_ns,
                 uint32_t ordinal) {
  begin_entry(entry, time_ns, ordinal);
  entry.tos = headers.tos;
  entry.marks = (headers.tcp_flags & kSyn) != 0 ? mark::kSynOpened : uint8_t{0};
}

template <typename Key>
void add_octets(MeterEntry<Key>& entry, uint32_t octets, uint64_t time_ns) {
  entry.octets += octets;
  ++entry.packets;
  entry.first_ns = std::min(entry.first_ns, time_ns);
  entry.last_ns = std::max(entry.last_ns, time_ns);
}

template <typename Key>
void add_packet(MeterEntry<Key>& entry, const Headers& headers, uint64_t time_ns) {
  add_octets(entry, headers.octets, time_ns);
  entry.tcp_flags |= headers.tcp_flags;
  if ((headers.tcp_flags & kOpensOrEnds) != kSyn) entry.marks |= mark::kBeyondSyn;
  if (headers.fragment == Fragment::First) [[unlikely]]
    note_first_fragment(entry, headers);
}

// The entry that a packet of this key is to be added to, or none when the table is full. A SYN that
// finds no room for a second entry is still a packet of a known flow.
template <typename Key>
MeterEntry<Key>* entry_for(MeterTable<Key>& table, const Key& key, uint64_t hash,
                           const Headers& headers, uint64_t time_ns, uint32_t ordinal) {
  auto found = table.find_or_insert(key, hash);
  if (found.entry == nullptr) return nullptr;
  if (!found.is_new && opens_second_entry(*found.entry, headers)) {
    const auto second = table.supersede(key, hash);
    if (second.entry != nullptr || headers.fragment != Fragment::Whole) found = second;
  }
  if (found.entry != nullptr && found.is_new) begin_entry(*found.entry, headers, time_ns, ordinal);
  return found.entry;
}

template <typename Key>
Stop count_one(MeterTable<Key>& table, const Key& key, uint64_t hash, const Headers& headers,
               uint64_t time_ns, uint32_t mtu, PacketCounts& counts) {
  const auto ordinal = static_cast<uint32_t>(counts.received);
  MeterEntry<Key>* entry = entry_for(table, key, hash, headers, time_ns, ordinal);
  if (entry == nullptr) return Stop::LackOfResources;
  add_packet(*entry, headers, time_ns);
  ++counts.metered;
  counts.octets_metered += headers.octets;
  counts.tcp_flags_missing += headers.tcp_flags_missing ? 1 : 0;
  counts.decapsulated += headers.decapsulated ? 1 : 0;
  counts.super_packets += headers.octets_on_link > mtu ? 1 : 0;
  return Stop::Done;
}

// Whether a packet without a key of IP makes a flow by its link headers.
bool is_link_flow(Stop stop, const Delta& delta) {
  return delta.link.has_value() && (stop == Stop::NonIp || stop == Stop::Macsec);
}

// A packet without IP. Of its headers those of the link are valid, and nothing else.
Stop count_link(MeterTable<LinkKey>& table, const LinkKey& key, uint64_t hash,
                const LinkHeaders& headers, uint64_t time_ns, PacketCounts& counts) {
  const auto [entry, is_new] = table.find_or_insert(key, hash);
  if (entry == nullptr) return Stop::LackOfResources;
  if (is_new) begin_entry(*entry, time_ns, static_cast<uint32_t>(counts.received));
  add_octets(*entry, headers.octets, time_ns);
  ++counts.metered;
  counts.octets_metered += headers.octets;
  return Stop::Done;
}

}  // namespace

template <typename Key>
CLERK_ALWAYS_INLINE Meter::Keyed<Key> Meter::keyed(const Key& key,
                                                   const MeterTable<Key>& table) const {
  const uint64_t hash = hash_(key);
  table.prefetch_slot(hash);
  return {key, hash};
}

// A usable time is asked for last: rare packets lack one, and what else they hold may be of
// interest.
Stop Meter::decode(const Packet& packet, Headers& headers, LayerTrace* trace) const {
  const Stop stop = clerk::decode(packet, options_.tunnels, headers, trace);
  return packet.time_ns < kTimeEnd ? stop : Stop::BadTime;
}

// The headers of most packets lie on one or two lines, which one cannot know.
CLERK_ALWAYS_INLINE void prefetch_headers(const Packet& packet) {
  constexpr size_t kTransportAt = wire::kEthernetOctets + wire::kIpv4OctetsMin;
  prefetch_for_read(packet.data);
  prefetch_for_read(packet.data + kTransportAt + wire::kTcpFlagsAt);
}

CLERK_ALWAYS_INLINE void Meter::decode_all(std::span<const Packet> batch,
                                           std::span<const Packet> next, const Delta& delta) {
  for (size_t i = 0; i < batch.size(); ++i) {
    if (i < next.size()) prefetch_headers(next[i]);
    Pending& pending = pending_[i];
    pending.stop = decode(batch[i], pending.headers);
    if (pending.stop != Stop::Done) [[unlikely]] {
      if (is_link_flow(pending.stop, delta))
        pending.link = keyed(make_link_key(pending.headers), *delta.link);
    } else if (pending.headers.version == IpVersion::V4) {
      pending.ipv4 = keyed(make_key<Ipv4Key>(pending.headers), delta.ipv4);
    } else {
      pending.ipv6 = keyed(make_key<Ipv6Key>(pending.headers), delta.ipv6);
    }
  }
}

CLERK_ALWAYS_INLINE void Meter::prefetch_entries(size_t packets, const Delta& delta) {
  for (size_t i = 0; i < packets; ++i) {
    const Pending& pending = pending_[i];
    if (pending.stop != Stop::Done) continue;
    if (pending.headers.version == IpVersion::V4) {
      delta.ipv4.prefetch_entry(pending.ipv4.hash);
    } else {
      delta.ipv6.prefetch_entry(pending.ipv6.hash);
    }
  }
}

void Meter::count(std::span<const Packet> packets, Delta& delta) {
  const auto take_batch = [&packets] {
    const auto batch = packets.first(std::min<size_t>(packets.size(), kBatch));
    packets = packets.subspan(batch.size());
    return batch;
  };
  for (auto batch = take_batch(); !batch.empty();) {
    const auto next = take_batch();
    count_batch(batch, next, delta);
    batch = next;
  }
}

void Meter::count_batch(std::span<const Packet> batch, std::span<const Packet> next, Delta& delta) {
  decode_all(batch, next, delta);
  prefetch_entries(batch.size(), delta);
  PacketCounts& counts = delta.counts;
  for (size_t i = 0; i < batch.size(); ++i) {
    const Pending& pending = pending_[i];
    Stop stop = pending.stop;
    const uint64_t time_ns = batch[i].time_ns;
    if (stop == Stop::Done) [[likely]] {
      stop = pending.headers.version == IpVersion::V4
                 ? count_one(delta.ipv4, pending.ipv4.key, pending.ipv4.hash, pending.headers,
                             time_ns, options_.mtu, counts)
                 : count_one(delta.ipv6, pending.ipv6.key, pending.ipv6.hash, pending.headers,
                             time_ns, options_.mtu, counts);
    } else if (is_link_flow(stop, delta)) {
      stop = count_link(*delta.link, pending.link.key, pending.link.hash, pending.headers.link,
                        time_ns, counts);
    }
    if (stop != Stop::Done) ++counts.ignored[static_cast<size_t>(stop)];
    ++counts.received;
  }
}

}  // namespace clerk
