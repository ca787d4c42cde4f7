// The ledger against its slow twin, which takes one packet at a time, keeps everything in plain
// lists and maps and looks at all of it every second. Both must release the same records in the
// same order at the same ticks.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>

#include "flow/flow_test_support.h"

namespace clerk {
namespace {

using wire::tcp_flag::kAck;
using wire::tcp_flag::kFin;
using wire::tcp_flag::kPsh;
using wire::tcp_flag::kRst;
using wire::tcp_flag::kSyn;

// --- The twin ---

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

void join(TwinCount& count, const TwinCount& other) {
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
  void count(const DescribedPacket& packet) {
    const bool ends = (packet.tcp_flags & (kFin | kRst)) != 0;
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
    if (is_new || (first && datagram.first)) datagram.forgotten_at = second_ + 30;
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
    same != datagram.waiting.end() ? join(*same, one) : datagram.waiting.push_back(one);
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
    const bool is_syn = (count.tcp_flags & kSyn) != 0;
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
      for (const TwinCount& orphan : item.second.waiting) {
        orphaned_ += orphan.packets;
        add(orphan);
      }
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

constexpr size_t kWholeSecond = SIZE_MAX;

// --- Random traffic: few keys, so that everything that can happen to a flow happens ---

struct Traffic {
  bool fragments = true;
  bool restarts = true;
  bool late_packets = true;
};

class TrafficMaker {
 public:
  TrafficMaker(const Traffic& traffic, uint64_t seed) : traffic_(traffic), dice_(seed) {}

  std::vector<DescribedPacket> make(size_t packets) {
    std::vector<DescribedPacket> made;
    made.reserve(packets);
    for (size_t i = 0; i < packets; ++i)
      made.push_back(make_one());
    return made;
  }

 private:
  DescribedPacket make_one() {
    step_clock();
    DescribedPacket packet{
        .time_ns = now_ns_,
        .version = dice_.one_of({IpVersion::V4, IpVersion::V6}),
        .source_host = static_cast<uint8_t>(1 + dice_.below(2)),
        .protocol = wire::protocol::kUdp,
        .source_port = static_cast<uint16_t>(1000 + dice_.below(2)),
        .vlan_id = dice_.one_in(10) ? uint16_t{5} : uint16_t{0},
        .tos = dice_.one_of<uint8_t>({0, 0, 0, 1, 0x28}),
        .octets = static_cast<uint32_t>(100 + dice_.below(1000)),
    };
    if (traffic_.late_packets && dice_.one_in(10)) packet.time_ns -= dice_.below(3 * kSecond);
    choose_kind(packet);
    return packet;
  }

  void step_clock() {
    if (dice_.one_in(200)) {
      now_ns_ += dice_.below(90 * kSecond);
    } else if (traffic_.restarts && dice_.one_in(500)) {
      now_ns_ -= dice_.below(50 * kSecond);
    } else {
      now_ns_ += dice_.below(kSecond / 2);
    }
  }

  void choose_kind(DescribedPacket& packet) {
    switch (dice_.below(6)) {
      case 5: return lose_ip(packet);
      case 0: return make_icmp(packet);
      case 1: return traffic_.fragments ? make_fragment(packet) : make_tcp(packet);
      case 2: return;
      default: return make_tcp(packet);
    }
  }

  void make_tcp(DescribedPacket& packet) {
    packet.protocol = wire::protocol::kTcp;
    packet.vlan_id = 0;
    packet.tcp_flags = dice_.one_of<uint8_t>(
        {kAck, kAck, kAck, kPsh | kAck, kSyn, kSyn | kAck, kFin | kAck, kRst, kSyn | kRst, 0});
  }

  void lose_ip(DescribedPacket& packet) {
    packet.version = IpVersion::V4;
    packet.protocol = 0;
    packet.source_port = 0;
    packet.tos = 0;
    packet.ether_type = dice_.one_of<uint16_t>({0x0806, 0x0806, 0x88cc});
  }

  void make_icmp(DescribedPacket& packet) {
    packet.protocol =
        packet.version == IpVersion::V4 ? wire::protocol::kIcmp : wire::protocol::kIcmpV6;
    packet.source_port = 0;
    packet.destination_port = dice_.one_of<uint16_t>({0x0800, 0x8000});
  }

  // Of a low identification the fragments differ in tag and DSCP; a high one is used again by
  // other datagrams, of other ports.
  void make_fragment(DescribedPacket& packet) {
    packet.identification = static_cast<uint16_t>(1 + dice_.below(8));
    packet.part = dice_.one_in(6) ? DatagramPart::First : DatagramPart::Later;
    if (packet.identification < 6) {
      packet.source_port = static_cast<uint16_t>(1000 + packet.identification);
    } else {
      packet.tos = 0;
      packet.vlan_id = 0;
    }
  }

  Traffic traffic_;
  Dice dice_;
  uint64_t now_ns_ = 1'700'000'000 * kSecond + 123'456'789;
};

LedgerOptions short_timeouts(uint32_t flows_max) {
  return {.flows_max = flows_max,
          .timeouts = {.idle_ns = 3 * kSecond + kSecond / 4, .active_ns = 8 * kSecond + 1}};
}

void expect_same_records(const std::vector<Released>& got, const std::vector<Released>& wanted) {
  for (size_t i = 0; i < std::min(got.size(), wanted.size()); ++i)
    ASSERT_EQ(to_text(got[i]), to_text(wanted[i])) << "record " << i;
  ASSERT_EQ(got.size(), wanted.size());
}

void expect_conservation(const LedgerCounts& counts, uint64_t packets) {
  EXPECT_EQ(counts.packets.received, packets);
  EXPECT_EQ(counts.packets.metered, packets);
  EXPECT_EQ(counts.packets_exported, packets);
  EXPECT_EQ(counts.octets_exported, counts.packets.octets_metered);
}

void expect_same_as_twin(const LedgerOptions& options, std::span<const DescribedPacket> packets,
                         Cut cut) {
  LedgerTwin twin(options);
  for (const DescribedPacket& packet : packets)
    twin.take(packet);
  twin.release_all();

  LedgerRun run(options, std::move(cut));
  run.take_all(packets);
  const LedgerCounts& counts = run.ledger().counts();
  expect_same_records(run.ledger().take(), twin.released());
  EXPECT_EQ(counts.flows_created, twin.flows_created());
  EXPECT_EQ(counts.records_exported, twin.released().size());
  EXPECT_EQ(counts.fragments_orphaned, twin.orphaned());
  expect_conservation(counts, packets.size());
}

class LedgerAndTwin : public ::testing::TestWithParam<uint64_t> {
 protected:
  static constexpr size_t kPackets = 4000;
  static constexpr uint32_t kPlenty = 4096;

  [[nodiscard]] std::vector<DescribedPacket> make(const Traffic& traffic = {}) const {
    return TrafficMaker(traffic, GetParam()).make(kPackets);
  }
};
INSTANTIATE_TEST_SUITE_P(Seeds, LedgerAndTwin, ::testing::Range<uint64_t>(1, 11));

TEST_P(LedgerAndTwin, AgreeWithOneDeltaASecond) {
  expect_same_as_twin(short_timeouts(kPlenty), make(), [] { return kWholeSecond; });
}

TEST_P(LedgerAndTwin, AgreeWithADeltaForEachPacket) {
  expect_same_as_twin(short_timeouts(kPlenty), make(), [] { return size_t{1}; });
}

TEST_P(LedgerAndTwin, AgreeHoweverTheSecondsAreCut) {
  Dice dice(GetParam());
  expect_same_as_twin(short_timeouts(kPlenty), make(), [&] { return 1 + dice.below(7); });
}

TEST_P(LedgerAndTwin, AgreeWithTheDefaultTimeouts) {
  expect_same_as_twin(test_options(), make(), [] { return kWholeSecond; });
}

TEST_P(LedgerAndTwin, AgreeOnWhatIsEvicted) {
  // Evictions lie between the packets of a second, so both sides take them one at a time.
  const Traffic traffic{.fragments = false};
  for (const uint32_t flows_max : {1U, 2U, 7U, 12U})
    expect_same_as_twin(short_timeouts(flows_max), make(traffic), [] { return size_t{1}; });
}

TEST_P(LedgerAndTwin, LoseNothingToEvictionsHoweverTheSecondsAreCut) {
  const auto packets = make();
  Dice dice(GetParam());
  for (const uint32_t flows_max : {1U, 3U, 10U}) {
    LedgerRun run(short_timeouts(flows_max), [&] { return 1 + dice.below(50); });
    run.take_all(packets);
    expect_conservation(run.ledger().counts(), packets.size());
  }
}

TEST_P(LedgerAndTwin, ReleaseEveryRecordWithinASecondOfItsDeadline) {
  const Traffic in_order{.fragments = false, .restarts = false, .late_packets = false};
  const LedgerOptions options = short_timeouts(kPlenty);
  LedgerRun run(options, [] { return kWholeSecond; });
  run.take_all(make(in_order));
  for (const auto& [record, second] : run.ledger().take()) {
    if (record.end_reason > EndReason::ActiveTimeout) continue;
    const uint64_t deadline_ns = std::min(record.last_ns + options.timeouts.idle_ns,
                                          record.first_ns + options.timeouts.active_ns);
    EXPECT_GE(second * kSecond, deadline_ns);
    EXPECT_LT(second * kSecond, deadline_ns + kSecond);
  }
}

}  // namespace
}  // namespace clerk
