// The octets of a compressed capture, decompressed ahead of their reader by a thread of their own,
// so that decompressing and metering overlap.
//
//        the thread                                     the reader's thread
//   input ──> decompressor ──> [full | full | full | held] ──> read()
//                     ^                                  │
//                     └──────────── empty ───────────────┘
//
// A ring of a few buffers bounds how far ahead that is. They are given out in the order filled; the
// end of the data, or what went wrong, is the last of them, so that it is met behind all that came
// before it. A buffer is handed over with what one step of the decompressor gave, so that data
// which arrives slowly is not held back.
//
// read() belongs to one thread at a time. The object owns its input, its decompressor and the
// thread, which ends with the data, after a stop request, or when the object goes: also while it
// waits for a pipe, or for a reader that has lost interest. Where no thread can be started, read()
// fills the same buffers itself and gives the same octets.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "base/error.h"
#include "base/stop_request.h"
#include "capture/byte_stream.h"
#include "capture/decompressor.h"

namespace clerk {

class ReadAhead {
 public:
  ReadAhead(RawInput input, std::unique_ptr<Decompressor> decompressor);
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  ~ReadAhead();

  // Fills at most `into` and returns how much; 0 is the end of the data. The end stays, and so does
  // an error.
  Result<size_t> read(std::span<uint8_t> into);

  // Large enough that handing one over costs nothing beside filling it, small enough that it is
  // still in a CPU's cache when it is read.
  static constexpr size_t kBufferOctets = 256 * 1024;
  // One that is filled, one that is read, and two for what one side is faster than the other for a
  // while.
  static constexpr size_t kBuffers = 4;

  // What the buffers occupy, and the decompressor's input.
  static constexpr size_t kOctets = kBuffers * kBufferOctets + Decompressor::kInputOctets;

 private:
  struct Buffer {
    std::array<uint8_t, kBufferOctets> octets;
    Result<size_t> filled = 0;  // as Decompressor::read() returned it
  };

  Result<void> start_thread();
  void run();
  Buffer* wait_for_empty();
  void hand_over();
  void fill(Buffer& buffer);

  Result<std::span<const uint8_t>> next_octets();
  const Buffer& next_buffer();
  void give_back();
  const Buffer& wait_for_full();

  // The thread's, or the reader's where there is none.
  RawInput input_;
  std::unique_ptr<Decompressor> decompressor_;

  // The reader's.
  const Buffer* held_ = nullptr;
  std::span<const uint8_t> unread_;  // of held_

  // A buffer belongs to the thread when it is empty, else to the reader; the counts tell which.
  std::array<Buffer, kBuffers> ring_;
  std::mutex mutex_;                 // of the two counts
  std::condition_variable changed_;  // never do both sides wait
  uint64_t buffers_filled_ = 0;
  uint64_t buffers_emptied_ = 0;

  std::optional<StopRequest> abandoned_;  // requested when the object goes, under the mutex
  std::jthread thread_;                   // last: it is joined before the rest goes
};

}  // namespace clerk
