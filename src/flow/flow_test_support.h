// For the tests of this folder: described packets through a meter into deltas and through a ledger,
// and the records that come out as text, which compares and prints well.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/time.h"
#include "decode/wire.h"
#include "flow/ledger.h"
#include "flow/meter.h"
#include "testing/described_packet.h"

namespace clerk {

inline constexpr uint64_t kSecond = kNanosecondsPerSecond;

// Described packets as a source would hand them on, with the memory they point into.
class TestPackets {
 public:
  explicit TestPackets(std::span<const DescribedPacket> described) {
    frames_.reserve(described.size());
    for (const DescribedPacket& packet : described) {
      const auto& frame = frames_.emplace_back(frame_of(packet));
      const auto octets = static_cast<uint32_t>(frame.size());
      packets_.push_back({.data = frame.data(),
                          .time_ns = packet.time_ns,
                          .captured_octets = octets,
                          .wire_octets = octets,
                          .link_type = LinkType::Ethernet});
    }
  }

  [[nodiscard]] std::span<const Packet> all() const { return packets_; }

 private:
  std::vector<std::vector<uint8_t>> frames_;
  std::vector<Packet> packets_;
};

inline void count_all(Meter& meter, std::span<const DescribedPacket> described, Delta& delta) {
  const TestPackets packets(described);
  meter.count(packets.all(), delta);
}

// What makes two packets belong to one flow.
inline auto flow_name(const DescribedPacket& packet) {
  return std::tuple(packet.version, packet.source_host, packet.destination_host, packet.protocol,
                    packet.source_port, packet.destination_port, packet.tos >> 2, packet.vlan_id,
                    packet.ether_type);
}

// What makes two fragments belong to one datagram.
inline auto datagram_name(const DescribedPacket& packet) {
  return std::tuple(packet.version, packet.source_host, packet.destination_host, packet.protocol,
                    packet.identification);
}

// Everything that a record tells.
inline std::string to_text(const FlowRecord& record) {
  if (record.without_ip) {
    return fmt::format("{} > {} type {:#06x} vlan {}: {} packets {} octets {} to {} reason {}",
                       to_string(record.source_mac), to_string(record.destination_mac),
                       record.ether_type, record.vlan_id, record.packets, record.octets,
                       record.first_ns, record.last_ns, std::to_underlying(record.end_reason));
  }
  return fmt::format(
      "{} {} > {} {} protocol {} type {} vlan {} tos {} flags {:#x}: {} packets {} octets {} to {} "
      "reason {}",
      to_string(record.source), record.source_port, to_string(record.destination),
      record.destination_port, record.protocol, record.icmp_type_code, record.vlan_id, record.tos,
      record.tcp_flags, record.packets, record.octets, record.first_ns, record.last_ns,
      std::to_underlying(record.end_reason));
}

// A record as it was released, and at which tick.
struct Released {
  FlowRecord record;
  uint32_t second;
};

inline std::string to_text(const Released& released) {
  return fmt::format("at {}: {}", released.second, to_text(released.record));
}

// Timeouts and size as the command line has them by default, but for fewer flows.
inline LedgerOptions test_options() {
  return {.flows_max = 4096, .timeouts = {.idle_ns = 30 * kSecond, .active_ns = 60 * kSecond}};
}

// A meter and a ledger, and all records that were released.
class TestLedger {
 public:
  explicit TestLedger(const LedgerOptions& options = test_options())
      : meter_(hash_),
        ledger_(options, hash_,
                {.records =
                     [this](std::span<const FlowRecord> records, uint32_t second) {
                       for (const FlowRecord& record : records)
                         released_.push_back({record, second});
                     },
                 .tick = [this](uint32_t second) { ticks_.push_back(second); }}) {}

  // One delta of these packets, while the clock stands at this second.
  void merge(uint32_t second, std::span<const DescribedPacket> packets) {
    delta_.clear();
    delta_.second = second;
    count_all(meter_, packets, delta_);
    ledger_.merge(delta_);
  }
  void merge(uint32_t second, std::initializer_list<DescribedPacket> packets) {
    merge(second, std::span(packets.begin(), packets.size()));
  }

  Ledger& ledger() { return ledger_; }
  [[nodiscard]] const LedgerCounts& counts() const { return ledger_.counts(); }
  [[nodiscard]] const std::vector<uint32_t>& ticks() const { return ticks_; }

  // What was released since the last time.
  std::vector<Released> take() { return std::exchange(released_, {}); }

 private:
  static constexpr uint32_t kEntries = 1024;

  KeyedHash hash_;
  Meter meter_;
  Delta delta_{DeltaCapacity{.ipv4 = kEntries, .ipv6 = kEntries, .link = kEntries}};
  std::vector<Released> released_;
  std::vector<uint32_t> ticks_;
  Ledger ledger_;
};

// Random choices from a fixed seed: the same on every machine, which the distributions of the
// standard library are not.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}

  uint64_t below(uint64_t end) { return random_() % end; }
  bool one_in(uint64_t chances) { return below(chances) == 0; }
  template <typename T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
  }
  uint64_t bits() { return random_(); }

 private:
  std::mt19937_64 random_;
};

}  // namespace clerk
