#include "capture/testimony_source.h"

#include <gmock/gmock.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "capture/testimony_daemon_test_support.h"
#include "testing/packet_builder.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Manners = TestDaemon::Manners;

constexpr milliseconds kPatience{10};
constexpr milliseconds kLong{20'000};
constexpr testimony::KernelCounters kNoDrops{};

testimony::Geometry geometry_of(uint32_t fanout_size) {
  return {.fanout_size = fanout_size, .block_octets = 4096, .blocks = 4};
}

// Of one packet.
testimony::Filling filling(uint64_t sequence, uint32_t status = TP_STATUS_USER) {
  BlockBuilder packets;
  packets.packet({.octets = PacketBuilder().ethernet().ipv4().udp().build()});
  return {.sequence = sequence, .status = status, .packets = packets};
}

class TestimonySource : public ::testing::Test {
 protected:
  TestDaemon& start_daemon(const Manners& manners = {}) {
    daemon_.reset();
    return *(daemon_ = std::make_unique<TestDaemon>(path_, manners));
  }
  TestDaemon& daemon() { return *daemon_; }
  void stop_daemon() { daemon_.reset(); }

  void open(uint32_t members = 2) {
    auto opened = TestimonySocket::open(path_, members);
    ASSERT_TRUE(opened) << opened.error().message;
    socket_ = *std::move(opened);
    sources_ = socket_->sources();
  }

  std::string error_of_open() {
    const auto opened = TestimonySocket::open(path_, 2);
    return opened ? "no error" : opened.error().message;
  }

  // Lets every member look once; blocks are counted and returned.
  void look() {
    for (PacketSource* source : sources_) {
      if (!source->take_block(kPatience)) continue;
      ++blocks_;
      source->return_block();
    }
  }

  void look_until(const std::function<bool()>& done) {
    const auto deadline = steady_clock::now() + kLong;
    while (!done()) {
      ASSERT_LT(steady_clock::now(), deadline);
      look();
    }
  }

  void look_until_connected(uint32_t indexes) {
    look_until([&] {
      for (uint32_t index = 0; index < indexes; ++index)
        if (!daemon().serves(index)) return false;
      return true;
    });
    look();  // what the daemon passed last is taken
  }

  void look_until_blocks(size_t blocks) {
    look_until([&] { return blocks_ >= blocks; });
  }

  SourceCounts take_counts() {
    SourceCounts counts;
    for (PacketSource* source : sources_)
      counts += source->take_counts();
    return counts;
  }

  const TempDirectory directory_;
  const std::string path_ = directory_.path_of("socket");
  std::unique_ptr<TestDaemon> daemon_;
  std::unique_ptr<TestimonySocket> socket_;
  std::vector<PacketSource*> sources_;
  size_t blocks_ = 0;
};

TEST_F(TestimonySource, HasAMemberForEachIndex) {
  start_daemon({.geometry = geometry_of(3)});
  open(1);
  ASSERT_THAT(sources_, SizeIs(3));
  look_until_connected(3);
  daemon().deliver(1, 2, filling(1));
  EXPECT_FALSE(sources_[0]->take_block(kPatience));
  EXPECT_FALSE(sources_[2]->take_block(kPatience));
  const auto block = sources_[1]->take_block(kLong);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->octets.size(), 4096U);
  EXPECT_EQ(block->link, RingLink::Ethernet);
}

TEST_F(TestimonySource, GivesABlockBackAtOnce) {
  start_daemon({.geometry = geometry_of(1)});
  open();
  look_until_connected(1);
  daemon().deliver(0, 3, filling(1));
  ASSERT_TRUE(sources_[0]->take_block(kLong));
  EXPECT_EQ(daemon().next_write(0), testimony::Octets{});
  sources_[0]->return_block();
  EXPECT_EQ(daemon().next_write(0), testimony::block(3));
}

TEST_F(TestimonySource, HasNoMoreMembersThanThereMayBeThreads) {
  start_daemon({.geometry = geometry_of(testimony::kFanoutSizeMax)});
  open();
  EXPECT_THAT(sources_, SizeIs(TestimonySocket::kMembersMax));
}

TEST_F(TestimonySource, WaitsForADaemonThatIsNotThereYet) {
  open(3);
  ASSERT_THAT(sources_, SizeIs(3));
  look();
  EXPECT_EQ(take_counts(), SourceCounts{});
  start_daemon({.geometry = geometry_of(2), .counters = kNoDrops});
  look_until_connected(2);
  daemon().deliver(0, 0, filling(1));
  daemon().deliver(1, 0, filling(1));
  look_until_blocks(2);
  EXPECT_EQ(take_counts(), SourceCounts{}) << "nothing was lost that was there before";
}

TEST_F(TestimonySource, FewerMembersThanIndexesTakeTheirBlocksInTurn) {
  open(2);
  start_daemon({.geometry = geometry_of(5)});
  look_until_connected(5);
  for (uint32_t index = 0; index < 5; ++index)
    for (uint32_t block = 0; block < 3; ++block)
      daemon().deliver(index, block, filling(block + 1));
  // Of indexes 0, 2 and 4 each hands over one block before any hands over its second.
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(sources_[0]->take_block(kLong));
      sources_[0]->return_block();
    }
    for (const uint32_t index : {0U, 2U, 4U})
      EXPECT_THAT(daemon().next_write(index), SizeIs(4)) << index << " in round " << round;
  }
  look_until_blocks(6);  // of indexes 1 and 3
}

TEST_F(TestimonySource, WhatIsNoSocketIsAnErrorThatSaysSo) {
  ASSERT_EQ(directory_.write("socket", std::array<uint8_t, 1>{0}), path_);
  EXPECT_THAT(error_of_open(), StartsWith("--testimony " + path_ + ": "));
  EXPECT_THAT(error_of_open(), HasSubstr("name the SocketName of a testimonyd"));
}

TEST_F(TestimonySource, WhatSpeaksAnotherProtocolIsAnErrorThatSaysSo) {
  start_daemon({.geometry = geometry_of(0)});
  EXPECT_THAT(error_of_open(), StartsWith("--testimony " + path_ + ": "));
  EXPECT_THAT(error_of_open(), HasSubstr("is it a testimonyd"));
}

TEST_F(TestimonySource, ConnectsAgainWhenTheDaemonHasClosedTheConnections) {
  start_daemon({.counters = kNoDrops});
  open();
  look_until_connected(2);
  daemon().deliver(0, 0, filling(1));
  look_until_blocks(1);
  daemon().hang_up();
  look_until_connected(2);
  daemon().deliver(0, 0, filling(1));
  daemon().deliver(1, 0, filling(1));
  look_until_blocks(3);
  const SourceCounts counts = take_counts();
  EXPECT_EQ(counts.outages, 1U) << "one, though two connections were lost";
  EXPECT_GE(counts.outage_ms, 90U);
  EXPECT_LT(counts.outage_ms, 10'000U);
  EXPECT_EQ(counts.drops_unknown, 0U);
}

TEST_F(TestimonySource, FollowsTheIndexesOfADaemonThatCameBack) {
  start_daemon({.geometry = geometry_of(2)});
  open();
  look_until_connected(2);
  for (const uint32_t size : {5U, 1U, 3U}) {
    start_daemon({.geometry = geometry_of(size)});
    look_until_connected(size);
    const size_t before = blocks_;
    for (uint32_t index = 0; index < size; ++index)
      daemon().deliver(index, 0, filling(1));
    look_until_blocks(before + size);
  }
  EXPECT_EQ(take_counts().outages, 3U);
}

TEST_F(TestimonySource, AnOutageLastsUntilTheRunEnds) {
  start_daemon();
  open();
  look_until_connected(2);
  stop_daemon();
  const auto since = steady_clock::now();
  SourceCounts counts;
  while (steady_clock::now() - since < milliseconds(300)) {
    look();
    counts += take_counts();
  }
  EXPECT_EQ(counts.outages, 1U);
  EXPECT_GE(counts.outage_ms, 250U);
  EXPECT_LE(counts.outage_ms, 300U + 1000U);
}

TEST_F(TestimonySource, DropsCountFromWhatTheDaemonTellsFirst) {
  start_daemon({.geometry = geometry_of(1), .counters = {{.packets = 1000, .drops = 100}}});
  open();
  look_until_connected(1);
  daemon().deliver(0, 0, filling(1));
  look_until_blocks(1);
  EXPECT_EQ(take_counts(), SourceCounts{});
  daemon().tell(0, {.packets = 2000, .drops = 107});
  look();
  EXPECT_EQ(take_counts(), SourceCounts{.dropped = 7});
  EXPECT_EQ(take_counts(), SourceCounts{});
}

TEST_F(TestimonySource, DropsOfANewRingCountAnew) {
  start_daemon({.geometry = geometry_of(1), .counters = {{.packets = 10, .drops = 5}}});
  open();
  look_until_connected(1);
  daemon().tell(0, {.packets = 20, .drops = 8});
  look();
  daemon().hang_up();
  look_until_connected(1);
  daemon().tell(0, {.packets = 30, .drops = 9});
  look();
  EXPECT_EQ(take_counts().dropped, 3U + 4U);
  daemon().tell(0, {.packets = 0, .drops = 2});
  look();
  EXPECT_EQ(take_counts().dropped, 0U) << "less than before is a new beginning";
  daemon().tell(0, {.packets = 0, .drops = 4});
  look();
  EXPECT_EQ(take_counts().dropped, 2U);
}

TEST_F(TestimonySource, DropsAreUnknownBehindADaemonThatTellsNone) {
  start_daemon({.geometry = geometry_of(1)});
  open();
  look_until_connected(1);
  EXPECT_EQ(take_counts().drops_unknown, 0U) << "nothing came yet";
  daemon().deliver(0, 0, filling(1));
  look_until_blocks(1);
  EXPECT_GT(take_counts().drops_unknown, 0U);
  EXPECT_GT(take_counts().drops_unknown, 0U);
}

TEST_F(TestimonySource, DropsAreUnknownOfAConnectionThatEndedWithoutTellingThem) {
  start_daemon({.geometry = geometry_of(1)});
  open();
  look_until_connected(1);
  daemon().deliver(0, 0, filling(1));
  look_until_blocks(1);
  daemon().hang_up();
  look_until_connected(1);
  EXPECT_EQ(take_counts().drops_unknown, 1U);
  EXPECT_EQ(take_counts().drops_unknown, 0U) << "nothing came since";
}

TEST_F(TestimonySource, CountsWhatIsWrongWithBlocks) {
  start_daemon({.geometry = geometry_of(1), .counters = kNoDrops});
  open();
  look_until_connected(1);
  daemon().deliver(0, 0, filling(1));
  look_until_blocks(1);
  daemon().deliver(0, 0, filling(1));                                     // a second time
  daemon().deliver(0, 1, filling(2, 0));                                  // not ours
  daemon().deliver(0, 2, filling(5, TP_STATUS_USER | TP_STATUS_LOSING));  // 2, 3 and 4 not seen
  look_until_blocks(2);
  SourceCounts counts = take_counts();
  EXPECT_EQ(counts.blocks_stale, 2U);
  EXPECT_EQ(counts.blocks_losing, 1U);
  EXPECT_EQ(counts.blocks_missed, 3);
  daemon().deliver(0, 3, filling(4));  // late
  look_until_blocks(3);
  counts = take_counts();
  EXPECT_EQ(counts, SourceCounts{.blocks_missed = -1});
}

TEST_F(TestimonySource, CountsABlockThatChangesWhileItIsRead) {
  start_daemon({.geometry = geometry_of(1), .counters = kNoDrops});
  open();
  look_until_connected(1);
  daemon().deliver(0, 0, filling(1));
  ASSERT_TRUE(sources_[0]->take_block(kLong));
  daemon().deliver(0, 0, filling(2));
  sources_[0]->return_block();
  EXPECT_EQ(take_counts().blocks_torn, 1U);
}

TEST_F(TestimonySource, NoSumOverflowsWhateverADaemonClaims) {
  start_daemon({.geometry = geometry_of(1), .counters = kNoDrops});
  open();
  SourceCounts sum;
  for (int i = 0; i < 3; ++i) {
    look_until_connected(1);
    const size_t before = blocks_;
    daemon().deliver(0, 0, filling(1));
    daemon().deliver(0, 1, filling(UINT64_MAX));
    daemon().tell(0, {.packets = UINT64_MAX, .drops = UINT64_MAX});
    look_until_blocks(before + 2);
    look();
    sum += take_counts();
    daemon().hang_up();
  }
  EXPECT_GT(sum.blocks_missed, 0);
}

TEST_F(TestimonySource, ADaemonThatBreaksTheProtocolIsLeftAndTriedAgain) {
  start_daemon({.geometry = geometry_of(1)});
  open();
  look_until_connected(1);
  daemon().say(0, testimony::block(4));  // there are four
  look_until([&] { return take_counts().outages == 1; });
  const size_t taken = daemon().connections_taken();
  look_until([&] { return daemon().connections_taken() > taken; });
}

TEST_F(TestimonySource, IsNotHeldUpForLongByADaemonThatSaysNothing) {
  start_daemon({.is_silent = true});
  open(1);
  const auto since = steady_clock::now();
  EXPECT_FALSE(sources_[0]->take_block(kPatience));
  EXPECT_LT(steady_clock::now() - since, milliseconds(2000));
}

TEST_F(TestimonySource, IsNotHeldUpForLongByADaemonThatKeepsItsRing) {
  start_daemon({.geometry = geometry_of(1), .keeps_rings = true});
  open(1);
  const auto since = steady_clock::now();
  EXPECT_FALSE(sources_[0]->take_block(kPatience));
  EXPECT_LT(steady_clock::now() - since, milliseconds(2000));
  EXPECT_FALSE(sources_[0]->take_block(kPatience));
  EXPECT_LT(steady_clock::now() - since, milliseconds(2000)) << "it is not tried again at once";
}

TEST_F(TestimonySource, ASilentRingHoldsNobodyUp) {
  start_daemon();
  open();
  look_until_connected(2);
  const auto since = steady_clock::now();
  EXPECT_FALSE(sources_[0]->take_block(milliseconds(50)));
  EXPECT_GE(steady_clock::now() - since, milliseconds(45));
  EXPECT_LT(steady_clock::now() - since, milliseconds(1000));
}

TEST_F(TestimonySource, MembersWorkOnThreadsOfTheirOwn) {
  constexpr size_t kIndexes = 4;
  constexpr uint32_t kRounds = 50;
  start_daemon({.geometry = geometry_of(uint32_t{kIndexes}), .counters = kNoDrops});
  open();
  std::atomic<size_t> blocks{0};
  std::atomic<bool> ends{false};
  std::vector<std::jthread> threads;
  threads.reserve(sources_.size());
  for (PacketSource* source : sources_) {
    threads.emplace_back([&, source] {
      while (!ends) {
        if (source->take_block(kPatience)) {
          ++blocks;
          source->return_block();
        }
        static_cast<void>(source->take_counts());
      }
    });
  }
  const auto wait_until = [&](const std::function<bool()>& done) {
    const auto deadline = steady_clock::now() + kLong;
    while (!done() && steady_clock::now() < deadline)
      std::this_thread::sleep_for(milliseconds(1));
    ASSERT_TRUE(done());
  };
  const auto all_connected = [&] {
    for (uint32_t index = 0; index < kIndexes; ++index)
      if (!daemon().serves(index)) return false;
    return true;
  };
  for (int life = 0; life < 2; ++life) {
    wait_until(all_connected);
    const size_t before = blocks;
    for (uint32_t round = 0; round < kRounds; ++round) {
      for (uint32_t index = 0; index < kIndexes; ++index)
        daemon().deliver(index, round % 4, filling(round + 1));
      wait_until([&] { return blocks == before + (round + 1) * kIndexes; });
    }
    daemon().hang_up();
  }
  ends = true;
}

}  // namespace
}  // namespace clerk
