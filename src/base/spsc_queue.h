// A bounded queue between one producing and one consuming thread at a time, without locks.
//
// Only pop waits, until there is something. push and try_push make a system call only when the
// consumer sleeps in pop.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/watched_word.h"

namespace clerk {

template <typename T, size_t kCapacity>
class SpscQueue {
  static_assert(std::has_single_bit(kCapacity));

 public:
  // False when full. Producer's thread only.
  [[nodiscard]] bool try_push(T value) {
    const uint32_t tail = tail_.own();
    if (tail - head_.load(std::memory_order_acquire) == kCapacity) return false;
    slots_[tail % kCapacity] = std::move(value);
    tail_.set(tail + 1);  // who sees it sees the slot's contents
    return true;
  }

  // For a queue that has room for all that there is. Producer's thread only.
  void push(T value) {
    const bool pushed = try_push(std::move(value));
    CHECK(pushed);
  }

  // False when empty. Consumer's thread only.
  [[nodiscard]] bool try_pop(T& value) {
    const uint32_t head = head_.load(std::memory_order_relaxed);  // only this thread writes it
    if (head == tail_.get()) return false;
    take(head, value);
    return true;
  }

  // Waits for a value. Consumer's thread only.
  T pop() {
    const uint32_t head = head_.load(std::memory_order_relaxed);
    static_cast<void>(tail_.wait_while(head));
    T value;
    take(head, value);
    return value;
  }

 private:
  static constexpr size_t kCacheLine = 64;  // x86-64 and most ARMv8: keeps the two ends apart

  void take(uint32_t head, T& value) {
    value = std::move(slots_[head % kCapacity]);
    // Release: the producer may overwrite the slot only after it was read.
    head_.store(head + 1, std::memory_order_release);
  }

  std::array<T, kCapacity> slots_{};
  alignas(kCacheLine) std::atomic<uint32_t> head_{0};
  alignas(kCacheLine) WatchedWord tail_{0};
};

}  // namespace clerk
