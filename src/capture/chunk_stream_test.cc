#include "capture/chunk_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <span>

#include "capture/capture_test_support.h"

namespace clerk {
namespace {

class ChunkStreamTest : public testing::Test {
 protected:
  ChunkStream open(const Octets& content) {
    const TempFile file(content);  // the open descriptor outlives its name
    return open(file.path());
  }

  ChunkStream open(const std::string& path) {
    auto bytes = ByteStream::open(path, around_.stop, around_.octets_read);
    CHECK(bytes);
    return {*std::move(bytes), around_.pool};
  }

  Surroundings around_;
};

// What is plain is mapped; what is packed is read.
Octets plain(const Octets& content) { return content; }

class EveryChunkStreamTest : public ChunkStreamTest,
                             public testing::WithParamInterface<Octets (*)(const Octets&)> {
 protected:
  ChunkStream open(const Octets& content) { return ChunkStreamTest::open(GetParam()(content)); }
};
INSTANTIATE_TEST_SUITE_P(Files, EveryChunkStreamTest, testing::Values(&plain, &zstd),
                         [](const auto& instance) {
                           return instance.index == 0 ? "plain" : "zstd";
                         });

Octets octets_at(const ChunkStream& stream, size_t count) {
  return {stream.data(), stream.data() + count};
}

Octets part_of(const Octets& octets, size_t at, size_t count) {
  const auto begin = octets.begin() + static_cast<ptrdiff_t>(at);
  return {begin, begin + static_cast<ptrdiff_t>(count)};
}

TEST_P(EveryChunkStreamTest, OctetsAreContiguousOnceNeeded) {
  const Octets content = noise(1000);
  ChunkStream stream = open(content);
  ASSERT_TRUE(stream.need(600));
  EXPECT_EQ(octets_at(stream, 600), first_of(content, 600));
  EXPECT_EQ(stream.offset(), 0U);
  stream.consume(600);
  EXPECT_EQ(stream.offset(), 600U);
  ASSERT_TRUE(stream.need(400));
  EXPECT_EQ(octets_at(stream, 400), part_of(content, 600, 400));
}

TEST_F(ChunkStreamTest, OnlyOfAPlainFileThereIsMemoryToPopulate) {
  const Octets content = noise(kChunkOctets * 3);
  ChunkStream mapped = open(content);
  ChunkStream packed = open(zstd(content));
  ASSERT_TRUE(mapped.need(1));
  ASSERT_TRUE(packed.need(1));
  const auto ahead = mapped.take_ahead();
  EXPECT_EQ(ahead.octets.data(), mapped.data() + kChunkOctets);
  EXPECT_EQ(ahead.octets.size(), content.size() - kChunkOctets);
  EXPECT_TRUE(packed.take_ahead().octets.empty());
}

TEST_P(EveryChunkStreamTest, WhatStraddlesTwoChunksIsMovedTogether) {
  const Octets content = noise(kChunkOctets * 3);
  ChunkStream stream = open(content);
  constexpr size_t kRecord = 300'007;
  for (size_t at = 0; at + kRecord <= content.size(); at += kRecord) {
    ASSERT_TRUE(stream.need(kRecord));
    ASSERT_EQ(octets_at(stream, kRecord), part_of(content, at, kRecord)) << at;
    EXPECT_LE(stream.available(), kChunkOctets);
    stream.consume(kRecord);
  }
}

TEST_P(EveryChunkStreamTest, AWholeChunkCanBeNeededAnywhere) {
  const Octets content = noise(kChunkOctets + 13);
  ChunkStream stream = open(content);
  ASSERT_TRUE(stream.need(13));
  stream.consume(13);
  ASSERT_TRUE(stream.need(kChunkOctets));
  EXPECT_EQ(octets_at(stream, kChunkOctets), part_of(content, 13, kChunkOctets));
}

TEST_P(EveryChunkStreamTest, AChunkStaysAsItIsWhileSomebodyHoldsIt) {
  const Octets content = noise(kChunkOctets * 4);
  ChunkStream stream = open(content);
  ASSERT_TRUE(stream.need(kChunkOctets));
  const ChunkReference held = stream.chunk();
  const uint8_t* const begin = stream.data();
  for (int i = 0; i < 3; ++i) {
    stream.consume(stream.available());
    ASSERT_TRUE(stream.need(kChunkOctets));
    EXPECT_NE(stream.chunk(), held);
  }
  EXPECT_TRUE(std::ranges::equal(std::span(begin, kChunkOctets), first_of(content, kChunkOctets)));
}

TEST_F(ChunkStreamTest, AChunkThatNobodyHoldsIsUsedAgain) {
  const Chunk* first = around_.pool->take().get();
  EXPECT_EQ(around_.pool->take().get(), first);
}

TEST_F(ChunkStreamTest, AChunkMayOutliveThePool) {
  auto chunk = ChunkPool::create()->take();
  chunk->octets.fill(1);
  chunk.reset();
}

TEST_P(EveryChunkStreamTest, TheEndOfTheDataIsNoError) {
  ChunkStream stream = open(noise(100));
  EXPECT_FALSE(stream.need(101));
  EXPECT_FALSE(stream.error());
  EXPECT_EQ(stream.available(), 100U);
  EXPECT_TRUE(stream.need(100));
}

TEST_F(ChunkStreamTest, AFailedReadIsAnErrorBehindWhatWasRead) {
  const Octets packed = gzip(noise(1000));
  ChunkStream stream = open(first_of(packed, packed.size() - 1));
  ASSERT_TRUE(stream.need(1000));
  EXPECT_FALSE(stream.error());
  stream.consume(1000);
  EXPECT_FALSE(stream.need(1));
  ASSERT_TRUE(stream.error());
  EXPECT_EQ(stream.error()->message, "the gzip data ends early");
  EXPECT_FALSE(stream.need(1));  // and it stays
}

TEST_P(EveryChunkStreamTest, SkipPassesOverAnyNumberOfChunks) {
  const Octets content = noise(kChunkOctets * 3 + 100);
  ChunkStream stream = open(content);
  ASSERT_TRUE(stream.skip(kChunkOctets * 3));
  EXPECT_EQ(stream.offset(), kChunkOctets * 3);
  ASSERT_TRUE(stream.need(100));
  EXPECT_EQ(octets_at(stream, 100), part_of(content, kChunkOctets * 3, 100));
  EXPECT_TRUE(stream.skip(100));
  EXPECT_TRUE(stream.skip(0));
  EXPECT_FALSE(stream.skip(1));
}

TEST_P(EveryChunkStreamTest, SkipStopsAtTheEndOfTheData) {
  ChunkStream stream = open(noise(100));
  EXPECT_FALSE(stream.skip(UINT64_MAX));
  EXPECT_EQ(stream.offset(), 100U);
  EXPECT_FALSE(stream.error());
}

TEST_F(ChunkStreamTest, AFileThatGrowsIsReadToItsNewEnd) {
  const Octets content = noise(kChunkOctets + 500);
  const TempFile file(first_of(content, 100));
  ChunkStream stream = open(file.path());
  ASSERT_TRUE(stream.need(100));
  const UniqueFd writer(::open(file.path().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const size_t more = content.size() - 100;
  ASSERT_EQ(::write(writer.get(), content.data() + 100, more), static_cast<ssize_t>(more));
  ASSERT_TRUE(stream.need(kChunkOctets));
  EXPECT_EQ(octets_at(stream, kChunkOctets), first_of(content, kChunkOctets));
  stream.consume(kChunkOctets);
  ASSERT_TRUE(stream.need(500));
  EXPECT_EQ(octets_at(stream, 500), part_of(content, kChunkOctets, 500));
  EXPECT_FALSE(stream.need(501));
}

TEST_F(ChunkStreamTest, NoOctetIsCountedTwice) {
  const Octets content = noise(2 * kChunkOctets + 500);
  ChunkStream stream = open(content);
  while (stream.need(300'000))
    stream.consume(300'000);
  EXPECT_GT(stream.available(), 0U);
  EXPECT_EQ(around_.octets_read, content.size());
}

TEST_F(ChunkStreamTest, AFileThatBecomesShorterIsToldAndNoFault) {
  const TempFile file(noise(2 * kChunkOctets));
  ChunkStream stream = open(file.path());
  ASSERT_TRUE(stream.need(kChunkOctets));
  EXPECT_FALSE(stream.shrank());
  ASSERT_EQ(::truncate(file.path().c_str(), 0), 0);
  EXPECT_EQ(stream.data()[kChunkOctets - 1], 0);
  EXPECT_TRUE(stream.shrank());
  EXPECT_TRUE(stream.shrank_flag()->load());
}

}  // namespace
}  // namespace clerk
