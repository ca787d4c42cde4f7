#include "base/watched_word.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace clerk {
namespace {

// About a microsecond: what the other side needs when it is just about to set the word. Longer
// would take the CPU from it where the two share one.
constexpr int kLooks = 32;

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// The kernel takes the address of a plain 32-bit word; each error (the value has changed, a signal
// came) means to look again.
void futex(std::atomic<uint32_t>& word, int operation, uint32_t value) {
  static_assert(sizeof word == sizeof(uint32_t) && std::atomic<uint32_t>::is_always_lock_free);
  ::syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

}  // namespace

uint32_t WatchedWord::wait(uint32_t seen) {
  for (int i = 0; i < kLooks; ++i) {
    pause_briefly();
    if (const uint32_t value = get(); value != seen) return value;
  }
  return sleep(seen);
}

// A value that is set between the look at it and the system call makes the kernel, which compares
// again, return at once. Sequentially consistent: see set().
uint32_t WatchedWord::sleep(uint32_t seen) {
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  uint32_t value = value_.load(std::memory_order_seq_cst);
  while (value == seen) {
    futex(value_, FUTEX_WAIT, seen);
    value = value_.load(std::memory_order_seq_cst);
  }
  sleepers_.fetch_sub(1,
                      std::memory_order_relaxed);  // too late a sight of it costs one system call
  return value;
}

void WatchedWord::wake() { futex(value_, FUTEX_WAKE, INT_MAX); }

}  // namespace clerk
