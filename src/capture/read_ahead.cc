#include "capture/read_ahead.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <new>
#include <system_error>
#include <utility>

namespace clerk {

ReadAhead::ReadAhead(RawInput input, std::unique_ptr<Decompressor> decompressor)
    : input_(std::move(input)), decompressor_(std::move(decompressor)) {
  if (const auto started = start_thread(); !started)
    spdlog::debug("decompressing without a thread of its own: {}", started.error().message);
}

ReadAhead::~ReadAhead() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    abandoned_->request();
  }
  changed_.notify_one();
}

Result<void> ReadAhead::start_thread() {
  abandoned_.emplace(TRY(StopRequest::create()));
  input_.end_also_on(*abandoned_);
  try {
    thread_ = std::jthread([this] { run(); });
  } catch (const std::system_error& error) {
    return fail("{}", error.code().message());
  }
  return {};
}

void ReadAhead::run() {
  while (Buffer* buffer = wait_for_empty()) {
    fill(*buffer);
    const bool is_last = buffer->filled.value_or(0) == 0;
    hand_over();
    if (is_last) return;
  }
}

// None once the object goes.
ReadAhead::Buffer* ReadAhead::wait_for_empty() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] {
    return abandoned_->requested() || buffers_filled_ - buffers_emptied_ < kBuffers;
  });
  return abandoned_->requested() ? nullptr : &ring_[buffers_filled_ % kBuffers];
}

void ReadAhead::hand_over() {
  {
    const std::lock_guard lock(mutex_);
    ++buffers_filled_;
  }
  changed_.notify_one();
}

// Nothing leaves the thread but in a buffer. The message of a lack of memory fits into a string
// without any.
void ReadAhead::fill(Buffer& buffer) {
  try {
    buffer.filled = decompressor_->read(input_, buffer.octets);
  } catch (const std::bad_alloc&) {
    buffer.filled = std::unexpected(Error{"out of memory"});
  } catch (const std::exception& error) {
    buffer.filled = std::unexpected(Error{error.what()});
  }
}

Result<size_t> ReadAhead::read(std::span<uint8_t> into) {
  if (unread_.empty()) unread_ = TRY(next_octets());
  const size_t size = std::min(unread_.size(), into.size());
  std::copy_n(unread_.begin(), size, into.begin());
  unread_ = unread_.subspan(size);
  return size;
}

// Of the next buffer. The last one, which has none, stays.
Result<std::span<const uint8_t>> ReadAhead::next_octets() {
  if (!held_ || held_->filled.value_or(0) > 0) held_ = &next_buffer();
  return std::span(held_->octets).first(TRY(held_->filled));
}

const ReadAhead::Buffer& ReadAhead::next_buffer() {
  if (!thread_.joinable()) {
    fill(ring_.front());
    return ring_.front();
  }
  if (held_) give_back();
  return wait_for_full();
}

void ReadAhead::give_back() {
  {
    const std::lock_guard lock(mutex_);
    ++buffers_emptied_;
  }
  changed_.notify_one();
}

const ReadAhead::Buffer& ReadAhead::wait_for_full() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return buffers_filled_ > buffers_emptied_; });
  return ring_[buffers_emptied_ % kBuffers];
}

}  // namespace clerk
