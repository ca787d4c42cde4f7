#include "sink/output_file.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace clerk {
namespace {

constexpr size_t kBufferOctets = 64 * 1024;
constexpr mode_t kMode = 0644;

}  // namespace

Result<OutputFile> OutputFile::create(const std::string& path) {
  UniqueFd fd(path == "-" ? ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                          : ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode));
  if (!fd) return fail("{}", errno_text(errno));
  OutputFile file(std::move(fd));
  file.buffer_.reserve(2 * kBufferOctets);
  return file;
}

bool OutputFile::write(std::span<const uint8_t> octets) {
  return write(std::string_view(reinterpret_cast<const char*>(octets.data()), octets.size()));
}

bool OutputFile::write(std::string_view text) {
  if (error_) return false;
  buffer_ += text;
  return buffer_.size() < kBufferOctets || flush();
}

bool OutputFile::flush() {
  std::string_view left = buffer_;
  while (!left.empty() && !error_) {
    const ssize_t written = ::write(fd_.get(), left.data(), left.size());
    if (written >= 0) {
      left.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {  // somebody made it non-blocking
      pollfd wait{fd_.get(), POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      error_ = Error{errno_text(errno)};
    }
  }
  buffer_.clear();
  return !error_;
}

}  // namespace clerk
