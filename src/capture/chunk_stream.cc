#include "capture/chunk_stream.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace clerk {

std::shared_ptr<Chunk> ChunkPool::take() {
  std::unique_ptr<Chunk> chunk;
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      chunk = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (!chunk) chunk = std::make_unique_for_overwrite<Chunk>();
  // The pool stays alive as long as any chunk of it is out.
  return {chunk.release(), [pool = shared_from_this()](Chunk* used) {
            pool->give_back(std::unique_ptr<Chunk>(used));
          }};
}

void ChunkPool::give_back(std::unique_ptr<Chunk> chunk) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(chunk));
}

// A chunk begins where the record that needs it begins, mapped or not.
bool ChunkStream::refill(size_t octets) {
  DCHECK(octets <= kChunkOctets);
  if (error_) return false;
  return (is_mapped_ && map_window(octets)) || read_more(octets);
}

// Once there is no such window (the file has ended, or cannot be mapped) the stream is read.
bool ChunkStream::map_window(size_t octets) {
  auto window = stream_.window(offset_, kChunkOctets);
  if (window && window->octets.size() >= octets) {
    position_ = window->octets.data();
    end_ = position_ + window->octets.size();
    chunk_ = std::move(window->memory);
    return true;
  }
  is_mapped_ = false;
  auto moved = stream_.read_from(offset_);
  if (!moved) error_ = std::move(moved).error();
  position_ = end_ = chunk_end_ = free_ = nullptr;
  return false;
}

bool ChunkStream::read_more(size_t octets) {
  if (error_) return false;
  if (available() + room() < octets) move_to_new_chunk();
  while (available() < octets) {
    auto got = stream_.read({free_, room()});
    if (!got) {
      error_ = std::move(got).error();
      return false;
    }
    if (*got == 0) return false;
    end_ = free_ += *got;
  }
  return true;
}

void ChunkStream::move_to_new_chunk() {
  std::shared_ptr<Chunk> next = pool_->take();
  uint8_t* const begin = next->octets.data();
  const size_t left = available();
  if (left > 0) std::memcpy(begin, position_, left);
  position_ = begin;
  end_ = free_ = begin + left;
  chunk_end_ = begin + kChunkOctets;
  chunk_ = std::move(next);
}

bool ChunkStream::skip(uint64_t octets) {
  while (octets > 0) {
    if (!need(1)) return false;
    const size_t step = std::min<uint64_t>(octets, available());
    consume(step);
    octets -= step;
  }
  return true;
}

}  // namespace clerk
