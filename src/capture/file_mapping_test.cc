#include "capture/file_mapping.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "capture/capture_test_support.h"

namespace clerk {
namespace {

constexpr size_t kOctets = 100'000;

class FileMappingTest : public testing::Test {
 protected:
  Octets content_ = noise(kOctets);
  TempFile file_{content_};
  UniqueFd fd_{::open(file_.path().c_str(), O_RDONLY | O_CLOEXEC)};
  FileMapping mapping_{fd_.get()};
};

Octets octets_of(const FileMapping::Window& window) {
  return {window.octets.begin(), window.octets.end()};
}

TEST_F(FileMappingTest, AWindowBeginsAnywhere) {
  for (const size_t offset : {0U, 1U, 4095U, 4096U, 4097U, 50'000U}) {
    const auto window = mapping_.window(offset, 1000);
    ASSERT_TRUE(window) << offset;
    const auto begin = content_.begin() + static_cast<ptrdiff_t>(offset);
    EXPECT_EQ(octets_of(*window), Octets(begin, begin + 1000)) << offset;
  }
}

TEST_F(FileMappingTest, AWindowEndsWithTheFile) {
  const auto window = mapping_.window(kOctets - 10, 1000);
  ASSERT_TRUE(window);
  EXPECT_EQ(window->octets.size(), 10U);
  EXPECT_FALSE(mapping_.window(kOctets, 1000));
  EXPECT_FALSE(mapping_.shrank());
  EXPECT_FALSE(mapping_.window(kOctets + 5000, 1000));
  EXPECT_TRUE(mapping_.shrank());
}

TEST_F(FileMappingTest, WhatIsNoFileHasNoWindow) {
  EXPECT_FALSE(FileMapping(-1).window(0, 1000));
  const UniqueFd directory(::open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  EXPECT_FALSE(FileMapping(directory.get()).window(0, 1000));
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(FileMapping(null.get()).window(0, 1000));
}

TEST_F(FileMappingTest, AWindowOutlivesTheMappingAndTheFile) {
  auto window = FileMapping(fd_.get()).window(0, kOctets);
  ASSERT_TRUE(window);
  fd_ = {};
  ::unlink(file_.path().c_str());
  EXPECT_EQ(octets_of(*window), content_);
}

TEST_F(FileMappingTest, ThereIsAnEndToMappingsAndAWayBack) {
  const auto window_of_another = [this] { return FileMapping(fd_.get()).window(0, 1); };
  std::vector<FileMapping::Window> windows;
  for (auto window = window_of_another(); window; window = window_of_another())
    windows.push_back(*window);
  EXPECT_GT(windows.size(), 500U);
  windows.pop_back();
  EXPECT_TRUE(window_of_another());
}

TEST_F(FileMappingTest, WindowsOfAFileLongerThanAStretchAreAllThere) {
  constexpr uint64_t kLongOctets = 40U << 20;
  constexpr uint64_t kStep = 1'000'003;
  ASSERT_EQ(::truncate(file_.path().c_str(), kLongOctets), 0);
  std::vector<FileMapping::Window> windows;
  for (uint64_t at = 0; at < kLongOctets; at += kStep) {
    const auto mark = static_cast<uint8_t>(at / kStep + 1);
    ASSERT_EQ(::pwrite(UniqueFd(::open(file_.path().c_str(), O_WRONLY | O_CLOEXEC)).get(), &mark, 1,
                       static_cast<off_t>(at)),
              1);
  }
  for (uint64_t at = 0; at < kLongOctets; at += kStep) {
    auto window = mapping_.window(at, kStep);
    ASSERT_TRUE(window) << at;
    ASSERT_EQ(window->octets.size(), std::min(kStep, kLongOctets - at));
    windows.push_back(*std::move(window));
  }
  for (size_t i = 0; i < windows.size(); ++i)
    EXPECT_EQ(windows[i].octets[0], i + 1);
  EXPECT_FALSE(mapping_.shrank());
}

TEST_F(FileMappingTest, WhatComesNextIsGivenToPopulateOnce) {
  constexpr uint64_t kMiB = 1U << 20;
  constexpr uint64_t kLongOctets = 12 * kMiB + 5;
  ASSERT_EQ(::truncate(file_.path().c_str(), kLongOctets), 0);
  EXPECT_TRUE(mapping_.take_ahead().octets.empty());
  const auto first = mapping_.window(0, kMiB);
  ASSERT_TRUE(first);
  const uint8_t* const begin = first->octets.data();
  const auto second = mapping_.take_ahead();
  EXPECT_EQ(second.octets.data(), begin + kMiB);
  EXPECT_EQ(second.octets.size(), 8 * kMiB);
  EXPECT_TRUE(mapping_.take_ahead().octets.empty());
  ASSERT_TRUE(mapping_.window(kMiB, kMiB));
  const auto third = mapping_.take_ahead();
  EXPECT_EQ(third.octets.data(), begin + 9 * kMiB);
  EXPECT_EQ(third.octets.size(), kMiB);
  ASSERT_TRUE(mapping_.window(5 * kMiB, kMiB));
  const auto last = mapping_.take_ahead();
  EXPECT_EQ(last.octets.data(), begin + 10 * kMiB);
  EXPECT_EQ(last.octets.size(), 2 * kMiB + 5);
  ASSERT_TRUE(mapping_.window(12 * kMiB, kMiB));
  EXPECT_TRUE(mapping_.take_ahead().octets.empty());
}

// How many of the pages, of 4 KiB each, this process need not fault for: proc(5), pagemap.
size_t pages_present(std::span<const uint8_t> octets) {
  constexpr uintptr_t kPage = 4096;
  const uintptr_t first = reinterpret_cast<uintptr_t>(octets.data()) / kPage;
  const uintptr_t last = reinterpret_cast<uintptr_t>(octets.data() + octets.size() - 1) / kPage;
  std::vector<uint64_t> entries(last - first + 1);
  const UniqueFd pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  const size_t wanted = entries.size() * sizeof entries[0];
  EXPECT_EQ(
      ::pread(pagemap.get(), entries.data(), wanted, static_cast<off_t>(first * sizeof entries[0])),
      static_cast<ssize_t>(wanted));
  return static_cast<size_t>(
      std::ranges::count_if(entries, [](uint64_t entry) { return (entry >> 63) != 0; }));
}

bool kernel_populates() {
  alignas(4096) static std::array<uint8_t, 4096> page;
  return ::madvise(page.data(), page.size(), MADV_POPULATE_READ) == 0;
}

TEST_F(FileMappingTest, WhatIsPopulatedIsPresent) {
  if (::sysconf(_SC_PAGESIZE) != 4096) GTEST_SKIP() << "pages are not of 4 KiB here";
  constexpr uint64_t kLongOctets = 4U << 20;
  ASSERT_EQ(::truncate(file_.path().c_str(), kLongOctets), 0);
  ASSERT_TRUE(mapping_.window(0, 1));
  const auto ahead = mapping_.take_ahead();
  ASSERT_EQ(ahead.octets.size(), kLongOctets - 1);
  EXPECT_LT(pages_present(ahead.octets), 512U);  // a fault brings some neighbours along
  ahead.populate();
  if (!kernel_populates()) GTEST_SKIP() << "THE KERNEL IS OLDER THAN 5.14: NOTHING IS POPULATED";
  EXPECT_EQ(pages_present(ahead.octets), 1024U);
}

TEST_F(FileMappingTest, WhatIsGoneIsZerosAndTold) {
  const auto front = mapping_.window(0, 4096);
  const auto back = mapping_.window(4096, kOctets - 4096);
  ASSERT_TRUE(front && back);
  ASSERT_EQ(::truncate(file_.path().c_str(), 8192), 0);
  EXPECT_FALSE(mapping_.shrank());
  EXPECT_EQ(back->octets[0], content_[4096]);
  EXPECT_EQ(back->octets[4095], content_[8191]);
  back->populate();  // as far as it goes
  EXPECT_FALSE(mapping_.shrank());
  EXPECT_EQ(back->octets[4096], 0);
  EXPECT_TRUE(mapping_.shrank());
  EXPECT_TRUE(mapping_.shrank_flag()->load());
  for (size_t at = 4096; at < back->octets.size(); ++at)
    ASSERT_EQ(back->octets[at], 0);
  EXPECT_EQ(octets_of(*front), first_of(content_, 4096));
}

TEST_F(FileMappingTest, OneFileSaysNothingOfAnother) {
  const TempFile other_file(content_);
  const UniqueFd other_fd(::open(other_file.path().c_str(), O_RDONLY | O_CLOEXEC));
  FileMapping other(other_fd.get());
  const auto window = mapping_.window(0, kOctets);
  const auto other_window = other.window(0, kOctets);
  ASSERT_TRUE(window && other_window);
  ASSERT_EQ(::truncate(file_.path().c_str(), 0), 0);
  EXPECT_EQ(window->octets[0], 0);
  EXPECT_TRUE(mapping_.shrank());
  EXPECT_FALSE(other.shrank());
  EXPECT_EQ(octets_of(*other_window), content_);
}

TEST_F(FileMappingTest, ASignalFromElsewhereStillEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        static_cast<void>(mapping_.window(0, 1));  // the handler is there
        std::raise(SIGBUS);
        std::raise(SIGBUS);  // the first one took the handler away
      },
      testing::KilledBySignal(SIGBUS), "");
}

}  // namespace
}  // namespace clerk
