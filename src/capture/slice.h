// A run of packets of a file that one meter counts as a whole.
//
// A slice ends at a tick mark, so that all its packets belong to one second of the packet clock, or
// earlier when it is full; where it ends depends on the file alone. It owns the memory its packets
// point into.
#pragma once

#include <cstdint>
#include <vector>

#include "capture/chunk_stream.h"
#include "capture/packet.h"

namespace clerk {

// What the packet clock does behind the last packet of a slice.
enum class SliceEnd : uint8_t {
  Full,     // nothing: the next slice goes on in the same second
  Tick,     // it moves forward to `next_second`
  Restart,  // time went back: what is held ends, and the clock starts anew
  Input,    // nothing is left to read
};

// Where a packet stands: in which file of the input, counted from 0, and as which packet of that
// file, counted from 1 with those that the filter held back.
struct PacketOrigin {
  uint64_t number = 0;
  uint32_t file = 0;
};

struct Slice {
  // Bounds the memory in flight to a few chunks for each meter while keeping the hand-over rare.
  static constexpr size_t kPacketsMax = 32768;
  static constexpr size_t kChunksMax = 5;

  std::vector<Packet> packets;
  std::vector<PacketOrigin> origins;  // of each packet, when the source was asked to tell
  std::vector<ChunkReference> chunks;
  uint32_t second = 0;       // the clock's second while these packets came
  uint32_t next_second = 0;  // with SliceEnd::Tick
  SliceEnd end = SliceEnd::Input;
  bool clock_jumped = false;      // the step behind this slice is longer than the idle timeout
  uint64_t packets_filtered = 0;  // read, but held back by the filter

  void clear() {
    packets.clear();
    origins.clear();
    chunks.clear();
    packets_filtered = 0;
    clock_jumped = false;
  }
};

}  // namespace clerk
