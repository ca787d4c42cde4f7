#include "base/cpu_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <string>
#include <thread>

namespace clerk {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<uint32_t> allowed_here() {
  cpu_set_t set;
  EXPECT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
  std::vector<uint32_t> cpus;
  for (uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

std::string error_of(const std::string& text) {
  const auto cpus = parse_cpu_list(text);
  return cpus ? "accepted" : cpus.error().message;
}

TEST(CpuList, NamesOneCpu) {
  const uint32_t cpu = allowed_here().front();
  EXPECT_THAT(parse_cpu_list(std::to_string(cpu)).value(), ElementsAre(cpu));
}

TEST(CpuList, KeepsTheOrderOfNumbersAndRanges) {
  const auto allowed = allowed_here();
  if (allowed.size() < 2 || allowed[0] != 0 || allowed[1] != 1)
    GTEST_SKIP() << "needs CPUs 0 and 1";
  EXPECT_THAT(parse_cpu_list("1,0").value(), ElementsAre(1, 0));
  EXPECT_THAT(parse_cpu_list("0-1").value(), ElementsAre(0, 1));
  EXPECT_THAT(parse_cpu_list("1-1,0-0").value(), ElementsAre(1, 0));
}

TEST(CpuList, WhatIsNoListIsToldHowToWriteOne) {
  for (const char* text : {"", ",", "0,", ",0", "0,,1", "a", "0-", "-1", "-", "1-0", "0-1-2", "0 1",
                           "+0", " 0", "0x1", "4294967296", "0-99999999999"})
    EXPECT_EQ(error_of(text), std::string("--cpus ") + text +
                                  ": write CPU numbers and ranges of them with commas between, "
                                  "such as 0-3,8");
}

TEST(CpuList, ACpuThatTheProcessMayNotUseIsNamed) {
  const auto allowed = allowed_here();
  const uint32_t beyond = allowed.back() + 1;
  const std::string text = std::to_string(allowed.back()) + "-4294967295";
  EXPECT_THAT(error_of(text), HasSubstr("--cpus " + text + ": this process may not run on CPU " +
                                        std::to_string(beyond) + ", only on "));
}

TEST(CpuList, TheCpusOfTheThreadAreWhatCounts) {
  const auto allowed = allowed_here();
  if (allowed.size() < 2) GTEST_SKIP() << "needs two CPUs";
  std::thread([&] {
    ASSERT_TRUE(pin_thread_to(allowed[1]));
    EXPECT_EQ(error_of(std::to_string(allowed[0])),
              "--cpus " + std::to_string(allowed[0]) + ": this process may not run on CPU " +
                  std::to_string(allowed[0]) + ", only on " + std::to_string(allowed[1]));
  }).join();
}

TEST(CpuList, ACpuNamedTwiceIsRefused) {
  const std::string cpu = std::to_string(allowed_here().front());
  EXPECT_EQ(error_of(cpu + "," + cpu),
            "--cpus " + cpu + "," + cpu + ": CPU " + cpu + " is named twice");
}

TEST(PinThread, KeepsTheCallingThreadThereAndNoOther) {
  const auto allowed = allowed_here();
  std::thread([&] {
    ASSERT_TRUE(pin_thread_to(allowed.back()));
    EXPECT_THAT(allowed_here(), ElementsAre(allowed.back()));
    EXPECT_EQ(static_cast<uint32_t>(::sched_getcpu()), allowed.back());
  }).join();
  EXPECT_EQ(allowed_here(), allowed);
}

TEST(PinThread, TellsWhichCpuThereIsNot) {
  for (const uint32_t cpu : {1023U, 5000U}) {
    const auto pinned = pin_thread_to(cpu);
    ASSERT_FALSE(pinned);
    EXPECT_THAT(pinned.error().message, HasSubstr("CPU " + std::to_string(cpu)));
  }
}

}  // namespace
}  // namespace clerk
