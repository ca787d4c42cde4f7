#include "clerk/live_pipeline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "flow/flow_test_support.h"
#include "testing/block_builder.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kStart = 1'700'000'000 * kSecond;
constexpr uint64_t kIdle = 2 * kSecond;
constexpr uint64_t kActive = 5 * kSecond;

// Ticks come this much behind their second.
constexpr uint64_t kDelay = 100'000'000;

// A block as the kernel would hand it over.
std::vector<uint8_t> block_of(std::span<const DescribedPacket> packets) {
  BlockBuilder block;
  for (const DescribedPacket& packet : packets) {
    block.packet({.octets = frame_of(packet),
                  .second = static_cast<uint32_t>(packet.time_ns / kSecond),
                  .nanosecond = static_cast<uint32_t>(packet.time_ns % kSecond)});
  }
  return block.build();
}

// Hands over the blocks that a test gives it.
class FakeSource : public PacketSource {
 public:
  void give(std::span<const DescribedPacket> packets) {
    const std::lock_guard lock(mutex_);
    blocks_.push_back(block_of(packets));
  }
  void give(std::initializer_list<DescribedPacket> packets) {
    give(std::span(packets.begin(), packets.size()));
  }
  void drop(uint64_t packets) { drops_ += packets; }

  // As if the kernel did not answer.
  void hang(bool hangs) { hangs_ = hangs; }

  std::optional<Block> take_block(milliseconds patience) override {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (hangs_ || std::chrono::steady_clock::now() < deadline) {
      {
        const std::lock_guard lock(mutex_);
        if (!hangs_ && !blocks_.empty()) return Block{.octets = blocks_.front()};
      }
      std::this_thread::sleep_for(milliseconds(1));
    }
    return {};
  }
  void return_block() override {
    const std::lock_guard lock(mutex_);
    blocks_.pop_front();
    ++returned_;
  }
  uint64_t take_drops() override { return drops_.exchange(0); }

  [[nodiscard]] size_t returned() const { return returned_; }

 private:
  std::mutex mutex_;
  std::deque<std::vector<uint8_t>> blocks_;
  std::atomic<uint64_t> drops_{0};
  std::atomic<bool> hangs_{false};
  std::atomic<size_t> returned_{0};
};

// A live run whose clock and packets are the test's.
class LivePipelineTest : public ::testing::Test {
 public:
  ~LivePipelineTest() override {
    if (thread_.joinable()) stop();
  }

 protected:
  void start(size_t sources, uint32_t flows_max = 100'000) {
    for (size_t i = 0; i < sources; ++i)
      sources_.push_back(std::make_unique<FakeSource>());
    ledger_.emplace(
        LedgerOptions{flows_max, {kIdle, kActive}}, hash_,
        LedgerOutput{.records = [this](auto records, uint32_t second) { take(records, second); },
                     .tick = [this](uint32_t second) { last_tick_ = second; }});
    std::vector<PacketSource*> pointers;
    pointers.reserve(sources);
    for (const auto& source : sources_)
      pointers.push_back(source.get());
    pipeline_.emplace(pointers, *ledger_, hash_, stop_,
                      LivePipelineOptions{.idle_timeout_ns = kIdle,
                                          .cpus = {},
                                          .now_ns = [this] { return now_ns_.load(); },
                                          .between_merges =
                                              [this] {
                                                runs_ = true;
                                                between_merges_();
                                              }});
    thread_ = std::thread([this] { pipeline_->run(); });
    wait_until([&] { return runs_.load(); });
  }

  FakeSource& source(size_t i = 0) { return *sources_[i]; }

  // The clock goes to this time, and everything that is due there is done.
  void go_to(uint64_t time_ns) {
    now_ns_ = time_ns;
    const auto second = whole_seconds(time_ns - kDelay);
    wait_until([&] { return last_tick_ == second; });
  }

  // Second by second, as a clock goes.
  void go_on_to(uint64_t time_ns) {
    for (uint64_t at = now_ns_ + kSecond; at < time_ns; at += kSecond)
      go_to(at);
    go_to(time_ns);
  }

  void wait_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::sleep_for(milliseconds(1));
    }
  }

  // Ends the run; each packet is in a record or in a counter.
  LedgerCounts stop() {
    stop_.request();
    thread_.join();
    const LedgerCounts counts = ledger_->counts();
    EXPECT_EQ(counts.packets.received, counts.packets.metered + counts.packets.ignored_total());
    EXPECT_EQ(counts.packets_exported, counts.packets.metered);
    EXPECT_EQ(counts.octets_exported, counts.packets.octets_metered);
    return counts;
  }

  std::vector<Released> released() {
    const std::lock_guard lock(mutex_);
    return released_;
  }

  std::function<void()> between_merges_ = [] {};
  std::atomic<uint64_t> now_ns_{kStart + kDelay};

 private:
  void take(std::span<const FlowRecord> records, uint32_t second) {
    const std::lock_guard lock(mutex_);
    for (const FlowRecord& record : records)
      released_.push_back({record, second});
  }

  StopRequest stop_ = StopRequest::create().value();
  KeyedHash hash_;
  std::vector<std::unique_ptr<FakeSource>> sources_;
  std::optional<Ledger> ledger_;
  std::optional<LivePipeline> pipeline_;
  std::mutex mutex_;
  std::vector<Released> released_;
  std::atomic<uint32_t> last_tick_{0};
  std::atomic<bool> runs_{false};
  std::thread thread_;
};

constexpr uint8_t kFin = 0x11;

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

TEST_F(LivePipelineTest, DropsOfAllSourcesAddUp) {
  start(2);
  source(0).drop(3);
  source(1).drop(4);
  go_to(kStart + kSecond + kDelay);
  source(1).drop(5);
  const LedgerCounts counts = stop();
  EXPECT_EQ(counts.packets.dropped, 12U);
  EXPECT_EQ(counts.packets.received, 0U);
}

TEST_F(LivePipelineTest, ALedgerThatStandsStillCostsNewFlowsAndNoKnownOnes) {
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
  constexpr uint32_t kFlows = 5 * Delta::kIpv6Entries;  // one delta more than there are
  for (uint32_t i = 0; i < kFlows; ++i) {
    source().give({{.time_ns = kStart + i,
                    .version = IpVersion::V6,
                    .source_host = static_cast<uint8_t>(i >> 8),
                    .source_port = static_cast<uint16_t>(i & 0xff)}});
  }
  constexpr uint32_t kKnown = 7 * Delta::kIpv6Entries / 2;  // in the last delta
  for (uint32_t i = 0; i < 100; ++i) {
    source().give({{.time_ns = kStart + i,
                    .version = IpVersion::V6,
                    .source_host = static_cast<uint8_t>(kKnown >> 8),
                    .source_port = static_cast<uint16_t>(kKnown & 0xff)}});
  }
  wait_until([&] { return source().returned() == kFlows + 100; });
  is_to_stand = false;
  const LedgerCounts counts = stop();
  EXPECT_EQ(counts.packets.received, kFlows + 100U);
  EXPECT_GT(counts.packets.ignored[std::to_underlying(Stop::LackOfResources)], 0U);
  const auto records = released();
  EXPECT_TRUE(std::ranges::any_of(records,
                                  [](const Released& each) { return each.record.packets == 101; }));
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
  LivePipeline pipeline({&source}, ledger, hash, stop,
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
