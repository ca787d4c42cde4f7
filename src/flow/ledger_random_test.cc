// The ledger against its slow twin, which takes one packet at a time, keeps everything in plain
// lists and maps and looks at all of it every second. Both must release the same records in the
// same order at the same ticks.
#include <gtest/gtest.h>

#include "flow/flow_test_support.h"
#include "flow/ledger_twin_test_support.h"

namespace clerk {
namespace {

using ledger_twin::Cut;
using ledger_twin::LedgerRun;
using ledger_twin::LedgerTwin;
using wire::tcp_flag::kAck;
using wire::tcp_flag::kFin;
using wire::tcp_flag::kPsh;
using wire::tcp_flag::kRst;
using wire::tcp_flag::kSyn;

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

LedgerOptions short_timeouts(uint32_t flows_max, uint32_t threads = 1) {
  return {.flows_max = flows_max,
          .timeouts = {.idle_ns = 3 * kSecond + kSecond / 4, .active_ns = 8 * kSecond + 1},
          .threads = threads};
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
  static constexpr uint32_t kThreads = 3;

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

TEST_P(LedgerAndTwin, AgreeOnSeveralThreads) {
  expect_same_as_twin(short_timeouts(kPlenty, kThreads), make(), [] { return kWholeSecond; });
}

TEST_P(LedgerAndTwin, AgreeOnSeveralThreadsHoweverTheSecondsAreCut) {
  Dice dice(GetParam());
  expect_same_as_twin(short_timeouts(kPlenty, kThreads), make(), [&] { return 1 + dice.below(7); });
}

TEST_P(LedgerAndTwin, AgreeWithTheDefaultTimeouts) {
  expect_same_as_twin(test_options(), make(), [] { return kWholeSecond; });
}

TEST_P(LedgerAndTwin, AgreeOnWhatIsEvicted) {
  // Evictions lie between the packets of a second, so both sides take them one at a time.
  const Traffic traffic{.fragments = false};
  const auto packets = make(traffic);
  for (const uint32_t flows_max : {1U, 2U, 7U, 12U}) {
    for (const uint32_t threads : {1U, kThreads})
      expect_same_as_twin(short_timeouts(flows_max, threads), packets, [] { return size_t{1}; });
  }
}

TEST_P(LedgerAndTwin, EvictTheSameOnAnyNumberOfThreadsBeyondOne) {
  const auto packets = make();
  for (const uint32_t flows_max : {1U, 3U, 10U}) {
    std::vector<std::vector<Released>> released;
    for (const uint32_t threads : {2U, kThreads}) {
      LedgerRun run(short_timeouts(flows_max, threads), [] { return kWholeSecond; });
      run.take_all(packets);
      released.push_back(run.ledger().take());
    }
    expect_same_records(released[0], released[1]);
  }
}

TEST_P(LedgerAndTwin, LoseNothingToEvictionsHoweverTheSecondsAreCut) {
  const auto packets = make();
  Dice dice(GetParam());
  for (const uint32_t flows_max : {1U, 3U, 10U}) {
    for (const uint32_t threads : {1U, kThreads}) {
      LedgerRun run(short_timeouts(flows_max, threads), [&] { return 1 + dice.below(50); });
      run.take_all(packets);
      expect_conservation(run.ledger().counts(), packets.size());
    }
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
