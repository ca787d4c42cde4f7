#include "clerk/live_pipeline.h"

#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <tuple>
#include <utility>

#include "clerk/live_pipeline_test_support.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr uint8_t kFin = 0x11;

// What is logged while it lives.
class HeardLog {
 public:
  HeardLog() {
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("heard", sink));
  }
  HeardLog(const HeardLog&) = delete;
  HeardLog& operator=(const HeardLog&) = delete;
  ~HeardLog() { spdlog::set_default_logger(before_); }

  // Once nobody logs any more.
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

TEST_F(LivePipelineTest, OneFlowSeenByTwoSourcesIsOneRecord) {
  start(2);
  source(0).give({{.time_ns = kStart + 1}, {.time_ns = kStart + 4}});
  source(1).give({{.time_ns = kStart + 2}});
  wait_until([&] { return source(0).returned() == 1 && source(1).returned() == 1; });
  stop();
  ASSERT_EQ(released().size(), 1U);
  const FlowRecord record = released()[0].record;
  EXPECT_EQ(record.packets, 3U);
  EXPECT_EQ(record.first_ns, kStart + 1);
  EXPECT_EQ(record.last_ns, kStart + 4);
  EXPECT_EQ(record.end_reason, EndReason::ForcedEnd);
}

TEST_F(LivePipelineTest, AStopCountsWhatTheKernelHadTakenBefore) {
  start(1);
  for (uint64_t i = 0; i < 500; ++i)
    source().give({{.time_ns = kStart + i}, {.time_ns = kStart + i}});
  EXPECT_EQ(stop().packets.metered, 1000U);
}

TEST_F(LivePipelineTest, AStopEndsThoughPacketsGoOn) {
  start(1);
  std::atomic<bool> ends = false;
  std::thread sender([&] {
    while (!ends)
      source().give({{.time_ns = now_ns_ += 1000}});
  });
  wait_until([&] { return source().returned() > 10; });
  stop();
  ends = true;
  sender.join();
}

TEST_F(LivePipelineTest, AnIdleFlowIsReportedThoughNothingElseArrives) {
  start(2);
  source(0).give({{.time_ns = kStart + kSecond / 2}});
  go_on_to(kStart + 2 * kSecond + kDelay);
  EXPECT_TRUE(released().empty());
  go_to(kStart + 3 * kSecond + kDelay);
  ASSERT_EQ(released().size(), 1U);
  EXPECT_EQ(released()[0].record.end_reason, EndReason::IdleTimeout);
  EXPECT_EQ(released()[0].second, whole_seconds(kStart) + 3);
}

TEST_F(LivePipelineTest, APacketThatIsHandedOverBehindItsSecondStillCountsForItsTick) {
  start(1);
  source().give({{.time_ns = kStart + 1}});
  go_on_to(kStart + 2 * kSecond + kDelay - 1);
  // At second 3 the flow would be idle; a packet of second 2 still lies in the kernel's block.
  now_ns_ = kStart + 3 * kSecond + kDelay / 2;
  source().give({{.time_ns = kStart + 3 * kSecond - 1}});
  wait_until([&] { return source().returned() == 2; });
  go_to(kStart + 3 * kSecond + kDelay);
  EXPECT_TRUE(released().empty());
}

TEST_F(LivePipelineTest, AFlowThatGoesOnIsReportedAtItsActiveTimeout) {
  start(1);
  for (uint64_t second = 0; second < 7; ++second) {
    source().give({{.time_ns = kStart + second * kSecond + 1}});
    wait_until([&] { return source().returned() == second + 1; });
    go_to(kStart + (second + 1) * kSecond + kDelay);
  }
  ASSERT_EQ(released().size(), 1U);
  EXPECT_EQ(released()[0].record.end_reason, EndReason::ActiveTimeout);
  EXPECT_EQ(released()[0].record.packets, 6U);
  EXPECT_EQ(released()[0].second, whole_seconds(kStart) + 6);
}

TEST_F(LivePipelineTest, AFinHasTwoSecondsForThePacketsBehindIt) {
  start(1);
  source().give({{.time_ns = kStart + kSecond / 2, .protocol = 6, .tcp_flags = kFin}});
  go_on_to(kStart + 2 * kSecond + kDelay);
  EXPECT_TRUE(released().empty());
  go_to(kStart + 3 * kSecond + kDelay);
  ASSERT_EQ(released().size(), 1U);
  EXPECT_EQ(released()[0].record.end_reason, EndReason::EndDetected);
}

TEST_F(LivePipelineTest, AFinOfTheNextSecondThatIsHandedOverEarlyHasThemToo) {
  start(1);
  now_ns_ = kStart + kSecond + kDelay / 2;
  source().give({{.time_ns = kStart + kSecond + 1, .protocol = 6, .tcp_flags = kFin}});
  wait_until([&] { return source().returned() == 1; });
  go_on_to(kStart + 3 * kSecond + kDelay);
  EXPECT_TRUE(released().empty());
  go_to(kStart + 4 * kSecond + kDelay);
  EXPECT_EQ(released().size(), 1U);
}

TEST_F(LivePipelineTest, AClockSetBackFarEndsAllThatIsHeldAndGoesOn) {
  constexpr uint64_t kHour = 3600 * kSecond;
  start(2);
  source(0).give({{.time_ns = kStart + 1}});
  wait_until([&] { return source(0).returned() == 1; });
  go_to(kStart + kSecond + kDelay);
  now_ns_ = kStart - kHour + kDelay;
  wait_until([&] { return released().size() == 1; });
  EXPECT_EQ(released()[0].record.end_reason, EndReason::ForcedEnd);

  source(1).give({{.time_ns = kStart - kHour + 5}});
  wait_until([&] { return source(1).returned() == 1; });
  go_on_to(kStart - kHour + 3 * kSecond + kDelay);
  ASSERT_EQ(released().size(), 2U);
  EXPECT_EQ(released()[1].record.end_reason, EndReason::IdleTimeout);
  EXPECT_EQ(stop().clock_restarts, 1U);
}

TEST_F(LivePipelineTest, PacketsOfTheTimeBeforeAStepBackAreNotHeldForAnHour) {
  constexpr uint64_t kHour = 3600 * kSecond;
  start(1);
  go_to(kStart + kSecond + kDelay);
  now_ns_ = kStart - kHour + kDelay;
  std::this_thread::sleep_for(milliseconds(300));
  source().give({{.time_ns = kStart + kSecond}});  // it lay in a block while the clock was set
  wait_until([&] { return source().returned() == 1; });
  go_on_to(kStart - kHour + 10 * kSecond + kDelay);
  ASSERT_EQ(released().size(), 1U);
  EXPECT_EQ(released()[0].record.end_reason, EndReason::ForcedEnd);
}

TEST_F(LivePipelineTest, AClockSetBackALittleStandsStill) {
  start(1);
  source().give({{.time_ns = kStart + 5 * kSecond + 1}});
  go_on_to(kStart + 6 * kSecond + kDelay);
  now_ns_ = kStart + 5 * kSecond + kDelay;
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_TRUE(released().empty());
  go_to(kStart + 7 * kSecond + kDelay);
  go_to(kStart + 8 * kSecond + kDelay);
  EXPECT_EQ(released().size(), 1U);
  EXPECT_EQ(stop().clock_restarts, 0U);
}

TEST_F(LivePipelineTest, AMachineThatSleptFindsItsFlowsIdle) {
  start(1);
  source().give({{.time_ns = kStart + 1}});
  wait_until([&] { return source().returned() == 1; });
  go_to(kStart + kSecond + kDelay);
  go_to(kStart + 7200 * kSecond + kDelay);
  ASSERT_EQ(released().size(), 1U);
  EXPECT_EQ(released()[0].record.end_reason, EndReason::IdleTimeout);
  EXPECT_EQ(stop().clock_jumps, 1U);
}

TEST_F(LivePipelineTest, ASourceThatHangsHoldsNobodyBack) {
  start(2);
  source(0).hang(true);
  source(1).give({{.time_ns = kStart + 1}});
  wait_until([&] { return source(1).returned() == 1; });
  go_on_to(kStart + 3 * kSecond + kDelay);
  EXPECT_EQ(released().size(), 1U);
  source(0).hang(false);
}

TEST_F(LivePipelineTest, WhatAllSourcesLostAddsUp) {
  start(2);
  source(0).lose({.dropped = 3, .blocks_missed = 2, .outages = 1});
  source(1).lose({.dropped = 4, .drops_unknown = 1, .blocks_missed = 3, .outage_ms = 70});
  go_to(kStart + kSecond + kDelay);
  source(1).lose({.dropped = 5, .blocks_missed = -1, .outage_ms = 30});
  const LedgerCounts counts = stop();
  EXPECT_EQ(
      counts.packets.source,
      (SourceCounts{
          .dropped = 12, .drops_unknown = 1, .blocks_missed = 4, .outages = 1, .outage_ms = 100}));
  EXPECT_EQ(counts.packets.received, 0U);
}

TEST_F(LivePipelineTest, SuperPacketsAreThoseAboveTheMtuOfTheirBlock) {
  start(2);
  source(0).give({{.time_ns = kStart, .octets = 1500}, {.time_ns = kStart, .octets = 1501}});
  wait_until([&] { return source(0).returned() == 1; });
  source(0).set_mtu(9000);  // as when the interface comes back as another one
  source(0).give({{.time_ns = kStart, .octets = 1501}, {.time_ns = kStart, .octets = 9001}});
  source(1).give({{.time_ns = kStart, .octets = 9000}});
  const LedgerCounts counts = stop();
  EXPECT_EQ(counts.packets.metered, 5U);
  EXPECT_EQ(counts.packets.super_packets, 3U);
}

TEST_F(LivePipelineTest, AnMtuOfTheUsersStandsForThatOfEveryBlock) {
  start(1, "", 2000);
  source().set_mtu(9000);
  source().give({{.time_ns = kStart, .octets = 2000}, {.time_ns = kStart, .octets = 2001}});
  EXPECT_EQ(stop().packets.super_packets, 1U);
}

TEST_F(LivePipelineTest, WhatAFilterHoldsBackIsCountedAndNotReceived) {
  start(2, "udp src port 7");
  for (size_t i = 0; i < 2; ++i) {
    source(i).give({{.time_ns = kStart + 1, .source_port = 7},
                    {.time_ns = kStart + 2, .source_port = 8},
                    {.time_ns = kStart + 3, .source_port = 7},
                    {.time_ns = kStart + 4, .source_port = 9}});
  }
  wait_until([&] { return source(0).returned() == 1 && source(1).returned() == 1; });
  const LedgerCounts counts = stop();
  EXPECT_EQ(counts.packets.received, 4U);
  EXPECT_EQ(counts.packets.filtered, 4U);
  ASSERT_EQ(released().size(), 1U);
  EXPECT_EQ(released()[0].record.first_ns, kStart + 1);
  EXPECT_EQ(released()[0].record.last_ns, kStart + 3);
}

TEST_F(LivePipelineTest, WhatABrokenBlockLostIsMalformedWhateverTheFilter) {
  BlockBuilder broken({.packets = 3});
  broken.packet({.octets = frame_of({.time_ns = kStart}), .next_offset = 0});
  start(1, "udp port 1");
  source().give(broken.build());
  wait_until([&] { return source().returned() == 1; });
  const LedgerCounts counts = stop();
  EXPECT_EQ(counts.packets.filtered, 1U);
  EXPECT_EQ(counts.packets.received, counts.packets.ignored_total());
  EXPECT_EQ(counts.packets.ignored[std::to_underlying(Stop::Malformed)], 2U);
}

TEST_F(LivePipelineTest, ALedgerThatStandsStillCostsNewFlowsAndNoKnownOnes) {
  const HeardLog log;
  std::atomic<bool> is_to_stand = false;
  std::atomic<bool> stands = false;
  between_merges_ = [&] {
    while ((stands = is_to_stand.load()))
      std::this_thread::sleep_for(milliseconds(1));
  };
  start(1);
  go_to(kStart + kSecond + kDelay);
  is_to_stand = true;
  wait_until([&] { return stands.load(); });
  constexpr uint32_t kEntries = live_delta().ipv6;
  constexpr uint32_t kFlows = 4 * kEntries;  // one delta more than there are
  for (uint32_t i = 0; i < kFlows; ++i) {
    source().give({{.time_ns = kStart + i,
                    .version = IpVersion::V6,
                    .source_host = static_cast<uint8_t>(i >> 16),
                    .source_port = static_cast<uint16_t>(i & 0xffff)}});
  }
  constexpr uint32_t kKnown = 5 * kEntries / 2;  // in the last delta
  for (uint32_t i = 0; i < 100; ++i) {
    source().give({{.time_ns = kStart + i,
                    .version = IpVersion::V6,
                    .source_host = static_cast<uint8_t>(kKnown >> 16),
                    .source_port = static_cast<uint16_t>(kKnown & 0xffff)}});
  }
  wait_until([&] { return source().returned() == kFlows + 100; });
  is_to_stand = false;
  const LedgerCounts counts = stop();
  EXPECT_EQ(counts.packets.received, kFlows + 100U);
  EXPECT_GT(counts.packets.ignored[std::to_underlying(Stop::LackOfResources)], 0U);
  const auto records = released();
  EXPECT_TRUE(std::ranges::any_of(records,
                                  [](const Released& each) { return each.record.packets == 101; }));
  EXPECT_THAT(log.text(), HasSubstr("the ledger does not keep up"));
  EXPECT_THAT(log.text(), HasSubstr("--ledger_threads"));
}

TEST_F(LivePipelineTest, AStopBehindASmallStepBackOfTheClockLosesNothing) {
  start(1);
  source().give({{.time_ns = kStart + kSecond}});
  wait_until([&] { return source().returned() == 1; });
  now_ns_ = kStart + kDelay;
  source().hang(true);
  std::this_thread::sleep_for(milliseconds(20));
  for (uint64_t i = 0; i < 100; ++i)
    source().give({{.time_ns = kStart + i}});
  std::thread resumer([&] {
    std::this_thread::sleep_for(milliseconds(50));
    source().hang(false);
  });
  EXPECT_EQ(stop().packets.metered, 101U);
  resumer.join();
}

TEST_F(LivePipelineTest, APacketStampedAMomentBehindTheStopHidesNoOther) {
  start(1);
  source().hang(true);
  source().give({{.time_ns = now_ns_ + 1}});
  source().give({{.time_ns = now_ns_ - 1}});
  std::thread resumer([&] {
    std::this_thread::sleep_for(milliseconds(50));
    source().hang(false);
  });
  EXPECT_EQ(stop().packets.metered, 2U);
  resumer.join();
}

TEST(LivePipeline, EndsItsThreadsAlsoWhenTheLedgerCannotGoOn) {
  FakeSource source;
  const KeyedHash hash;
  StopRequest stop = StopRequest::create().value();
  Ledger ledger({10, {kIdle, kActive}}, hash, {.records = [](auto, auto) {}, .tick = [](auto) {}});
  std::vector<LiveSource> sources(1);
  sources[0].source = &source;
  LivePipeline pipeline(std::move(sources), ledger, hash, stop,
                        {.idle_timeout_ns = kIdle,
                         .cpus = {},
                         .now_ns = [] { return kStart; },
                         .between_merges = [] { throw std::bad_alloc(); }});
  EXPECT_THROW(pipeline.run(), std::bad_alloc);
}

// The slow twin: a map.
TEST_F(LivePipelineTest, CountsWhatAnObviousCounterCounts) {
  using Key = std::tuple<IpVersion, uint8_t, uint16_t, uint16_t>;
  Dice dice(7);
  std::map<Key, std::pair<uint64_t, uint64_t>> wanted;
  start(3);
  std::array<size_t, 3> given{};
  uint64_t packets = 0;
  for (uint64_t second = 0; second < 8; ++second) {
    for (uint64_t block = 0; block < 30; ++block) {
      std::vector<DescribedPacket> batch;
      for (uint64_t i = dice.below(200); i > 0; --i) {
        batch.push_back({.time_ns = kStart + second * kSecond + block * 30'000'000 + i,
                         .version = dice.one_of({IpVersion::V4, IpVersion::V6}),
                         .source_host = static_cast<uint8_t>(dice.below(50)),
                         .source_port = static_cast<uint16_t>(dice.below(5)),
                         .vlan_id = static_cast<uint16_t>(dice.below(3)),
                         .octets = static_cast<uint32_t>(60 + dice.below(1000))});
        const DescribedPacket& packet = batch.back();
        auto& [counted, octets] =
            wanted[{packet.version, packet.source_host, packet.source_port, packet.vlan_id}];
        ++counted;
        octets += packet.octets;
      }
      packets += batch.size();
      const size_t at = dice.below(3);
      source(at).give(batch);
      ++given[at];
    }
    for (size_t i = 0; i < 3; ++i)
      wait_until([&] { return source(i).returned() == given[i]; });
    go_to(kStart + (second + 1) * kSecond + kDelay);
  }
  EXPECT_EQ(stop().packets.metered, packets);
  std::map<Key, std::pair<uint64_t, uint64_t>> found;
  for (const Released& each : released()) {
    const FlowRecord& record = each.record;
    const size_t host = record.version() == IpVersion::V4 ? 3 : 15;
    auto& [counted, octets] =
        found[{record.version(), record.source.octets[host], record.source_port, record.vlan_id}];
    counted += record.packets;
    octets += record.octets;
  }
  EXPECT_EQ(found, wanted);
}

}  // namespace
}  // namespace clerk
