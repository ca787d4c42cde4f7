#include "testimonyd/shared_ring.h"

#include <gmock/gmock.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <thread>

#include "capture/live_test_support.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Clock = SharedRing::Clock;

constexpr uint32_t kBlocks = 4;

// A ring of small blocks, and clients whose ends of the connections the test holds.
class SharedRingOnLoopback : public OnLoopback {
 protected:
  void SetUp() override {
    OnLoopback::SetUp();
    if (IsSkipped()) return;
    const auto interface = interface_of("lo");
    auto ring = Ring::create(interface,
                             {.blocks = kBlocks, .block_octets = 4096, .retire = milliseconds(8)});
    ASSERT_TRUE(ring) << ring.error().message;
    const auto filter = compile_kernel_filter("", kSnaplen, "lo", interface);
    ASSERT_TRUE(filter && ring->listen(*filter));
    ring_.emplace(*std::move(ring), SharedRingLimits{.reserve_blocks = 1}, RingCounts{});
  }

  Client& join() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    ends_.emplace_back(ends[0]);
    clients_.push_back(
        std::make_unique<Client>(clients_.size() + 1, UniqueFd(ends[1]), Clock::now()));
    EXPECT_TRUE(ring_->join(*clients_.back()));
    return *clients_.back();
  }

  // What lies unread at the client's end.
  [[nodiscard]] size_t octets_for(size_t client) const {
    int octets = 0;
    EXPECT_EQ(::ioctl(ends_[client].get(), FIONREAD, &octets), 0);
    return static_cast<size_t>(octets);
  }

  // All blocks are full when it returns, and none is lent.
  void fill() {
    send(60, 1000);
    for (const auto end = Clock::now() + std::chrono::seconds(10); Clock::now() < end;) {
      if (ring_->ring().ready_block(kBlocks - 1)) return;
      std::this_thread::sleep_for(milliseconds(1));
    }
    FAIL() << "the kernel does not fill the ring";
  }

  std::optional<SharedRing> ring_;
  std::vector<UniqueFd> ends_;
  std::vector<std::unique_ptr<Client>> clients_;
};

TEST_F(SharedRingOnLoopback, WhoHoldsABlockIsLateWhenThereIsNoRoom) {
  Client& client = join();
  fill();
  ASSERT_TRUE(ring_->dispatch());
  EXPECT_EQ(ring_->held_by(client), kBlocks);
  EXPECT_THAT(ring_->late_clients(Clock::now() - milliseconds(5)), IsEmpty());
  EXPECT_THAT(ring_->late_clients(ring_->deadline()), ElementsAre(&client));
}

// The daemon was kept from running until the ring was full, and lends it all at once.
TEST_F(SharedRingOnLoopback, BlocksThatAreLentAtOneMomentAreReadOneAfterTheOther) {
  Client& client = join();
  fill();
  ASSERT_TRUE(ring_->dispatch());
  const auto first = ring_->deadline();
  ASSERT_TRUE(ring_->give_back(client, 0));
  const auto second = ring_->deadline();
  EXPECT_GE(second - first, milliseconds(5));
  EXPECT_THAT(ring_->late_clients(second - milliseconds(1)), IsEmpty());
  EXPECT_THAT(ring_->late_clients(second), ElementsAre(&client));
}

// Otherwise whoever joins and leaves without pause would have the daemon tell everybody each time.
TEST_F(SharedRingOnLoopback, WhoJoinsIsToldTheCountersAndNobodyElse) {
  join();
  const size_t before = octets_for(0);
  join();
  EXPECT_GT(octets_for(1), 0U);
  EXPECT_EQ(octets_for(0), before);
  ring_->tell_counters();
  EXPECT_GT(octets_for(0), before);
}

// One that returns blocks on a guess, and reads nothing.
TEST_F(SharedRingOnLoopback, AClientThatNeverReadsIsOver) {
  Client& client = join();
  const std::vector<uint8_t> octets(4096);
  for (size_t sent = 0; sent < size_t{8} << 20 && !client.is_over; sent += octets.size())
    client.send(octets);
  EXPECT_TRUE(client.is_over);
}

}  // namespace
}  // namespace clerk
