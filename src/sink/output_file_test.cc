#include "sink/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "sink/sink_test_support.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

constexpr size_t kMoreThanTheBuffer = 200'000;

TEST(OutputFile, WritesFrontToBack) {
  const TempDirectory directory;
  const std::string path = directory.path_of("out");
  auto file = OutputFile::create(path);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write("one "));
  EXPECT_TRUE(file->write(std::array<uint8_t, 3>{'t', 'w', 'o'}));
  EXPECT_TRUE(file->flush());
  EXPECT_EQ(read_text(path), "one two");
  EXPECT_FALSE(file->error());
}

TEST(OutputFile, EmptiesAFileThatExists) {
  const TempFile old(std::array<uint8_t, 3>{'o', 'l', 'd'});
  ASSERT_TRUE(OutputFile::create(old.path()));
  EXPECT_EQ(read_text(old.path()), "");
}

TEST(OutputFile, HandsOverByItselfWhenMuchIsWaiting) {
  const TempDirectory directory;
  const std::string path = directory.path_of("out");
  auto file = OutputFile::create(path);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write(std::string(kMoreThanTheBuffer, 'x')));
  EXPECT_EQ(read_text(path).size(), kMoreThanTheBuffer);
}

TEST(OutputFile, ADashIsStdout) {
  const TempDirectory directory;
  const std::string path = directory.path_of("stdout");
  const UniqueFd target(::open(path.c_str(), O_WRONLY | O_CREAT, 0600));
  const UniqueFd saved(::dup(STDOUT_FILENO));
  ::dup2(target.get(), STDOUT_FILENO);
  auto file = OutputFile::create("-");
  ::dup2(saved.get(), STDOUT_FILENO);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write("text"));
  EXPECT_TRUE(file->flush());
  EXPECT_EQ(read_text(path), "text");
}

TEST(OutputFile, TellsWhyItCannotBeCreated) {
  const TempDirectory directory;
  const auto missing = OutputFile::create(directory.path_of("missing/out"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, errno_text(ENOENT));
  const auto folder = OutputFile::create(directory.path());
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().message, errno_text(EISDIR));
}

TEST(OutputFile, AFullDeviceIsAnErrorAtTheFlush) {
  auto file = OutputFile::create("/dev/full");
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write("text"));
  EXPECT_FALSE(file->flush());
  ASSERT_TRUE(file->error());
  EXPECT_EQ(file->error()->message, errno_text(ENOSPC));
}

TEST(OutputFile, DiscardsEverythingBehindTheFirstError) {
  auto file = OutputFile::create("/dev/full");
  ASSERT_TRUE(file);
  EXPECT_FALSE(file->write(std::string(kMoreThanTheBuffer, 'x')));
  EXPECT_FALSE(file->write("more"));
  EXPECT_FALSE(file->flush());
  EXPECT_EQ(file->error()->message, errno_text(ENOSPC));
}

}  // namespace
}  // namespace clerk
