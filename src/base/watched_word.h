// A number that one thread sets and others wait to see change.
//
// Who waits looks a few times and then sleeps in the kernel (a futex); who sets makes a system call
// only when somebody sleeps. std::atomic::wait gives its CPU away again and again before it sleeps,
// which on a busy machine takes a time slice of everybody else each time.
//
// The setting thread may change over time if something else puts their accesses in order. The word
// must outlive the call of set() that ends a wait.
#pragma once

#include <atomic>
#include <cstdint>

namespace clerk {

class WatchedWord {
 public:
  explicit WatchedWord(uint32_t value) : value_(value) {}

  // What the setting thread set last. Relaxed: nobody else writes it.
  [[nodiscard]] uint32_t own() const { return value_.load(std::memory_order_relaxed); }

  // Acquire: whoever sees a value sees what was written before it was set.
  [[nodiscard]] uint32_t get() const { return value_.load(std::memory_order_acquire); }

  // Both sequentially consistent: of this thread's write to value_ and a sleeper's to sleepers_ one
  // comes first in the one order of all such accesses. If the sleeper's, it is seen and woken here;
  // if this one, the sleeper reads the new value behind it and does not sleep. With release and
  // acquire each might miss the other's write, and the sleeper would never wake.
  void set(uint32_t value) {
    value_.store(value, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) != 0) [[unlikely]]
      wake();
  }

  // Returns the value once it is another than `seen`; acquires it like get().
  [[nodiscard]] uint32_t wait_while(uint32_t seen) {
    const uint32_t value = get();
    return value != seen ? value : wait(seen);
  }

 private:
  uint32_t wait(uint32_t seen);
  uint32_t sleep(uint32_t seen);
  void wake();

  std::atomic<uint32_t> value_;
  std::atomic<uint32_t> sleepers_{0};  // threads that sleep, or are about to
};

}  // namespace clerk
