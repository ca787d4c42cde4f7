// Any octets as a capture file: read to the end through FileSource, every octet of every packet.
//
// What must hold besides: each packet lies in memory that its slice keeps (the address sanitizer
// and the kernel tell), a slice belongs to one second of the packet clock, the clock's steps have
// their direction, and whatever is wrong with the file is told in one message that names it.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "capture/file_source.h"
#include "capture/plain_readers_check.h"

namespace clerk {
namespace {

constexpr uint64_t kIdleTimeout = 30 * kNanosecondsPerSecond;
constexpr size_t kSlicesMax = 64;  // a few octets may decompress to any number of empty records

void check_packet(const Slice& slice, const Packet& packet) {
  CHECK(packet.captured_octets <= kCapturedOctetsMax);
  if (packet.time_ns < kTimeEnd) CHECK(whole_seconds(packet.time_ns) <= slice.second);
  // Reads them all, for the address sanitizer.
  volatile uint8_t sum = 0;
  for (uint32_t i = 0; i < packet.captured_octets; ++i)
    sum = static_cast<uint8_t>(sum + packet.data[i]);
}

void check_slice(const Slice& slice) {
  CHECK(slice.packets.size() <= Slice::kPacketsMax && slice.chunks.size() <= Slice::kChunksMax);
  CHECK(slice.packets_filtered == 0);
  if (slice.end == SliceEnd::Tick) CHECK(slice.next_second > slice.second);
  if (slice.clock_jumped) CHECK(slice.end == SliceEnd::Tick);
  for (const Packet& packet : slice.packets)
    check_packet(slice, packet);
}

void fuzz(const uint8_t* data, size_t size) {
  const plainly::MemoryFile file({data, size});
  auto stop = StopRequest::create();
  auto filter = PacketFilter::create("");
  CHECK(stop && filter);
  auto source = FileSource::open({file.path()}, *std::move(filter), kIdleTimeout, *stop);
  CHECK(source);
  Slice slice;
  SliceEnd end = SliceEnd::Full;
  for (size_t slices = 0; (*source)->next_slice(slice); ++slices) {
    CHECK(end != SliceEnd::Input);
    end = slice.end;
    check_slice(slice);
    if (slices == kSlicesMax) stop->request();
  }
  CHECK(end == SliceEnd::Input);
  CHECK((*source)->errors().size() <= 1);
  for (const Error& error : (*source)->errors())
    CHECK(error.message.starts_with("--read " + file.path() + ": "));
}

}  // namespace
}  // namespace clerk

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  clerk::fuzz(data, size);
  return 0;
}
