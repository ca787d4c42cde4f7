// For the tests of live runs: a source that hands over what a test gives it, and a pipeline whose
// clock is the test's.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "clerk/live_pipeline.h"
#include "flow/flow_test_support.h"
#include "testing/block_builder.h"

namespace clerk {

inline constexpr uint64_t kStart = 1'700'000'000 * kSecond;
inline constexpr uint64_t kIdle = 2 * kSecond;
inline constexpr uint64_t kActive = 5 * kSecond;

// Ticks come this much behind their second.
inline constexpr uint64_t kDelay = 100'000'000;

// A block as the kernel would hand it over.
inline std::vector<uint8_t> block_of(std::span<const DescribedPacket> packets) {
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
  void give(std::span<const DescribedPacket> packets) { give(block_of(packets)); }
  void give(std::vector<uint8_t> block) {
    const std::lock_guard lock(mutex_);
    blocks_.push_back(std::move(block));
  }
  void give(std::initializer_list<DescribedPacket> packets) {
    give(std::span(packets.begin(), packets.size()));
  }
  void lose(const SourceCounts& counts) {
    const std::lock_guard lock(mutex_);
    counts_ += counts;
  }

  // Of the interface, for the blocks that are taken from now on.
  void set_mtu(uint32_t mtu) { mtu_ = mtu; }

  // As if the kernel did not answer.
  void hang(bool hangs) { hangs_ = hangs; }

  std::optional<Block> take_block(std::chrono::milliseconds patience) override {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (hangs_ || std::chrono::steady_clock::now() < deadline) {
      {
        const std::lock_guard lock(mutex_);
        if (!hangs_ && !blocks_.empty()) {
          return Block{.octets = blocks_.front(), .mtu = mtu_};
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {};
  }
  void return_block() override {
    const std::lock_guard lock(mutex_);
    blocks_.pop_front();
    ++returned_;
  }
  SourceCounts take_counts() override {
    const std::lock_guard lock(mutex_);
    return std::exchange(counts_, {});
  }

  [[nodiscard]] size_t returned() const { return returned_; }

 private:
  std::mutex mutex_;
  std::deque<std::vector<uint8_t>> blocks_;
  SourceCounts counts_;
  std::atomic<uint32_t> mtu_{kEthernetMtu};
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
  void start(size_t sources, const std::string& filter = "",
             std::optional<uint32_t> mtu = std::nullopt) {
    for (size_t i = 0; i < sources; ++i)
      sources_.push_back(std::make_unique<FakeSource>());
    ledger_.emplace(
        LedgerOptions{100'000, {kIdle, kActive}}, hash_,
        LedgerOutput{.records = [this](auto records, uint32_t second) { take(records, second); },
                     .tick = [this](uint32_t second) { last_tick_ = second; }});
    std::vector<LiveSource> live;
    for (const auto& source : sources_) {
      live.push_back({.source = source.get()});
      if (!filter.empty()) live.back().filter = RingFilter::create(filter).value();
    }
    pipeline_.emplace(std::move(live), *ledger_, hash_, stop_,
                      LivePipelineOptions{.idle_timeout_ns = kIdle,
                                          .cpus = {},
                                          .mtu = mtu,
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
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
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

}  // namespace clerk
