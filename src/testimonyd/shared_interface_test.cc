#include "testimonyd/shared_interface.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "capture/live_test_support.h"
#include "testimony/client.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = SharedInterface::Clock;

// A socket that shares lo, and a loop whose turns the test takes.
class SharedLoopback : public OnLoopback {
 protected:
  void SetUp() override {
    OnLoopback::SetUp();
    if (IsSkipped()) return;
    std::string pattern = (std::filesystem::temp_directory_path() / "sharedXXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop) << loop.error().message;
    loop_.emplace(*std::move(loop));
    auto shared = SharedInterface::open({.socket_name = path(),
                                         .interface = "lo",
                                         .block_octets = 4096,
                                         .blocks = 4,
                                         .block_timeout_ms = 8,
                                         .reserve_blocks = 1,
                                         .clients_max = 64},
                                        *loop_);
    ASSERT_TRUE(shared) << shared.error().message;
    shared_ = *std::move(shared);
  }
  void TearDown() override {
    shared_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  [[nodiscard]] std::string path() const { return (directory_ / "socket").string(); }

  [[nodiscard]] UniqueFd dial() const {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path(), address.sun_path);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    return socket;
  }

  void turn(milliseconds patience = milliseconds(0)) {
    loop_->wait(patience);
    shared_->work(Clock::now());
  }

  // Of a client of index 0, to which the daemon's side answers meanwhile.
  testimony::Result<testimony::Client> connect() {
    auto client = std::async(std::launch::async,
                             [this] { return testimony::Client::connect(path(), 0, seconds(10)); });
    while (client.wait_for(milliseconds(0)) != std::future_status::ready)
      turn(milliseconds(1));
    return client.get();
  }

  std::filesystem::path directory_;
  std::optional<EventLoop> loop_;
  std::unique_ptr<SharedInterface> shared_;
};

// Whoever connects without pause must not keep the loop from the rings.
TEST_F(SharedLoopback, LetsAFewClientsInAtEachTurn) {
  std::vector<UniqueFd> clients;
  while (clients.size() < 40)
    clients.push_back(dial());
  turn();
  EXPECT_EQ(shared_->stats(Clock::now()).clients_greeting, 16U);
  turn();
  turn();
  EXPECT_EQ(shared_->stats(Clock::now()).clients_greeting, 40U);
}

TEST_F(SharedLoopback, CountsAreThoseOfTheMoment) {
  send(3);
  const auto stats = shared_->stats(Clock::now());
  EXPECT_EQ(stats.rings[0].counts.kernel.packets, 3U);
}

// So what the kernel dropped in the last second is known, too.
TEST_F(SharedLoopback, AtTheEndClientsAreToldTheCounters) {
  auto client = connect();
  ASSERT_TRUE(client) << client.error().message;
  send(3);
  shared_.reset();
  auto block = client->next_block(seconds(10));
  EXPECT_FALSE(block);
  ASSERT_TRUE(client->kernel_counters());
  EXPECT_EQ(client->kernel_counters()->packets, 3U);
}

// What it has given back may have come since the loop looked.
TEST_F(SharedLoopback, ASuspectIsHeardBeforeItIsJudged) {
  auto client = connect();
  ASSERT_TRUE(client) << client.error().message;
  for (const auto end = Clock::now() + seconds(10); Clock::now() < end;) {
    send(3, 1000);
    turn(milliseconds(1));
    if (shared_->stats(Clock::now()).rings[0].counts.blocks_held >= 3) break;
  }
  for (auto block = client->next_block(milliseconds(0)); block && *block;
       block = client->next_block(milliseconds(0)))
    ASSERT_TRUE(client->return_block((*block)->index));
  shared_->work(Clock::now() + seconds(1));
  EXPECT_EQ(shared_->stats(Clock::now()).rings[0].counts.evictions, 0U);
}

TEST_F(SharedLoopback, WhoHoldsBlocksTooLongIsSentAway) {
  auto client = connect();
  ASSERT_TRUE(client) << client.error().message;
  for (const auto end = Clock::now() + seconds(10); Clock::now() < end;) {
    send(3, 1000);
    turn(milliseconds(1));
    if (shared_->stats(Clock::now()).rings[0].counts.evictions > 0) break;
  }
  auto block = client->next_block(milliseconds(0));
  while (block && *block)
    block = client->next_block(milliseconds(0));
  ASSERT_FALSE(block);
  EXPECT_EQ(block.error().message, "the daemon says: blocks were held too long");
  EXPECT_EQ(shared_->stats(Clock::now()).rings[0].counts.blocks_held, 0U);
}

}  // namespace
}  // namespace clerk
