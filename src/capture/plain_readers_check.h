// Holds what CaptureFile reads of a file against its slow twin, for tests and fuzzers.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>

#include "base/check.h"
#include "capture/capture_file.h"
#include "capture/plain_readers.h"

namespace clerk::plainly {

// A file without a name; /proc gives it a path.
class MemoryFile {
 public:
  explicit MemoryFile(File content) : fd_(::memfd_create("capture", MFD_CLOEXEC)) {
    CHECK(fd_);
    CHECK(::write(fd_.get(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  }

  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  UniqueFd fd_;
};

inline void check_same(const Packet& packet, const FoundPacket& found, File file) {
  CHECK(packet.time_ns == found.time_ns);
  CHECK(packet.captured_octets == found.captured_octets);
  CHECK(packet.wire_octets == found.wire_octets);
  CHECK(packet.link_type == LinkType{found.link_type});
  CHECK(std::ranges::equal(std::span(packet.data, packet.captured_octets),
                           file.subspan(found.at, found.captured_octets)));
}

// Reads `file` both ways. Whatever is wrong with it, each packet in front of that is told, and the
// error names the file and the offset.
inline void check_reading(File file, const FoundFile& found) {
  static const auto kPool = ChunkPool::create();
  static const auto kStop = StopRequest::create();
  std::atomic<uint64_t> octets_read{0};
  const MemoryFile memory(file);
  const std::string named = "--read " + memory.path() + ": ";
  auto capture = CaptureFile::open(memory.path(), kPool, *kStop, octets_read);
  CHECK(capture.has_value() == !found.is_refused);
  if (!capture) {
    CHECK(capture.error().message.starts_with(named));
    return;
  }
  Packet packet;
  ReadStatus status = capture->next(packet);
  for (const FoundPacket& expected : found.packets) {
    CHECK(status == ReadStatus::Packet);
    check_same(packet, expected, file);
    status = capture->next(packet);
  }
  CHECK(status == (found.damaged_at ? ReadStatus::Broken : ReadStatus::End));
  if (!found.damaged_at) return;
  const std::string offset = "offset " + std::to_string(*found.damaged_at) + ": ";
  CHECK(capture->error().message.starts_with(named + offset));
}

}  // namespace clerk::plainly
