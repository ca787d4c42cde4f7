#include "capture/chunk_stream.h"

#include <gtest/gtest.h>

#include "capture/capture_test_support.h"

namespace clerk {
namespace {

class ChunkStreamTest : public testing::Test {
 protected:
  ChunkStream open(const Octets& content) {
    const TempFile file(content);  // the open descriptor outlives its name
    auto bytes = ByteStream::open(file.path(), around_.stop, around_.octets_read);
    CHECK(bytes);
    return {*std::move(bytes), around_.pool};
  }

  Surroundings around_;
};

Octets octets_at(const ChunkStream& stream, size_t count) {
  return {stream.data(), stream.data() + count};
}

Octets part_of(const Octets& octets, size_t at, size_t count) {
  const auto begin = octets.begin() + static_cast<ptrdiff_t>(at);
  return {begin, begin + static_cast<ptrdiff_t>(count)};
}

TEST_F(ChunkStreamTest, OctetsAreContiguousOnceNeeded) {
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

TEST_F(ChunkStreamTest, WhatStraddlesTwoChunksIsMovedTogether) {
  const Octets content = noise(kChunkOctets * 3);
  ChunkStream stream = open(content);
  constexpr size_t kRecord = 300'007;
  for (size_t at = 0; at + kRecord <= content.size(); at += kRecord) {
    ASSERT_TRUE(stream.need(kRecord));
    ASSERT_EQ(octets_at(stream, kRecord), part_of(content, at, kRecord)) << at;
    EXPECT_GE(stream.data(), stream.chunk()->octets.data());
    EXPECT_LE(stream.data() + kRecord, stream.chunk()->octets.data() + kChunkOctets);
    stream.consume(kRecord);
  }
}

TEST_F(ChunkStreamTest, AWholeChunkCanBeNeededAnywhere) {
  const Octets content = noise(kChunkOctets + 13);
  ChunkStream stream = open(content);
  ASSERT_TRUE(stream.need(13));
  stream.consume(13);
  ASSERT_TRUE(stream.need(kChunkOctets));
  EXPECT_EQ(octets_at(stream, kChunkOctets), part_of(content, 13, kChunkOctets));
}

TEST_F(ChunkStreamTest, AChunkStaysAsItIsWhileSomebodyHoldsIt) {
  const Octets content = noise(kChunkOctets * 4);
  ChunkStream stream = open(content);
  ASSERT_TRUE(stream.need(kChunkOctets));
  const ChunkReference held = stream.chunk();
  for (int i = 0; i < 3; ++i) {
    stream.consume(stream.available());
    ASSERT_TRUE(stream.need(kChunkOctets));
    EXPECT_NE(stream.chunk(), held);
  }
  EXPECT_TRUE(std::ranges::equal(held->octets, first_of(content, kChunkOctets)));
}

TEST_F(ChunkStreamTest, AChunkThatNobodyHoldsIsUsedAgain) {
  const Chunk* first = around_.pool->take().get();
  EXPECT_EQ(around_.pool->take().get(), first);
}

TEST_F(ChunkStreamTest, AChunkMayOutliveThePool) {
  ChunkReference chunk = ChunkPool::create()->take();
  chunk->octets.fill(1);
  chunk.reset();
}

TEST_F(ChunkStreamTest, TheEndOfTheDataIsNoError) {
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

TEST_F(ChunkStreamTest, SkipPassesOverAnyNumberOfChunks) {
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

TEST_F(ChunkStreamTest, SkipStopsAtTheEndOfTheData) {
  ChunkStream stream = open(noise(100));
  EXPECT_FALSE(stream.skip(UINT64_MAX));
  EXPECT_EQ(stream.offset(), 100U);
  EXPECT_FALSE(stream.error());
}

}  // namespace
}  // namespace clerk
