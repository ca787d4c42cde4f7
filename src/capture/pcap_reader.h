// The classic pcap file (draft-ietf-opsawg-pcap): a file header, then records.
//
//   file header   magic 4 | major 2 | minor 2 | reserved 8 | snap length 4 | link type 4
//   record        seconds 4 | fraction 4 | captured octets 4 | wire octets 4 | packet
//   link type     frame check octets / 2: 4 bits | 1 | it counts: 1 | 0: 10 | type 16
//
// The magic tells the byte order and whether the fraction counts micro- or nanoseconds. A third
// magic marks the records of a patched libpcap of the 1990s, which carry 8 octets more. Files of
// version 2.2 and older, and those of DG/UX, have the two lengths the other way round; those of
// version 2.3 have them either way. The snap length is not read: what a record claims is held
// against the file alone.
//
// Damage is a record that claims more than kCapturedOctetsMax or reaches behind the file's end.
// Every time is read as it stands; a fraction of a second or more is added.
#pragma once

#include <algorithm>
#include <span>

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

  // Points `packet` into the stream's chunk. A frame check sequence is no part of it.
  ReadStatus next(ChunkStream& stream, Packet& packet) {
    if (!stream.need(record_header_octets_)) return ended_early(stream, 0);
    const Lengths lengths = lengths_at(stream.data());
    if (lengths.captured > kCapturedOctetsMax) return too_long(stream, lengths.captured);
    const size_t record_octets = size_t{record_header_octets_} + lengths.captured;
    if (!stream.need(record_octets)) return ended_early(stream, lengths.captured);
    const uint8_t* header = stream.data();  // it may have moved
    packet.time_ns = time_at(header, order_);
    packet.captured_octets = lengths.captured;
    packet.wire_octets = lengths.wire;
    packet.link_type = link_type_;
    packet.data = header + record_header_octets_;
    if (frame_check_octets_ != 0) take_off_frame_check(packet);
    stream.consume(record_octets);
    return ReadStatus::Packet;
  }

  // As many packets as there is room for, as long as they lie in the stream's chunk and their times
  // rise within the range. What comes behind them, next() tells. Files of unusual kinds have none.
  size_t next_run(ChunkStream& stream, std::span<Packet> packets, TimeRange times) {
    if (!is_usual()) return 0;
    const uint8_t* at = stream.data();
    size_t left = stream.available();
    size_t count = 0;
    for (; count < packets.size() && left >= kRecordHeaderOctets; ++count) {
      ChunkStream::prefetch_ahead_of(at);
      const auto captured_octets = load_in_order<uint32_t>(at + 8, FileOrder::Native);
      const uint64_t time_ns = time_at(at, FileOrder::Native);
      const size_t record_octets = size_t{kRecordHeaderOctets} + captured_octets;
      if (record_octets > left || captured_octets > kCapturedOctetsMax || time_ns < times.from ||
          time_ns >= times.before)
        break;
      times.from = time_ns;
      packets[count] = {.data = at + kRecordHeaderOctets,
                        .time_ns = time_ns,
                        .captured_octets = captured_octets,
                        .wire_octets = load_in_order<uint32_t>(at + 12, FileOrder::Native),
                        .link_type = link_type_};
      at += record_octets;
      left -= record_octets;
    }
    stream.consume(stream.available() - left);
    return count;
  }

  // Why the last next() was Broken.
  [[nodiscard]] const Damage& damage() const { return damage_; }

 private:
  struct Lengths {
    uint32_t captured;
    uint32_t wire;
  };
  enum class LengthOrder : uint8_t { CapturedFirst, WireFirst, SmallerIsCaptured };

  static Result<LengthOrder> length_order(uint16_t major, uint16_t minor);
  Result<void> read_link_type(uint32_t field);

  [[nodiscard]] uint64_t time_at(const uint8_t* header, FileOrder order) const {
    return load_in_order<uint32_t>(header, order) * kNanosecondsPerSecond +
           load_in_order<uint32_t>(header + 4, order) * uint64_t{fraction_ns_};
  }

  [[nodiscard]] Lengths lengths_at(const uint8_t* header) const {
    Lengths lengths{load_in_order<uint32_t>(header + 8, order_),
                    load_in_order<uint32_t>(header + 12, order_)};
    const bool reversed =
        length_order_ == LengthOrder::WireFirst ||
        (length_order_ == LengthOrder::SmallerIsCaptured && lengths.captured > lengths.wire);
    if (reversed) std::swap(lengths.captured, lengths.wire);
    return lengths;
  }

  void take_off_frame_check(Packet& packet) const;
  ReadStatus ended_early(const ChunkStream& stream, uint32_t captured);
  ReadStatus too_long(const ChunkStream& stream, uint32_t captured);
  ReadStatus broken(const ChunkStream& stream, std::string what);

  static constexpr uint32_t kRecordHeaderOctets = 16;

  [[nodiscard]] bool is_usual() const {
    return order_ == FileOrder::Native && length_order_ == LengthOrder::CapturedFirst &&
           record_header_octets_ == kRecordHeaderOctets && frame_check_octets_ == 0;
  }

  FileOrder order_ = FileOrder::Native;
  LengthOrder length_order_ = LengthOrder::CapturedFirst;
  uint32_t fraction_ns_ = 1;  // nanoseconds in one unit of the fraction
  uint32_t record_header_octets_ = kRecordHeaderOctets;
  uint32_t frame_check_octets_ = 0;  // at the end of each packet
  LinkType link_type_ = LinkType::Ethernet;
  Damage damage_;
};

}  // namespace clerk
