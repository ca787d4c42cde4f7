// What the ledger is held against in tests and in a fuzzer: a slow twin, which takes one packet at
// a time, keeps everything in plain lists and maps and looks at all of it every second; and the
// ledger driven as the pipeline drives it, with deltas cut wherever a test likes.
//
// The twin knows every limit but that of datagrams: a test keeps below it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "flow/flow_test_support.h"

namespace clerk::ledger_twin {

// Some packets of one flow. The description of the first stands for all that makes the flow.
struct TwinCount {
  DescribedPacket flow;
  uint64_t ordinal;
  uint64_t packets;
  uint64_t octets;
  uint64_t first_ns;
  uint64_t last_ns;
  uint8_t tcp_flags;
  std::optional<uint32_t> end_tick;
};

struct TwinHeld {
  TwinCount count;
  bool superseded = false;
};

struct TwinDatagram {
  std::optional<DescribedPacket> first;
  std::vector<TwinCount> waiting;
  uint32_t forgotten_at;
};

using DatagramName = decltype(datagram_name({}));

inline void join(TwinCount& count, const TwinCount& other) {
  if (other.ordinal < count.ordinal) {
    count.flow.tos = other.flow.tos;
    count.ordinal = other.ordinal;
  }
  count.packets += other.packets;
  count.octets += other.octets;
  count.first_ns = std::min(count.first_ns, other.first_ns);
  count.last_ns = std::max(count.last_ns, other.last_ns);
  count.tcp_flags |= other.tcp_flags;
  if (!count.end_tick) count.end_tick = other.end_tick;
}

class LedgerTwin {
 public:
  explicit LedgerTwin(const LedgerOptions& options) : options_(options) {}

  // Moves the clock to the packet's time and counts it.
  void take(const DescribedPacket& packet) {
    if (now_ns_ && packet.time_ns + options_.timeouts.idle_ns < *now_ns_) {
      release_all();
      now_ns_.reset();
    }
    if (!now_ns_) second_ = whole_seconds(packet.time_ns);
    now_ns_ = std::max(now_ns_.value_or(0), packet.time_ns);
    while (second_ < whole_seconds(*now_ns_))
      tick(++second_);
    count(packet);
  }

  void release_all() {
    expire_datagrams(UINT32_MAX);
    release_if(second_ + 1, [](const TwinCount&) { return EndReason::ForcedEnd; });
  }

  [[nodiscard]] const std::vector<Released>& released() const { return released_; }
  [[nodiscard]] uint64_t flows_created() const { return flows_created_; }
  [[nodiscard]] uint64_t orphaned() const { return orphaned_; }

 private:
  static constexpr size_t kWaitingPerDatagram = 16;

  void count(const DescribedPacket& packet) {
    const bool ends = (packet.tcp_flags & (wire::tcp_flag::kFin | wire::tcp_flag::kRst)) != 0;
    const TwinCount one{.flow = packet,
                        .ordinal = next_ordinal_++,
                        .packets = 1,
                        .octets = packet.octets,
                        .first_ns = packet.time_ns,
                        .last_ns = packet.time_ns,
                        .tcp_flags = packet.tcp_flags,
                        .end_tick = ends ? std::optional(second_ + 3) : std::nullopt};
    packet.part == DatagramPart::Whole ? add(one) : add_fragment(one);
  }

  void add_fragment(TwinCount one) {
    const auto [at, is_new] = datagrams_.try_emplace(datagram_name(one.flow));
    TwinDatagram& datagram = at->second;
    const bool first = one.flow.part == DatagramPart::First;
    if (is_new || first) datagram.forgotten_at = second_ + 30;
    if (first) {
      datagram.first = one.flow;
      for (const TwinCount& waited : std::exchange(datagram.waiting, {}))
        add_with_ports(waited, *datagram.first);
    }
    if (datagram.first) return add_with_ports(one, *datagram.first);
    one.flow.source_port = 0;
    one.flow.destination_port = 0;
    const auto same = std::ranges::find_if(datagram.waiting, [&](const TwinCount& waited) {
      return flow_name(waited.flow) == flow_name(one.flow);
    });
    if (same != datagram.waiting.end()) return join(*same, one);
    if (datagram.waiting.size() == kWaitingPerDatagram) return add_orphan(one);
    datagram.waiting.push_back(one);
  }

  void add_orphan(const TwinCount& orphan) {
    orphaned_ += orphan.packets;
    add(orphan);
  }

  void add_with_ports(TwinCount count, const DescribedPacket& first) {
    count.flow.source_port = first.source_port;
    count.flow.destination_port = first.destination_port;
    add(count);
  }

  void add(const TwinCount& count) {
    const auto held = std::ranges::find_if(held_, [&](const TwinHeld& candidate) {
      return !candidate.superseded && flow_name(candidate.count.flow) == flow_name(count.flow);
    });
    const bool is_syn = (count.tcp_flags & wire::tcp_flag::kSyn) != 0;
    if (held != held_.end() && !(is_syn && held->count.end_tick)) return join(held->count, count);
    if (held != held_.end()) held->superseded = true;
    if (held_.size() == options_.flows_max) evict_oldest();
    held_.push_back({count});
    ++flows_created_;
  }

  void evict_oldest() {
    report(held_.front().count, EndReason::LackOfResources, second_ + 1);
    held_.erase(held_.begin());
  }

  void tick(uint32_t second) {
    expire_datagrams(second);
    const uint64_t now_ns = second * kSecond;
    release_if(second, [&](const TwinCount& count) -> std::optional<EndReason> {
      const bool is_active = count.first_ns + options_.timeouts.active_ns <= now_ns;
      const bool is_idle = count.last_ns + options_.timeouts.idle_ns <= now_ns;
      if (count.end_tick) {
        return *count.end_tick <= second ? std::optional(EndReason::EndDetected) : std::nullopt;
      }
      if (is_active) return EndReason::ActiveTimeout;
      return is_idle ? std::optional(EndReason::IdleTimeout) : std::nullopt;
    });
  }

  template <typename ReasonOf>
  void release_if(uint32_t second, ReasonOf reason_of) {
    std::ranges::sort(held_, {}, [](const TwinHeld& held) { return held.count.ordinal; });
    std::erase_if(held_, [&](const TwinHeld& held) {
      const std::optional<EndReason> reason = reason_of(held.count);
      if (reason) report(held.count, *reason, second);
      return reason.has_value();
    });
  }

  void expire_datagrams(uint32_t second) {
    std::erase_if(datagrams_, [&](auto& item) {
      if (item.second.forgotten_at > second) return false;
      for (const TwinCount& orphan : item.second.waiting)
        add_orphan(orphan);
      return true;
    });
  }

  void report(const TwinCount& count, EndReason reason, uint32_t second) {
    const DescribedPacket& flow = count.flow;
    if (flow.ether_type != 0) return report_without_ip(count, reason, second);
    const bool is_icmp = flow.protocol == 1 || flow.protocol == 58;
    released_.push_back({{.source = address_of(flow.version, flow.source_host),
                          .destination = address_of(flow.version, flow.destination_host),
                          .octets = count.octets,
                          .packets = count.packets,
                          .first_ns = count.first_ns,
                          .last_ns = count.last_ns,
                          .source_port = flow.source_port,
                          .destination_port = is_icmp ? uint16_t{0} : flow.destination_port,
                          .icmp_type_code = is_icmp ? flow.destination_port : uint16_t{0},
                          .vlan_id = flow.vlan_id,
                          .protocol = flow.protocol,
                          .tos = flow.tos,
                          .tcp_flags = count.tcp_flags,
                          .end_reason = count.end_tick ? EndReason::EndDetected : reason},
                         second});
  }

  void report_without_ip(const TwinCount& count, EndReason reason, uint32_t second) {
    const DescribedPacket& flow = count.flow;
    released_.push_back({{.source_mac = mac_of(flow.source_host),
                          .destination_mac = mac_of(flow.destination_host),
                          .octets = count.octets,
                          .packets = count.packets,
                          .first_ns = count.first_ns,
                          .last_ns = count.last_ns,
                          .vlan_id = flow.vlan_id,
                          .ether_type = flow.ether_type,
                          .end_reason = reason,
                          .without_ip = true},
                         second});
  }

  LedgerOptions options_;
  std::optional<uint64_t> now_ns_;
  uint32_t second_ = 0;
  uint64_t next_ordinal_ = 0;
  std::vector<TwinHeld> held_;
  std::map<DatagramName, TwinDatagram> datagrams_;
  std::vector<Released> released_;
  uint64_t flows_created_ = 0;
  uint64_t orphaned_ = 0;
};

// --- The ledger, driven as the pipeline drives it ---

// How many packets go into one delta; a delta also ends where the clock moves.
using Cut = std::function<size_t()>;

class LedgerRun {
 public:
  LedgerRun(const LedgerOptions& options, Cut cut)
      : options_(options), cut_(std::move(cut)), ledger_(options) {}

  void take_all(std::span<const DescribedPacket> packets) {
    for (const DescribedPacket& packet : packets)
      take(packet);
    hand_over();
    ledger_.ledger().release_all();
  }

  TestLedger& ledger() { return ledger_; }

 private:
  void take(const DescribedPacket& packet) {
    if (!now_ns_) now_ns_ = packet.time_ns;
    if (packet.time_ns + options_.timeouts.idle_ns < *now_ns_) {
      hand_over();
      ledger_.ledger().restart();
      now_ns_ = packet.time_ns;
    } else if (whole_seconds(packet.time_ns) > whole_seconds(*now_ns_)) {
      hand_over();
      ledger_.ledger().advance_to(whole_seconds(packet.time_ns));
    } else if (pending_.size() >= room_) {
      hand_over();
    }
    now_ns_ = std::max(*now_ns_, packet.time_ns);
    pending_.push_back(packet);
  }

  void hand_over() {
    if (now_ns_) ledger_.merge(whole_seconds(*now_ns_), pending_);
    pending_.clear();
    room_ = cut_();
  }

  LedgerOptions options_;
  Cut cut_;
  TestLedger ledger_;
  std::optional<uint64_t> now_ns_;
  std::vector<DescribedPacket> pending_;
  size_t room_ = 1;
};

}  // namespace clerk::ledger_twin
