// A byte stream cut into chunks of memory that packets can point into without being copied.
//
// The file readers ask for n contiguous octets, read them in place and consume them. A chunk of a
// plain file is a window of the page cache; of anything else it is memory that the data is read
// into, and only a record that straddles two chunks is moved. Either way the same data is cut at
// the same places. A chunk lives as long as somebody (the stream, a slice) holds a reference; then
// its memory goes back to the pool, so that it is touched once and reused.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/prefetch.h"
#include "capture/byte_stream.h"

namespace clerk {

// Large enough that straddling records are rare and a read() call is cheap for each packet; small
// enough that a few of them stay in a CPU's cache.
inline constexpr size_t kChunkOctets = 1024 * 1024;

struct Chunk {
  std::array<uint8_t, kChunkOctets> octets;
};

// Keeps the memory of a chunk, whatever it is.
using ChunkReference = std::shared_ptr<const void>;

// Chunks that are not in use. Any thread; taken once a chunk, never once a packet.
class ChunkPool : public std::enable_shared_from_this<ChunkPool> {
 public:
  static std::shared_ptr<ChunkPool> create() { return std::make_shared<ChunkPool>(); }
  std::shared_ptr<Chunk> take();

 private:
  void give_back(std::unique_ptr<Chunk> chunk);

  std::mutex mutex_;
  std::vector<std::unique_ptr<Chunk>> free_;
};

class ChunkStream {
 public:
  ChunkStream(ByteStream stream, std::shared_ptr<ChunkPool> pool)
      : stream_(std::move(stream)), pool_(std::move(pool)), is_mapped_(stream_.mappable()) {}

  // Makes `octets` (at most kChunkOctets) contiguous at data(). False when the data ends before
  // that or cannot be read; error() tells which.
  [[nodiscard]] bool need(size_t octets) { return available() >= octets || refill(octets); }

  [[nodiscard]] const uint8_t* data() const { return position_; }
  [[nodiscard]] size_t available() const { return static_cast<size_t>(end_ - position_); }

  // Octets that need() made available.
  void consume(size_t octets) {
    position_ += octets;
    offset_ += octets;
  }

  // Has what is some way ahead of here on its way from memory.
  CLERK_ALWAYS_INLINE static void prefetch_ahead_of(const uint8_t* here) {
    prefetch_for_read(here + kAheadOctets);
    prefetch_for_read(here + kAheadOctets + kCacheLineOctets);
  }

  // Passes over any number of octets. False as with need().
  [[nodiscard]] bool skip(uint64_t octets);

  // Whether offsets count octets that the file has only once it is decompressed.
  [[nodiscard]] bool compressed() const { return stream_.compressed(); }

  // How far the readers are, in (decompressed) octets from the start.
  [[nodiscard]] uint64_t offset() const { return offset_; }

  // The chunk that data() points into; keep a reference as long as a packet is in use.
  [[nodiscard]] const ChunkReference& chunk() const { return chunk_; }

  // What chunks to come will consist of, for the caller to populate. Empty where there is nothing
  // to populate.
  [[nodiscard]] FileMapping::Window take_ahead() {
    return is_mapped_ ? stream_.take_ahead() : FileMapping::Window{};
  }

  // Nothing is left, and nothing went wrong.
  [[nodiscard]] bool at_end() const { return available() == 0 && !error_; }

  // Set when reading failed, as opposed to the data having ended.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  // Whether the file became shorter under its readers: octets that data() showed may be zeros that
  // the file never had. For those who look later, the flag that tells it, or none.
  [[nodiscard]] bool shrank() const { return is_mapped_ && stream_.shrank(); }
  [[nodiscard]] std::shared_ptr<const std::atomic<bool>> shrank_flag() const {
    return stream_.shrank_flag();
  }

 private:
  static constexpr size_t kCacheLineOctets = 64;
  // A dozen small records: what memory takes to come, and little enough to be still in the cache.
  static constexpr size_t kAheadOctets = 2048;

  bool refill(size_t octets);
  bool map_window(size_t octets);
  bool read_more(size_t octets);
  void move_to_new_chunk();
  [[nodiscard]] size_t room() const { return static_cast<size_t>(chunk_end_ - end_); }

  ByteStream stream_;
  std::shared_ptr<ChunkPool> pool_;
  bool is_mapped_;  // chunks are windows of the file
  ChunkReference chunk_;
  const uint8_t* position_ = nullptr;
  const uint8_t* end_ = nullptr;        // of what is there
  const uint8_t* chunk_end_ = nullptr;  // of what there may be
  uint8_t* free_ = nullptr;             // end_, where the next octets are read to
  uint64_t offset_ = 0;
  std::optional<Error> error_;
};

}  // namespace clerk
