// The octets of a capture, whatever carries them: a plain file, gzip, zstd, or any of these on
// stdin. The compression is told by the first octets, never by the name.
//
// One thread at a time. The stream owns its descriptor; what is compressed it hands to a thread of
// its own (read_ahead.h), which ends with the stream.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "base/error.h"
#include "base/stop_request.h"
#include "base/unique_fd.h"

namespace clerk {

// The descriptor below the decompressor. Once a stop is requested nothing more is read, also by a
// read that waits (on a pipe, a terminal): it looks like the end of the data. What was read before
// is still counted.
class RawInput {
 public:
  // "-" is stdin. Both references must outlive the input; `octets_read` grows with each read.
  static Result<RawInput> open(const std::string& path, const StopRequest& stop,
                               std::atomic<uint64_t>& octets_read);

  // Fills at most `into` and returns how much; 0 is the end of the data.
  Result<size_t> read(std::span<uint8_t> into);

  // Octets already read that the next read returns again. At most kUnreadMax.
  void unread(std::span<const uint8_t> octets);
  static constexpr size_t kUnreadMax = 4;

  // From now on this request, too, looks like the end of the data. It must outlive the input.
  void end_also_on(const StopRequest& abandoned) { abandoned_ = &abandoned; }

 private:
  RawInput(UniqueFd fd, bool may_wait, const StopRequest& stop, std::atomic<uint64_t>& octets_read)
      : fd_(std::move(fd)), may_wait_(may_wait), stop_(&stop), octets_read_(&octets_read) {}

  Result<void> wait() const;
  [[nodiscard]] bool is_to_end() const {
    return stop_->requested() || (abandoned_ && abandoned_->requested());
  }

  UniqueFd fd_;
  bool may_wait_;
  const StopRequest* stop_;
  const StopRequest* abandoned_ = nullptr;
  std::atomic<uint64_t>* octets_read_;
  std::array<uint8_t, kUnreadMax> unread_{};
  size_t unread_size_ = 0;
};

class ReadAhead;

class ByteStream {
 public:
  static Result<ByteStream> open(const std::string& path, const StopRequest& stop,
                                 std::atomic<uint64_t>& octets_read);

  // Fills at most `into` and returns how much; 0 is the end of the data.
  Result<size_t> read(std::span<uint8_t> into);

  [[nodiscard]] bool compressed() const { return !std::holds_alternative<RawInput>(octets_); }

  ByteStream(ByteStream&&) noexcept;
  ~ByteStream();

 private:
  explicit ByteStream(RawInput plain);
  explicit ByteStream(std::unique_ptr<ReadAhead> decompressed);

  std::variant<RawInput, std::unique_ptr<ReadAhead>> octets_;
};

}  // namespace clerk
