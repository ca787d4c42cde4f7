// Holds what CaptureFile reads of a file against its slow twin, for tests and fuzzers.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

// Reads the packets of a capture and compares them; one by one, or behind each as many as follow it
// in a run. Returns what next() said when there were no more.
inline ReadStatus check_packets(CaptureFile& capture, std::span<const FoundPacket> left, File file,
                                bool in_runs) {
  const auto check_next = [&](const Packet& packet) {
    CHECK(!left.empty());
    check_same(packet, left.front(), file);
    left = left.subspan(1);
  };
  Packet packet;
  ReadStatus status = ReadStatus::Packet;
  while ((status = capture.next(packet)) == ReadStatus::Packet) {
    check_next(packet);
    if (!in_runs) continue;
    std::array<Packet, 2> run;
    TimeRange times{.from = packet.time_ns, .before = packet.time_ns + 1500};
    for (const Packet& next : std::span(run).first(capture.next_run(run, times))) {
      CHECK(next.time_ns >= times.from && next.time_ns < times.before);
      times.from = next.time_ns;
      check_next(next);
    }
  }
  CHECK(left.empty());
  return status;
}

// Reads `file` in each way. Whatever is wrong with it, each packet in front of that is told, and
// the error names the file and the offset.
inline void check_reading(File file, const FoundFile& found, bool in_runs) {
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
  const ReadStatus end = check_packets(*capture, found.packets, file, in_runs);
  CHECK(end == (found.damaged_at ? ReadStatus::Broken : ReadStatus::End));
  if (!found.damaged_at) return;
  const std::string offset = "offset " + std::to_string(*found.damaged_at) + ": ";
  CHECK(capture->error().message.starts_with(named + offset));
}

inline void check_reading(File file, const FoundFile& found) {
  check_reading(file, found, false);
  check_reading(file, found, true);
}

}  // namespace clerk::plainly
