#include "capture/pcap_reader.h"

namespace clerk {
namespace {

constexpr size_t kFileHeaderOctets = 24;
constexpr uint32_t kMagicMicroseconds = 0xa1b2c3d4;
constexpr uint32_t kMagicNanoseconds = 0xa1b23c4d;
constexpr uint32_t kMagicPatched = 0xa1b2cd34;
constexpr uint32_t kPatchedRecordHeaderOctets = 24;
constexpr uint16_t kMajorVersion = 2;
// The upper six bits of the link type field tell about a frame check sequence.
constexpr uint32_t kLinkTypeMask = 0x03ffffff;

bool is_pcap(uint32_t magic) {
  return magic == kMagicMicroseconds || magic == kMagicNanoseconds || magic == kMagicPatched;
}

}  // namespace

bool PcapReader::knows_magic(const uint8_t* magic) {
  return is_pcap(load_in_order<uint32_t>(magic, FileOrder::Native)) ||
         is_pcap(load_in_order<uint32_t>(magic, FileOrder::Swapped));
}

Result<PcapReader> PcapReader::open(ChunkStream& stream) {
  if (!stream.need(kFileHeaderOctets)) return fail("ends inside the pcap file header");
  const uint8_t* header = stream.data();
  PcapReader reader;
  reader.order_ = is_pcap(load_in_order<uint32_t>(header, FileOrder::Native)) ? FileOrder::Native
                                                                              : FileOrder::Swapped;
  const auto magic = load_in_order<uint32_t>(header, reader.order_);
  const auto major = load_in_order<uint16_t>(header + 4, reader.order_);
  if (major != kMajorVersion) return fail("is pcap version {}; only version 2 is known", major);
  if (magic == kMagicPatched) reader.record_header_octets_ = kPatchedRecordHeaderOctets;
  reader.fraction_ns_ = magic == kMagicNanoseconds ? 1 : 1000;
  reader.link_type_ = LinkType{load_in_order<uint32_t>(header + 20, reader.order_) & kLinkTypeMask};
  stream.consume(kFileHeaderOctets);
  return reader;
}

ReadStatus PcapReader::ended_early(const ChunkStream& stream, uint32_t captured) {
  if (stream.at_end()) return ReadStatus::End;
  error_ = captured == 0
               ? "ends inside a record header"
               : fmt::format("ends inside a record of {} octets", record_header_octets_ + captured);
  return ReadStatus::Broken;
}

ReadStatus PcapReader::too_long(uint32_t captured) {
  error_ =
      fmt::format("a record claims {} captured octets, more than the {} that a capture may hold",
                  captured, kCapturedOctetsMax);
  return ReadStatus::Broken;
}

}  // namespace clerk
