// A plain file in memory as the page cache has it, a window at a time: nothing is copied, and what
// nobody looks at is not even touched. Windows that follow each other share a mapping.
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
  };

  // The file stays open as long as the mapping.
  explicit FileMapping(int file) : file_(file) {}

  // The octets from `offset` on, at most `octets_max` and as far as the file goes. Nothing when it
  // ends there, or cannot be mapped: a read() tells which.
  [[nodiscard]] std::optional<Window> window(uint64_t offset, size_t octets_max);

  // Whether octets of any window have gone, or the file ended before an offset that was asked for.
  // Any thread.
  [[nodiscard]] bool shrank() const { return shrank_->load(std::memory_order_relaxed); }

  // The same, for whoever outlives the mapping. Relaxed is enough: the thread that meets the zeros
  // has run the handler itself, and others ask once the threads are joined.
  [[nodiscard]] std::shared_ptr<const std::atomic<bool>> shrank_flag() const { return shrank_; }

 private:
  // What is mapped at once. Taking a mapping back interrupts each processor that has a thread of
  // this process, so there are fewer of them than windows.
  static constexpr uint64_t kStretchOctets = uint64_t{16} << 20;

  bool map_stretch(uint64_t offset, size_t octets);

  int file_;
  std::shared_ptr<const void> memory_;  // keeps the stretch
  std::span<const uint8_t> stretch_;    // of the file, as it is mapped
  uint64_t stretch_at_ = 0;             // its offset
  std::shared_ptr<std::atomic<bool>> shrank_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace clerk
