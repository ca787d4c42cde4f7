// The octets of a capture, whatever carries them: a plain file, gzip, zstd, or any of these on
// stdin. The compression is told by the first octets, never by the name. A plain file with a name
// can be looked at where the page cache has it, and all can be read.
//
// One thread at a time. The stream owns its descriptor; what is compressed it hands to a thread of
// its own (read_ahead.h), which ends with the stream.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "base/error.h"
#include "base/stop_request.h"
#include "base/unique_fd.h"
#include "capture/file_mapping.h"

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

  // Whether it is a plain file with a name of its own: it can be mapped, and read from anywhere.
  [[nodiscard]] bool is_plain_file() const { return is_plain_file_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool stop_requested() const { return stop_->requested(); }

  // The next read of a plain file begins here.
  Result<void> seek(uint64_t offset);

  // Of a plain file so much has been read, or looked at, in all. Going back counts nothing twice.
  void note_progress(uint64_t octets);

  // Octets already read that the next read returns again. At most kUnreadMax.
  void unread(std::span<const uint8_t> octets);
  static constexpr size_t kUnreadMax = 4;

  // From now on this request, too, looks like the end of the data. It must outlive the input.
  void end_also_on(const StopRequest& abandoned) { abandoned_ = &abandoned; }

 private:
  RawInput(UniqueFd fd, const StopRequest& stop, std::atomic<uint64_t>& octets_read)
      : fd_(std::move(fd)), stop_(&stop), octets_read_(&octets_read) {}

  Result<void> wait() const;
  [[nodiscard]] bool is_to_end() const {
    return stop_->requested() || (abandoned_ && abandoned_->requested());
  }

  UniqueFd fd_;
  bool may_wait_ = false;
  bool is_plain_file_ = false;
  uint64_t offset_ = 0;    // of the next read
  uint64_t progress_ = 0;  // how far reading ever came
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

  // Whether window() may have something. Windows and reads do not follow each other: read_from()
  // says where reading goes on.
  [[nodiscard]] bool mappable() const { return mapping_.has_value(); }
  [[nodiscard]] std::optional<FileMapping::Window> window(uint64_t offset, size_t octets_max);
  // Empty where it is not mappable.
  [[nodiscard]] FileMapping::Window take_ahead() {
    return mapping_ ? mapping_->take_ahead() : FileMapping::Window{};
  }
  // Only where it is mappable.
  Result<void> read_from(uint64_t offset);

  // Whether octets of a window have gone, and zeros stand in their place; for later, the flag that
  // tells it, or none.
  [[nodiscard]] bool shrank() const { return mapping_ && mapping_->shrank(); }
  [[nodiscard]] std::shared_ptr<const std::atomic<bool>> shrank_flag() const;

  ByteStream(ByteStream&&) noexcept;
  ~ByteStream();

 private:
  explicit ByteStream(RawInput plain);
  explicit ByteStream(std::unique_ptr<ReadAhead> decompressed);

  std::variant<RawInput, std::unique_ptr<ReadAhead>> octets_;
  std::optional<FileMapping> mapping_;  // only for a plain file
};

}  // namespace clerk
