// What the tests of this stage share: compressing, and reading a capture file to its end.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/stop_request.h"
#include "capture/capture_file.h"
#include "testing/temp_file.h"

namespace clerk {

using Octets = std::vector<uint8_t>;

inline constexpr uint64_t kSecond = kNanosecondsPerSecond;
inline constexpr uint64_t kStart = 1'700'000'000 * kSecond;  // 2023-11-14 22:13:20

inline std::ostream& operator<<(std::ostream& out, ReadStatus status) {
  const char* const names[] = {"Packet", "End", "Broken"};
  return out << names[static_cast<size_t>(status)];
}

// Octets without a pattern that compression or a wrong offset could profit from.
inline Octets noise(size_t octets) {
  Octets noise(octets);
  uint64_t state = 1;
  for (uint8_t& octet : noise) {
    state = state * 6364136223846793005 + 1442695040888963407;
    octet = static_cast<uint8_t>(state >> 56);
  }
  return noise;
}

inline Octets operator+(Octets left, const Octets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline Octets first_of(const Octets& octets, size_t count) {
  return {octets.begin(), octets.begin() + static_cast<ptrdiff_t>(count)};
}

inline Octets gzip(const Octets& plain) {
  z_stream stream{};
  CHECK(::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Octets packed(::deflateBound(&stream, plain.size()));
  Octets input = plain;
  stream.next_in = input.data();
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

// With a checksum, as zstd(1) writes it.
inline Octets zstd(const Octets& plain) {
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> context(::ZSTD_createCCtx(),
                                                                   ::ZSTD_freeCCtx);
  ::ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  Octets packed(::ZSTD_compressBound(plain.size()));
  const size_t size =
      ::ZSTD_compress2(context.get(), packed.data(), packed.size(), plain.data(), plain.size());
  CHECK(!::ZSTD_isError(size));
  packed.resize(size);
  return packed;
}

// What every opening needs.
struct Surroundings {
  StopRequest stop = *StopRequest::create();
  std::atomic<uint64_t> octets_read{0};
  std::shared_ptr<ChunkPool> pool = ChunkPool::create();
};

// A packet with a copy of its octets.
struct ReadPacket {
  Packet packet;
  Octets octets;
};

// What reading a whole capture file gave.
struct ReadFile {
  std::vector<ReadPacket> packets;
  ReadStatus end = ReadStatus::Broken;
  std::string error;  // also when the file could not be opened
};

inline ReadFile read_capture(const std::string& path) {
  Surroundings around;
  ReadFile read;
  auto file = CaptureFile::open(path, around.pool, around.stop, around.octets_read);
  if (!file) {
    read.error = file.error().message;
    return read;
  }
  Packet packet;
  while ((read.end = file->next(packet)) == ReadStatus::Packet)
    read.packets.push_back({packet, {packet.data, packet.data + packet.captured_octets}});
  if (read.end == ReadStatus::Broken) read.error = file->error().message;
  return read;
}

inline ReadFile read_capture(const Octets& content) {
  return read_capture(TempFile(content).path());
}

// The error of a file with this content, without the path, which is another in each run.
inline std::string error_of(const Octets& content) {
  const TempFile file(content);
  const std::string start = "--read " + file.path() + ": ";
  const std::string error = read_capture(file.path()).error;
  EXPECT_TRUE(error.starts_with(start)) << error;
  return error.substr(std::min(start.size(), error.size()));
}

}  // namespace clerk
