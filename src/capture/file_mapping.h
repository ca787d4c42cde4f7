// A plain file in memory as the page cache has it, a window at a time: nothing is copied. Windows
// that follow each other share a mapping.
//
// A file may become shorter while it is read, or its disk may fail: the processor then finds no
// memory behind an address that was there, and the kernel sends SIGBUS. A handler puts zeros in the
// place of what is gone, up to the mapping's end, and notes it: whoever reads the file asks
// shrank() before it believes what it read. A SIGBUS from elsewhere ends the process as ever.
//
// ByteStream opens it and reads where it cannot be had; windows live as long as their references,
// in any thread, and longer than the mapping.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace clerk {

class FileMapping {
 public:
  struct Window {
    std::shared_ptr<const void> memory;  // keeps the octets, and points to them
    std::span<const uint8_t> octets;

    // Has the page tables tell where all of it is: that is cheaper than a fault for every few
    // pages. Without it, and where the kernel cannot (before 5.14), they are told by faults.
    void populate() const;
  };

  // The file stays open as long as the mapping.
  explicit FileMapping(int file) : file_(file) {}

  // The octets from `offset` on, at most `octets_max` and as far as the file goes. Nothing when it
  // ends there, or cannot be mapped: a read() tells which. It is populated, but for what
  // take_ahead() gave away.
  [[nodiscard]] std::optional<Window> window(uint64_t offset, size_t octets_max);

  // What windows to come will show and nobody was given to populate so far; now the caller is,
  // soon, in any thread. Empty where enough of that is under way.
  [[nodiscard]] Window take_ahead();

  // Whether octets of any window have gone, or the file ended before an offset that was asked for.
  // Any thread.
  [[nodiscard]] bool shrank() const { return shrank_->load(std::memory_order_relaxed); }

  // The same, for whoever outlives the mapping. Relaxed is enough: the thread that meets the zeros
  // has run the handler itself, and others ask once the threads are joined.
  [[nodiscard]] std::shared_ptr<const std::atomic<bool>> shrank_flag() const { return shrank_; }

 private:
  // What is mapped at once. Taking a mapping back interrupts each processor that has a thread of
  // this process, so there are fewer of them than windows.
  static constexpr uint64_t kStretchOctets = uint64_t{32} << 20;
  // So far ahead of the last window: while one thread populates, another reads what is between.
  static constexpr uint64_t kAheadOctets = uint64_t{8} << 20;

  bool map_stretch(uint64_t offset, size_t octets);
  [[nodiscard]] Window part(uint64_t begin, uint64_t end) const;

  int file_;
  std::shared_ptr<const void> memory_;  // keeps the stretch
  std::span<const uint8_t> stretch_;    // of the file, as it is mapped
  uint64_t stretch_at_ = 0;             // its offset
  uint64_t window_end_ = 0;             // the last one's
  uint64_t populated_end_ = 0;          // of the stretch; behind it nothing is given to anybody
  std::shared_ptr<std::atomic<bool>> shrank_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace clerk
