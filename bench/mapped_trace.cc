#include "mapped_trace.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

namespace clerk::bench {
namespace {

constexpr std::uint32_t kNanosecondMagic = 0xa1b23c4d;
constexpr std::uint32_t kEthernet = 1;
constexpr std::size_t kFileHeaderOctets = 24;

[[noreturn]] void fail(const std::string& path, const char* what) {
  fmt::print(stderr, "{}: {}\n", path, what);
  std::exit(1);
}

}  // namespace

// Populated: a fault for every few pages would be a cost of this program's, not of reading a file.
MappedTrace::MappedTrace(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status{};
  if (fd < 0 || fstat(fd, &status) != 0) fail(path, std::strerror(errno));
  const auto octets = static_cast<std::size_t>(status.st_size);
  if (octets < kFileHeaderOctets) fail(path, "no capture");
  void* const memory = mmap(nullptr, octets, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (memory == MAP_FAILED) fail(path, std::strerror(errno));
  close(fd);
  begin_ = static_cast<const std::uint8_t*>(memory);
  end_ = begin_ + octets;
  at_ = begin_ + kFileHeaderOctets;
  if (load_raw<std::uint32_t>(begin_) != kNanosecondMagic ||
      load_raw<std::uint32_t>(begin_ + 20) != kEthernet) {
    fail(path, "not as bench/trace writes it: little-endian, nanoseconds, Ethernet");
  }
}

MappedTrace::~MappedTrace() {
  munmap(const_cast<std::uint8_t*>(begin_), static_cast<std::size_t>(end_ - begin_));
}

}  // namespace clerk::bench
