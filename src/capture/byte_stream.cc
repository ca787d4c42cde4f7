#include "capture/byte_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "capture/decompressor.h"
#include "capture/read_ahead.h"

namespace clerk {
namespace {

// Reads until `into` is full or the data ends, because a pipe may hand over the magic in pieces.
Result<size_t> read_fully(RawInput& input, std::span<uint8_t> into) {
  size_t filled = 0;
  while (filled < into.size()) {
    const size_t got = TRY(input.read(into.subspan(filled)));
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

}  // namespace

// O_NONBLOCK keeps a named pipe without a writer from blocking here; read() waits for it where a
// stop request is seen.
Result<RawInput> RawInput::open(const std::string& path, const StopRequest& stop,
                                std::atomic<uint64_t>& octets_read) {
  UniqueFd fd(path == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                          : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail("{}", errno_text(errno));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail("{}", errno_text(errno));
  if (S_ISDIR(status.st_mode)) return fail("is a directory");
  RawInput input(std::move(fd), stop, octets_read);
  input.may_wait_ = !S_ISREG(status.st_mode);
  input.is_plain_file_ = S_ISREG(status.st_mode) && path != "-";
  return input;
}

Result<size_t> RawInput::read(std::span<uint8_t> into) {
  if (unread_size_ > 0) {
    const size_t size = std::min(unread_size_, into.size());
    std::copy_n(unread_.begin(), size, into.begin());
    std::copy(unread_.begin() + static_cast<ptrdiff_t>(size), unread_.end(), unread_.begin());
    unread_size_ -= size;
    return size;
  }
  for (;;) {
    if (may_wait_) TRY(wait());
    if (is_to_end()) return 0;
    const ssize_t got = ::read(fd_.get(), into.data(), into.size());
    if (got >= 0) {
      offset_ += static_cast<uint64_t>(got);
      note_progress(offset_);
      return static_cast<size_t>(got);
    }
    if (errno != EINTR && errno != EAGAIN) return fail("{}", errno_text(errno));
  }
}

Result<void> RawInput::seek(uint64_t offset) {
  if (::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_SET) < 0)
    return fail("{}", errno_text(errno));
  offset_ = offset;
  unread_size_ = 0;
  return {};
}

void RawInput::note_progress(uint64_t octets) {
  if (octets <= progress_) return;
  octets_read_->fetch_add(octets - progress_, std::memory_order_relaxed);
  progress_ = octets;
}

// Until something can be read, or is to end.
Result<void> RawInput::wait() const {
  const int abandoned = abandoned_ ? abandoned_->fd() : -1;  // poll(2) passes over -1
  std::array<pollfd, 3> waited{
      {{fd_.get(), POLLIN, 0}, {stop_->fd(), POLLIN, 0}, {abandoned, POLLIN, 0}}};
  while (::poll(waited.data(), waited.size(), -1) < 0) {
    if (errno != EINTR) return fail("{}", errno_text(errno));
  }
  return {};
}

void RawInput::unread(std::span<const uint8_t> octets) {
  CHECK(unread_size_ == 0 && octets.size() <= unread_.size());
  std::copy(octets.begin(), octets.end(), unread_.begin());
  unread_size_ = octets.size();
}

Result<ByteStream> ByteStream::open(const std::string& path, const StopRequest& stop,
                                    std::atomic<uint64_t>& octets_read) {
  RawInput input = TRY(RawInput::open(path, stop, octets_read));
  std::array<uint8_t, RawInput::kUnreadMax> magic{};
  const size_t size = TRY(read_fully(input, magic));
  const std::span<const uint8_t> head(magic.data(), size);
  input.unread(head);
  auto decompressor = TRY(Decompressor::for_magic(head));
  if (!decompressor) return ByteStream(std::move(input));
  return ByteStream(std::make_unique<ReadAhead>(std::move(input), std::move(decompressor)));
}

ByteStream::ByteStream(RawInput plain) : octets_(std::move(plain)) {
  const RawInput& input = std::get<RawInput>(octets_);
  if (input.is_plain_file()) mapping_.emplace(input.fd());
}
ByteStream::ByteStream(std::unique_ptr<ReadAhead> decompressed)
    : octets_(std::move(decompressed)) {}
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream::~ByteStream() = default;

// As with read(), a stop request looks like the end.
std::optional<FileMapping::Window> ByteStream::window(uint64_t offset, size_t octets_max) {
  if (!mapping_) return std::nullopt;
  RawInput& input = std::get<RawInput>(octets_);
  if (input.stop_requested()) return std::nullopt;
  auto window = mapping_->window(offset, octets_max);
  if (window) input.note_progress(offset + window->octets.size());
  return window;
}

Result<void> ByteStream::read_from(uint64_t offset) {
  return std::get<RawInput>(octets_).seek(offset);
}

std::shared_ptr<const std::atomic<bool>> ByteStream::shrank_flag() const {
  return mapping_ ? mapping_->shrank_flag() : nullptr;
}

Result<size_t> ByteStream::read(std::span<uint8_t> into) {
  if (auto* plain = std::get_if<RawInput>(&octets_)) return plain->read(into);
  return std::get<std::unique_ptr<ReadAhead>>(octets_)->read(into);
}

}  // namespace clerk
