// The classic pcap file (draft-ietf-opsawg-pcap): a file header, then records.
//
//   file header   magic 4 | major 2 | minor 2 | reserved 8 | snap length 4 | link type 4
//   record        seconds 4 | fraction 4 | captured octets 4 | wire octets 4 | packet
//
// The magic tells the byte order and whether the fraction counts micro- or nanoseconds. A third
// magic marks the records of a patched libpcap of the 1990s, which carry 8 octets more.
#pragma once

#include "base/error.h"
#include "base/time.h"
#include "capture/chunk_stream.h"
#include "capture/packet.h"
#include "capture/record_reader.h"

namespace clerk {

class PcapReader {
 public:
  // Whether a file that begins with these four octets is for this reader.
  static bool knows_magic(const uint8_t* magic);

  // Reads the file header. The stream stands at the first octet of the file.
  static Result<PcapReader> open(ChunkStream& stream);

  // Points `packet` into the stream's chunk.
  ReadStatus next(ChunkStream& stream, Packet& packet) {
    if (!stream.need(record_header_octets_)) return ended_early(stream, 0);
    const uint8_t* header = stream.data();
    const auto captured = load_in_order<uint32_t>(header + 8, order_);
    if (captured > kCapturedOctetsMax) return too_long(captured);
    if (!stream.need(record_header_octets_ + captured)) return ended_early(stream, captured);
    header = stream.data();  // it may have moved
    packet.time_ns = load_in_order<uint32_t>(header, order_) * kNanosecondsPerSecond +
                     load_in_order<uint32_t>(header + 4, order_) * uint64_t{fraction_ns_};
    packet.captured_octets = captured;
    packet.wire_octets = load_in_order<uint32_t>(header + 12, order_);
    packet.link_type = link_type_;
    packet.data = header + record_header_octets_;
    stream.consume(record_header_octets_ + captured);
    return ReadStatus::Packet;
  }

  // Why the last next() was Broken.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  ReadStatus ended_early(const ChunkStream& stream, uint32_t captured);
  ReadStatus too_long(uint32_t captured);

  FileOrder order_ = FileOrder::Native;
  uint32_t fraction_ns_ = 1;  // nanoseconds in one unit of the fraction
  uint32_t record_header_octets_ = 16;
  LinkType link_type_ = LinkType::Ethernet;
  std::string error_;
};

}  // namespace clerk
