#include "base/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace clerk {
namespace {

constexpr size_t kBlockOctets = size_t{1} << 20;

// How much to ask for at first, so that a regular file is read in one piece.
size_t expected_octets(int fd, size_t octets_max) {
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return kBlockOctets;
  return std::min(static_cast<size_t>(status.st_size), octets_max) + 1;
}

}  // namespace

Result<std::string> read_file(const std::string& path, size_t octets_max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail("{}: {}", path, errno_text(errno));
  std::string content(expected_octets(fd.get(), octets_max), '\0');
  size_t size = 0;
  for (;;) {
    const ssize_t count = ::read(fd.get(), content.data() + size, content.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail("{}: {}", path, errno_text(errno));
    if (count == 0) break;
    size += static_cast<size_t>(count);
    if (size > octets_max) return fail("{}: has more than {} MiB", path, octets_max >> 20);
    if (size == content.size()) content.resize(2 * size + kBlockOctets);
  }
  content.resize(size);
  return content;
}

}  // namespace clerk
