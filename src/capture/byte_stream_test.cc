#include "capture/byte_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <future>
#include <thread>

#include "capture/capture_test_support.h"

namespace clerk {
namespace {

struct ReadStream {
  Octets octets;
  std::string error;
};

ReadStream read_stream(const std::string& path, size_t piece = size_t{1} << 20) {
  Surroundings around;
  auto stream = ByteStream::open(path, around.stop, around.octets_read);
  if (!stream) return {{}, stream.error().message};
  ReadStream read;
  Octets buffer(piece);
  for (;;) {
    const auto got = stream->read(buffer);
    if (!got) {
      read.error = got.error().message;
      return read;
    }
    if (*got == 0) return read;
    read.octets.insert(read.octets.end(), buffer.begin(),
                       buffer.begin() + static_cast<ptrdiff_t>(*got));
  }
}

ReadStream read_stream(const Octets& content, size_t piece = size_t{1} << 20) {
  return read_stream(TempFile(content).path(), piece);
}

void expect_read(const Octets& content, const Octets& expected) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}, size_t{1} << 20}) {
    const auto read = read_stream(content, piece);
    EXPECT_EQ(read.octets, expected) << piece;
    EXPECT_EQ(read.error, "") << piece;
  }
}

TEST(ByteStream, APlainFileIsReadAsItIs) { expect_read(noise(10'000), noise(10'000)); }

TEST(ByteStream, AFileShorterThanAnyMagicIsReadAsItIs) {
  for (size_t octets = 0; octets < 4; ++octets)
    expect_read(noise(octets), noise(octets));
  expect_read({0x1f}, {0x1f});
  expect_read({0x28, 0xb5, 0x2f}, {0x28, 0xb5, 0x2f});
}

TEST(ByteStream, GzipIsToldByItsFirstOctets) {
  expect_read(gzip(noise(10'000)), noise(10'000));
  expect_read(gzip(Octets(10'000, 7)), Octets(10'000, 7));
  expect_read(gzip({}), {});
}

TEST(ByteStream, SeveralGzipMembersAreOneStream) {
  const Octets members = gzip(noise(5000)) + gzip({}) + gzip(Octets(3000, 1)) + gzip(noise(1));
  expect_read(members, noise(5000) + Octets(3000, 1) + noise(1));
}

TEST(ByteStream, ZstdIsToldByItsFirstOctets) {
  expect_read(zstd(noise(10'000)), noise(10'000));
  expect_read(zstd(Octets(10'000, 7)), Octets(10'000, 7));
  expect_read(zstd({}), {});
}

TEST(ByteStream, AZstdFileMayBeginWithASkippableFrame) {
  const Octets skippable{0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4};
  expect_read(skippable + zstd(noise(5000)), noise(5000));
}

TEST(ByteStream, SeveralZstdFramesAreOneStream) {
  const Octets frames = zstd(noise(5000)) + zstd({}) + zstd(Octets(300'000, 1)) + zstd(noise(1));
  expect_read(frames, noise(5000) + Octets(300'000, 1) + noise(1));
}

// Readers ask for what is left of a chunk, so that the data may end where the request does.
TEST(ByteStream, DataThatFillsTheRequestExactlyIsComplete) {
  for (const size_t octets : {size_t{1}, size_t{4096}, size_t{1} << 20}) {
    for (const Octets& plain : {noise(octets), Octets(octets, 3)}) {
      for (const Octets& packed : {plain, gzip(plain), zstd(plain)}) {
        const auto read = read_stream(packed, octets);
        EXPECT_EQ(read.error, "") << octets;
        EXPECT_EQ(read.octets, plain) << octets;
      }
    }
  }
}

TEST(ByteStream, MoreThanTheInputBufferIsReadToTheEnd) {
  const Octets plain = noise(3 << 20);
  for (const Octets& packed : {plain, gzip(plain), zstd(plain)})
    EXPECT_EQ(read_stream(packed).octets, plain);
}

void expect_prefix(const Octets& octets, const Octets& whole) {
  ASSERT_LE(octets.size(), whole.size());
  EXPECT_EQ(octets, first_of(whole, octets.size()));
}

TEST(ByteStream, GzipDataThatEndsEarlySaysSoBehindWhatItGave) {
  const Octets plain = noise(500);
  const Octets packed = gzip(plain);
  for (size_t octets = 4; octets < packed.size(); ++octets) {
    const auto read = read_stream(first_of(packed, octets));
    EXPECT_EQ(read.error, "the gzip data ends early");
    expect_prefix(read.octets, plain);
  }
  EXPECT_EQ(read_stream(first_of(packed, packed.size() - 1)).octets, plain);
}

// zlib may hold back part of a long match when there is no room for it.
TEST(ByteStream, GzipDataThatEndsEarlyGivesTheSameInAnyPieces) {
  const Octets packed = gzip(Octets(20'000, 7));
  for (size_t octets = 12; octets < packed.size(); ++octets) {
    const Octets cut = first_of(packed, octets);
    EXPECT_EQ(read_stream(cut, 1).octets, read_stream(cut).octets) << octets;
  }
}

TEST(ByteStream, ZstdDataThatEndsEarlySaysSoBehindWhatItGave) {
  const Octets plain = noise(300'000);
  const Octets packed = zstd(plain);
  for (size_t octets = 4; octets < packed.size(); octets += 997) {
    const auto read = read_stream(first_of(packed, octets));
    EXPECT_EQ(read.error, "the zstd data ends early");
    expect_prefix(read.octets, plain);
  }
}

TEST(ByteStream, AMemberThatEndsEarlyLosesNoneOfTheMembersInFrontOfIt) {
  const Octets packed = gzip(noise(5000)) + first_of(gzip(noise(5000)), 12);
  const auto read = read_stream(packed);
  EXPECT_EQ(read.error, "the gzip data ends early");
  EXPECT_EQ(first_of(read.octets, 5000), noise(5000));
}

TEST(ByteStream, DamagedGzipDataSaysWhatZlibSays) {
  Octets checksum = gzip(noise(500));
  checksum[checksum.size() - 8] ^= 1;
  EXPECT_EQ(read_stream(checksum).error, "the gzip data is damaged (incorrect data check)");
  Octets block = gzip(noise(500));
  block[10] |= 0x06;  // a block type that does not exist
  EXPECT_EQ(read_stream(block).error, "the gzip data is damaged (invalid block type)");
  const Octets tail = gzip(noise(500)) + Octets{'t', 'a', 'i', 'l'};
  EXPECT_EQ(read_stream(tail).error, "the gzip data is damaged (incorrect header check)");
}

TEST(ByteStream, DamagedZstdDataSaysWhatLibzstdSays) {
  Octets checksum = zstd(noise(500));
  checksum.back() ^= 1;
  EXPECT_EQ(read_stream(checksum).error,
            "the zstd data is damaged (Restored data doesn't match checksum)");
  const Octets tail = zstd(noise(500)) + Octets{'t', 'a', 'i', 'l', '!'};
  EXPECT_EQ(read_stream(tail).error, "the zstd data is damaged (Unknown frame descriptor)");
}

// Of a frame only its header: it asks for a window of 256 MiB.
TEST(ByteStream, ZstdDataThatNeedsMuchMemorySaysHowToReadItAllTheSame) {
  constexpr uint8_t kWindow = (28 - 10) << 3;
  const Octets frame{0x28, 0xb5, 0x2f, 0xfd, 0x00, kWindow, 0x01, 0x00, 0x00};
  EXPECT_EQ(
      read_stream(frame).error,
      "needs more than 128 MiB to decompress; write zstd -dc --long=31 FILE | clerk --read -");
}

TEST(ByteStream, WhatCameBeforeDamagedGzipDataIsRead) {
  const Octets plain = noise(5000);
  const Octets damaged = gzip(plain) + Octets{'t', 'a', 'i', 'l'};
  EXPECT_EQ(read_stream(damaged).octets, plain);
  Octets checksum = gzip(plain);
  checksum[checksum.size() - 8] ^= 1;
  EXPECT_EQ(read_stream(checksum).octets, plain);
}

// libzstd tells nothing about what it wrote before it met the damage: frames before it are kept.
TEST(ByteStream, FramesInFrontOfDamagedZstdDataAreRead) {
  Octets second = zstd(noise(700));
  second.back() ^= 1;
  const auto read = read_stream(zstd(noise(5000)) + second);
  EXPECT_EQ(read.octets, noise(5000));
  EXPECT_NE(read.error, "");
}

TEST(ByteStream, OctetsReadCountsTheFilesOctets) {
  const Octets packed = gzip(Octets(100'000, 7));
  const TempFile file(packed);
  Surroundings around;
  auto stream = ByteStream::open(file.path(), around.stop, around.octets_read);
  ASSERT_TRUE(stream);
  Octets buffer(200'000);
  EXPECT_TRUE(stream->read(buffer));
  EXPECT_EQ(around.octets_read, packed.size());
}

TEST(ByteStream, AFileThatCannotBeOpenedSaysWhy) {
  const TempDirectory directory;
  EXPECT_EQ(read_stream(directory.path_of("missing")).error, "No such file or directory");
  EXPECT_EQ(read_stream(directory.path()).error, "is a directory");
}

// The first octets of a process's memory are nobody's.
TEST(ByteStream, AFileThatCannotBeReadSaysWhy) {
  EXPECT_EQ(read_stream("/proc/self/mem").error, "Input/output error");
}

// A named pipe in a directory of its own, and a thread that writes into it in small pieces.
class Pipe {
 public:
  explicit Pipe(Octets content) {
    CHECK(::mkfifo(path().c_str(), 0600) == 0);
    writer_ = std::jthread([this, content = std::move(content)] { write(content); });
  }

  [[nodiscard]] std::string path() const { return directory_.path_of("pipe"); }

 private:
  void write(const Octets& content) const {
    const UniqueFd fd(::open(path().c_str(), O_WRONLY | O_CLOEXEC));
    for (size_t at = 0; at < content.size(); at += 3)
      CHECK(::write(fd.get(), content.data() + at, std::min<size_t>(3, content.size() - at)) > 0);
  }

  TempDirectory directory_;
  std::jthread writer_;
};

TEST(ByteStream, APipeMayHandOverItsDataInPieces) {
  const Octets plain = noise(1000);
  for (const Octets& packed : {plain, gzip(plain), zstd(plain)}) {
    const Pipe pipe(packed);
    const auto read = read_stream(pipe.path());
    EXPECT_EQ(read.error, "");
    EXPECT_EQ(read.octets, plain);
  }
}

TEST(ByteStream, AStopRequestEndsAReadThatWouldWait) {
  const TempDirectory directory;
  const std::string path = directory.path_of("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const UniqueFd writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));  // writes nothing, stays open
  ASSERT_EQ(::write(writer.get(), "plain", 5), 5);
  Surroundings around;
  auto stream = ByteStream::open(path, around.stop, around.octets_read);
  ASSERT_TRUE(stream);
  Octets buffer(100);
  EXPECT_EQ(stream->read(buffer), 4U);  // what was looked at for a magic
  EXPECT_EQ(stream->read(buffer), 1U);
  const std::jthread stopper([&around] { around.stop.request(); });
  EXPECT_EQ(stream->read(buffer), 0U);
}

TEST(ByteStream, AStopRequestEndsTheWaitForAPipesWriter) {
  const TempDirectory directory;
  const std::string path = directory.path_of("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  Surroundings around;
  std::promise<void> opened;
  const std::jthread stopper([&around, &path, done = opened.get_future()] {
    around.stop.request();
    // Whoever still waits is let go, so that the test fails instead of hanging.
    const bool waits = done.wait_for(std::chrono::seconds(10)) != std::future_status::ready;
    EXPECT_FALSE(waits);
    if (waits) const UniqueFd writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  });
  EXPECT_TRUE(ByteStream::open(path, around.stop, around.octets_read));
  opened.set_value();
}

// Stdin is another file while this lives.
class StdinFrom {
 public:
  explicit StdinFrom(const std::string& path) : saved_(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(::dup2(file.get(), STDIN_FILENO) == STDIN_FILENO);
  }
  StdinFrom(const StdinFrom&) = delete;
  StdinFrom& operator=(const StdinFrom&) = delete;
  ~StdinFrom() { ::dup2(saved_.get(), STDIN_FILENO); }

 private:
  UniqueFd saved_;
};

TEST(ByteStream, AMinusIsStdin) {
  const TempFile file(gzip(noise(1000)));
  const StdinFrom stdin_from(file.path());
  EXPECT_EQ(read_stream("-").octets, noise(1000));
}

}  // namespace
}  // namespace clerk
