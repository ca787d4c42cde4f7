#include "base/watched_word.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <thread>

namespace clerk {
namespace {

using std::chrono::milliseconds;

milliseconds cpu_time_of_this_thread() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto of = [](const timeval& time) { return time.tv_sec * 1000 + time.tv_usec / 1000; };
  return milliseconds(of(usage.ru_utime) + of(usage.ru_stime));
}

TEST(WatchedWord, AnotherValueIsNotWaitedFor) {
  WatchedWord word(7);
  EXPECT_EQ(word.wait_while(6), 7U);
  word.set(8);
  EXPECT_EQ(word.wait_while(7), 8U);
}

TEST(WatchedWord, WhoeverWaitsSleeps) {
  WatchedWord word(0);
  std::jthread setter([&] {
    std::this_thread::sleep_for(milliseconds(300));
    word.set(1);
  });
  const auto before = cpu_time_of_this_thread();
  EXPECT_EQ(word.wait_while(0), 1U);
  EXPECT_LT(cpu_time_of_this_thread() - before, milliseconds(100));
}

TEST(WatchedWord, WakesAllThatWait) {
  WatchedWord word(0);
  const auto wait = [&] { EXPECT_EQ(word.wait_while(0), 1U); };
  const std::array<std::jthread, 3> waiters{std::jthread(wait), std::jthread(wait),
                                            std::jthread(wait)};
  std::this_thread::sleep_for(milliseconds(20));
  word.set(1);
}

// Each side sleeps or is about to whenever the other sets its word: a lost wake-up would hang.
TEST(WatchedWord, NoWakeUpIsLost) {
  constexpr uint32_t kTurns = 20'000;
  WatchedWord there(0);
  WatchedWord back(0);
  int plain = 0;  // passes with the words
  std::jthread other([&] {
    for (uint32_t turn = 0; turn < kTurns; ++turn) {
      EXPECT_EQ(there.wait_while(turn), turn + 1);
      ++plain;
      back.set(turn + 1);
    }
  });
  for (uint32_t turn = 0; turn < kTurns; ++turn) {
    ++plain;
    there.set(turn + 1);
    EXPECT_EQ(back.wait_while(turn), turn + 1);
  }
  EXPECT_EQ(plain, 2 * static_cast<int>(kTurns));
}

}  // namespace
}  // namespace clerk
