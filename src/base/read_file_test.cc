#include "base/read_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "testing/temp_file.h"

namespace clerk {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr size_t kMebibyte = size_t{1} << 20;

TEST(ReadFile, GivesEveryOctet) {
  for (const size_t octets : {size_t{0}, size_t{1}, 3 * kMebibyte}) {
    std::vector<uint8_t> written(octets);
    for (size_t i = 0; i < octets; ++i)
      written[i] = static_cast<uint8_t>(i * 7);
    const TempFile file(written);
    const auto content = read_file(file.path(), 3 * kMebibyte);
    ASSERT_TRUE(content) << content.error().message;
    EXPECT_TRUE(
        std::equal(content->begin(), content->end(), written.begin(), written.end(),
                   [](char read, uint8_t wrote) { return static_cast<uint8_t>(read) == wrote; }));
  }
}

TEST(ReadFile, FailsWhenThereIsNoSuchFile) {
  const auto content = read_file("/nowhere/at/all", kMebibyte);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().message, "/nowhere/at/all: No such file or directory");
}

TEST(ReadFile, FailsOnADirectory) {
  const TempDirectory directory;
  const auto content = read_file(directory.path(), kMebibyte);
  ASSERT_FALSE(content);
  EXPECT_THAT(content.error().message, StartsWith(directory.path() + ": "));
}

TEST(ReadFile, StopsAtTheLimitAlsoWhenAFileHasNoEnd) {
  const auto content = read_file("/dev/zero", 2 * kMebibyte);
  ASSERT_FALSE(content);
  EXPECT_THAT(content.error().message,
              AllOf(StartsWith("/dev/zero: "), HasSubstr("more than 2 MiB")));
}

}  // namespace
}  // namespace clerk
