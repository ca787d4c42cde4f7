#include "testimonyd/stats_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <filesystem>
#include <thread>

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = StatsSocket::Clock;

class StatsSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "statsXXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    auto loop = EventLoop::create();
    ASSERT_TRUE(loop) << loop.error().message;
    loop_.emplace(*std::move(loop));
    auto stats = StatsSocket::open(path(), *loop_, [this] {
      ++answers_;
      return text_;
    });
    ASSERT_TRUE(stats) << stats.error().message;
    stats_ = *std::move(stats);
  }
  void TearDown() override {
    stats_.reset();
    std::filesystem::remove_all(directory_);
  }

  [[nodiscard]] std::string path() const { return (directory_ / "stats").string(); }

  [[nodiscard]] UniqueFd ask() const {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path(), address.sun_path);
    const int connected =
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return connected == 0 ? std::move(socket) : UniqueFd();
  }

  // A turn of the loop, as the daemon has them.
  void turn() {
    loop_->wait(milliseconds(0));
    stats_->work(Clock::now());
  }

  // Up to the end of the connection.
  std::string answer_to(const UniqueFd& socket) {
    std::string answer;
    for (const auto end = Clock::now() + seconds(10); Clock::now() < end; turn()) {
      std::array<char, 65536> octets;
      const ssize_t count = ::recv(socket.get(), octets.data(), octets.size(), 0);
      if (count == 0) return answer;
      if (count > 0) answer.append(octets.data(), static_cast<size_t>(count));
    }
    return "no end of: " + answer;
  }

  std::filesystem::path directory_;
  std::optional<EventLoop> loop_;
  std::unique_ptr<StatsSocket> stats_;
  std::string text_ = "counters\n";
  int answers_ = 0;
};

TEST_F(StatsSocketTest, AnswersWhoeverConnects) {
  const UniqueFd one = ask();
  const UniqueFd other = ask();
  EXPECT_EQ(answer_to(one), text_);
  EXPECT_EQ(answer_to(other), text_);
}

TEST_F(StatsSocketTest, AnAnswerMayBeLargerThanWhatTheKernelKeeps) {
  text_.assign(size_t{4} << 20, 'x');
  EXPECT_EQ(answer_to(ask()), text_);
}

// Whoever asks without pause gets an answer now and then, and the daemon its time.
TEST_F(StatsSocketTest, RationsItsAnswers) {
  std::vector<UniqueFd> asking;
  for (UniqueFd socket = ask(); socket && asking.size() < 512; socket = ask())
    asking.push_back(std::move(socket));
  ASSERT_GT(asking.size(), 4U);
  EXPECT_LT(asking.size(), 512U);  // nor do they wait in long queues
  for (int turns = 0; turns < 30; ++turns)
    loop_->wait(milliseconds(0));
  EXPECT_EQ(answers_, 16);
  EXPECT_LT(stats_->deadline(), Clock::now() + milliseconds(100));
  std::this_thread::sleep_until(stats_->deadline());
  turn();
  turn();
  EXPECT_EQ(answers_, 17);
}

TEST_F(StatsSocketTest, ForgetsWhoeverDoesNotTakeTheAnswer) {
  text_.assign(size_t{4} << 20, 'x');
  const UniqueFd socket = ask();
  loop_->wait(milliseconds(0));
  ASSERT_EQ(answers_, 1);
  stats_->work(Clock::now() + seconds(60));
  EXPECT_LT(answer_to(socket).size(), text_.size());
}

}  // namespace
}  // namespace clerk
