#include "capture/chunk_stream.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace clerk {

ChunkReference ChunkPool::take() {
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

void ChunkStream::move_to_new_chunk() {
  ChunkReference next = pool_->take();
  const size_t left = available();
  std::memcpy(next->octets.data(), position_, left);
  position_ = next->octets.data();
  end_ = next->octets.data() + left;
  chunk_ = std::move(next);
}

bool ChunkStream::refill(size_t octets) {
  DCHECK(octets <= kChunkOctets);
  if (error_) return false;
  const uint8_t* chunk_end = chunk_->octets.data() + kChunkOctets;
  if (position_ + octets > chunk_end) {
    move_to_new_chunk();
    chunk_end = chunk_->octets.data() + kChunkOctets;
  }
  while (available() < octets) {
    auto got = stream_.read({end_, static_cast<size_t>(chunk_end - end_)});
    if (!got) {
      error_ = std::move(got).error();
      return false;
    }
    if (*got == 0) return false;
    end_ += *got;
  }
  return true;
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
