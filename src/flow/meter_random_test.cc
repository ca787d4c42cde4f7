// The meter against a twin that takes one packet at a time and keeps its entries in a map.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flow/flow_test_support.h"
#include "flow/meter.h"

namespace clerk {
namespace {

using wire::tcp_flag::kAck;
using wire::tcp_flag::kFin;
using wire::tcp_flag::kRst;
using wire::tcp_flag::kSyn;

constexpr uint64_t kTime = 1'700'000'000 * kSecond;

struct TwinEntry {
  DescribedPacket first_packet;
  uint32_t ordinal = 0;
  uint64_t packets = 0;
  uint64_t octets = 0;
  uint64_t first_ns = UINT64_MAX;
  uint64_t last_ns = 0;
  uint8_t tcp_flags = 0;
  bool beyond_syn = false;
  std::optional<TransportKey> noted = {};
};

TransportKey ports_of(const DescribedPacket& packet) {
  return {packet.source_port, packet.destination_port, packet.protocol};
}

class MeterTwin {
 public:
  explicit MeterTwin(size_t entries_max) : entries_max_(entries_max) {}

  void count(const DescribedPacket& packet) {
    const uint32_t ordinal = received_++;
    if (packet.time_ns >= kTimeEnd) return;
    TwinEntry* entry = entry_for(packet, ordinal);
    if (entry == nullptr) {
      ++without_room_;
      return;
    }
    ++entry->packets;
    entry->octets += packet.octets;
    entry->first_ns = std::min(entry->first_ns, packet.time_ns);
    entry->last_ns = std::max(entry->last_ns, packet.time_ns);
    const uint8_t flags = flags_of(packet);
    entry->tcp_flags |= flags;
    const bool plain_syn = (flags & kSyn) != 0 && (flags & (kFin | kRst)) == 0;
    entry->beyond_syn = entry->beyond_syn || !plain_syn;
    if (packet.part == DatagramPart::First) entry->noted = ports_of(packet);
  }

  [[nodiscard]] const std::vector<TwinEntry>& entries(FlowKind kind) const {
    return entries_[static_cast<size_t>(kind)];
  }
  [[nodiscard]] uint32_t received() const { return received_; }
  [[nodiscard]] uint64_t without_room() const { return without_room_; }

 private:
  static uint8_t flags_of(const DescribedPacket& packet) {
    return packet.protocol == wire::protocol::kTcp ? packet.tcp_flags : uint8_t{0};
  }

  static std::string name_of(const DescribedPacket& packet) {
    const bool whole = packet.part == DatagramPart::Whole;
    return fmt::format("{} {} {} {} {} {} {} {}", packet.source_host, packet.protocol,
                       packet.tos >> 2, packet.vlan_id, whole,
                       whole ? packet.source_port : packet.identification,
                       whole ? packet.destination_port : 0, packet.ether_type);
  }

  static bool opens_second(const TwinEntry& entry, const DescribedPacket& packet) {
    switch (packet.part) {
      case DatagramPart::Whole: return (flags_of(packet) & kSyn) != 0 && entry.beyond_syn;
      case DatagramPart::First: return entry.noted != ports_of(packet);
      case DatagramPart::Later: break;
    }
    return false;
  }

  TwinEntry* entry_for(const DescribedPacket& packet, uint32_t ordinal) {
    const bool ip = packet.ether_type == 0;
    const auto kind = static_cast<size_t>(ip ? kind_of(packet.version) : FlowKind::Link);
    auto& entries = entries_[kind];
    auto& newest = newest_[kind];
    const auto found = newest.find(name_of(packet));
    if (found != newest.end() && !opens_second(entries[found->second], packet))
      return &entries[found->second];
    if (entries.size() == entries_max_) {
      const bool known = found != newest.end() && packet.part == DatagramPart::Whole;
      return known ? &entries[found->second] : nullptr;
    }
    newest[name_of(packet)] = entries.size();
    return &entries.emplace_back(packet, ordinal);
  }

  size_t entries_max_;
  std::array<std::vector<TwinEntry>, kFlowKinds.size()> entries_;
  std::array<std::map<std::string, size_t>, kFlowKinds.size()> newest_;
  uint32_t received_ = 0;
  uint64_t without_room_ = 0;
};

template <typename Key>
Key key_of(const DescribedPacket& packet) {
  Key key{};
  std::memcpy(key.source.data(), address_of(Key::kVersion, packet.source_host).octets.data(),
              Key::kAddressOctets);
  std::memcpy(key.destination.data(),
              address_of(Key::kVersion, packet.destination_host).octets.data(),
              Key::kAddressOctets);
  key.tail = {.source_port = packet.source_port,
              .destination_port = packet.destination_port,
              .protocol = packet.protocol,
              .dscp = static_cast<uint8_t>(packet.tos >> 2),
              .vlan_and_datagram = packet.vlan_id};
  if (packet.part != DatagramPart::Whole) {
    key.tail.source_port = 0;
    key.tail.destination_port = packet.identification;
    key.tail.vlan_and_datagram |= kDatagramBit;
  }
  return key;
}

template <>
LinkKey key_of(const DescribedPacket& packet) {
  return {.source = mac_of(packet.source_host).octets,
          .destination = mac_of(packet.destination_host).octets,
          .ether_type = packet.ether_type,
          .vlan_id = packet.vlan_id};
}

template <typename Key>
void expect_same_entry(const MeterEntry<Key>& entry, const TwinEntry& twin) {
  EXPECT_EQ(entry.key, key_of<Key>(twin.first_packet));
  EXPECT_EQ(entry.ordinal, twin.ordinal);
  EXPECT_EQ(entry.packets, twin.packets);
  EXPECT_EQ(entry.octets, twin.octets);
  EXPECT_EQ(entry.first_ns, twin.first_ns);
  EXPECT_EQ(entry.last_ns, twin.last_ns);
  EXPECT_EQ(entry.tcp_flags, twin.tcp_flags);
  EXPECT_EQ(entry.tos, twin.first_packet.tos);
  const bool is_tcp = twin.first_packet.protocol == wire::protocol::kTcp;
  const bool syn_opened = is_tcp && (twin.first_packet.tcp_flags & kSyn) != 0;
  EXPECT_EQ((entry.marks & mark::kSynOpened) != 0, syn_opened);
  EXPECT_EQ((entry.marks & mark::kHasFirst) != 0, twin.noted.has_value());
  if (!twin.noted) return;
  const TransportKey noted{entry.noted_source_port, entry.noted_destination_port,
                           entry.noted_protocol};
  EXPECT_EQ(noted, *twin.noted);
}

template <typename Key>
void expect_same_entries(const MeterTable<Key>& table, const std::vector<TwinEntry>& twins) {
  ASSERT_EQ(table.size(), twins.size());
  for (uint32_t i = 0; i < table.size() && !::testing::Test::HasFailure(); ++i)
    expect_same_entry(table[i], twins[i]);
}

DescribedPacket random_frame_without_ip(Dice& dice) {
  return {.time_ns = dice.one_in(50) ? kTimeEnd : kTime + dice.below(1000),
          .source_host = static_cast<uint8_t>(dice.below(8)),
          .protocol = 0,
          .vlan_id = dice.one_of<uint16_t>({0, 5}),
          .octets = static_cast<uint32_t>(60 + dice.below(1000)),
          .ether_type = dice.one_of<uint16_t>({0x0806, 0x88cc})};
}

DescribedPacket random_packet(Dice& dice) {
  if (dice.one_in(5)) return random_frame_without_ip(dice);
  DescribedPacket packet{.time_ns = kTime + dice.below(1000),
                         .version = dice.one_of({IpVersion::V4, IpVersion::V6}),
                         .source_host = static_cast<uint8_t>(dice.below(3)),
                         .protocol = dice.one_of<uint8_t>({6, 17}),
                         .source_port = static_cast<uint16_t>(dice.below(3)),
                         .vlan_id = dice.one_of<uint16_t>({0, 0, 5}),
                         .tos = dice.one_of<uint8_t>({0, 1, 0x28}),
                         .octets = static_cast<uint32_t>(100 + dice.below(1000)),
                         .identification = static_cast<uint16_t>(dice.below(3))};
  if (dice.one_in(50)) packet.time_ns = kTimeEnd;
  if (packet.protocol == wire::protocol::kTcp) {
    packet.tcp_flags =
        dice.one_of<uint8_t>({kAck, kAck, kSyn, kSyn | kAck, kFin | kAck, kSyn | kRst});
  } else {
    packet.part = dice.one_of({DatagramPart::Whole, DatagramPart::First, DatagramPart::Later});
  }
  return packet;
}

TEST(MeterAndTwin, AgreeOnRandomBatches) {
  for (const uint32_t entries : {16U, 64U, 1024U}) {
    Dice dice(entries);
    const KeyedHash hash;
    Meter meter(hash);
    Delta delta(DeltaCapacity{.ipv4 = entries, .ipv6 = entries, .link = entries});
    for (int round = 0; round < 20; ++round) {
      MeterTwin twin(entries);
      delta.clear();
      for (int batch = 0; batch < 20; ++batch) {
        std::vector<DescribedPacket> packets(1 + dice.below(uint64_t{2} * Meter::kBatch));
        std::ranges::generate(packets, [&] { return random_packet(dice); });
        count_all(meter, packets, delta);
        for (const DescribedPacket& packet : packets)
          twin.count(packet);
      }
      expect_same_entries(delta.ipv4, twin.entries(FlowKind::Ipv4));
      expect_same_entries(delta.ipv6, twin.entries(FlowKind::Ipv6));
      expect_same_entries(*delta.link, twin.entries(FlowKind::Link));
      ASSERT_EQ(delta.counts.received, twin.received());
      ASSERT_EQ(delta.counts.ignored[static_cast<size_t>(Stop::LackOfResources)],
                twin.without_room());
      ASSERT_EQ(delta.counts.received, delta.counts.metered + delta.counts.ignored_total());
      ASSERT_FALSE(HasFailure());
    }
  }
}

}  // namespace
}  // namespace clerk
