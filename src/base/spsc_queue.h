// A bounded queue between exactly one producing and one consuming thread, without locks.
//
// try_push and try_pop never wait; pop waits until there is something. try_push makes a system call
// only when the consumer sleeps in pop.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace clerk {

template <typename T, size_t kCapacity>
class SpscQueue {
  static_assert(std::has_single_bit(kCapacity));

 public:
  // False when full. Producer's thread only.
  [[nodiscard]] bool try_push(T value) {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);  // only this thread writes it
    if (tail - head_.load(std::memory_order_acquire) == kCapacity) return false;
    slots_[tail % kCapacity] = std::move(value);
    // Release: the consumer that sees the new tail must see the slot's contents.
    tail_.store(tail + 1, std::memory_order_release);
    tail_.notify_one();
    return true;
  }

  // False when empty. Consumer's thread only.
  [[nodiscard]] bool try_pop(T& value) {
    const uint32_t head = head_.load(std::memory_order_relaxed);  // only this thread writes it
    if (head == tail_.load(std::memory_order_acquire)) return false;
    value = std::move(slots_[head % kCapacity]);
    // Release: the producer may overwrite the slot only after it was read.
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  // Waits for a value. Consumer's thread only.
  T pop() {
    T value;
    while (!try_pop(value))
      tail_.wait(head_.load(std::memory_order_relaxed));
    return value;
  }

 private:
  static constexpr size_t kCacheLine = 64;  // x86-64 and most ARMv8: keeps the two ends apart

  std::array<T, kCapacity> slots_{};
  alignas(kCacheLine) std::atomic<uint32_t> head_{0};
  alignas(kCacheLine) std::atomic<uint32_t> tail_{0};
};

}  // namespace clerk
