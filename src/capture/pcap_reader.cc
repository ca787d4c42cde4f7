#include "capture/pcap_reader.h"

namespace clerk {
namespace {

constexpr size_t kFileHeaderOctets = 24;
constexpr uint32_t kMagicMicroseconds = 0xa1b2c3d4;
constexpr uint32_t kMagicNanoseconds = 0xa1b23c4d;
constexpr uint32_t kMagicPatched = 0xa1b2cd34;
constexpr uint32_t kPatchedRecordHeaderOctets = 24;

// The parts of the link type field.
constexpr uint32_t kLinkTypeMask = 0x0000ffff;
constexpr uint32_t kReservedMask = 0x03ff0000;
constexpr uint32_t kFrameCheckBit = 0x04000000;
constexpr unsigned kFrameCheckShift = 28;

bool is_pcap(uint32_t magic) {
  return magic == kMagicMicroseconds || magic == kMagicNanoseconds || magic == kMagicPatched;
}

}  // namespace

bool PcapReader::knows_magic(const uint8_t* magic) {
  return is_pcap(load_in_order<uint32_t>(magic, FileOrder::Native)) ||
         is_pcap(load_in_order<uint32_t>(magic, FileOrder::Swapped));
}

Result<PcapReader> PcapReader::open(ChunkStream& stream) {
  if (!stream.need(kFileHeaderOctets)) {
    return fail("ends inside the pcap file header, at offset {}", stream.available());
  }
  const uint8_t* header = stream.data();
  PcapReader reader;
  reader.order_ = is_pcap(load_in_order<uint32_t>(header, FileOrder::Native)) ? FileOrder::Native
                                                                              : FileOrder::Swapped;
  const auto magic = load_in_order<uint32_t>(header, reader.order_);
  reader.length_order_ = TRY(length_order(load_in_order<uint16_t>(header + 4, reader.order_),
                                          load_in_order<uint16_t>(header + 6, reader.order_)));
  if (magic == kMagicPatched) reader.record_header_octets_ = kPatchedRecordHeaderOctets;
  reader.fraction_ns_ = magic == kMagicNanoseconds ? 1 : 1000;
  TRY(reader.read_link_type(load_in_order<uint32_t>(header + 20, reader.order_)));
  stream.consume(kFileHeaderOctets);
  return reader;
}

// The lengths changed places with version 2.3, and not every program that wrote 2.3 did so.
Result<PcapReader::LengthOrder> PcapReader::length_order(uint16_t major, uint16_t minor) {
  constexpr uint16_t kDgUxMajor = 543;  // DG/UX's tcpdump wrote 543.0
  if (major == kDgUxMajor && minor == 0) return LengthOrder::WireFirst;
  if (major != 2) return fail("is pcap version {}.{}; only version 2 is known", major, minor);
  if (minor == 3) return LengthOrder::SmallerIsCaptured;
  return minor < 3 ? LengthOrder::WireFirst : LengthOrder::CapturedFirst;
}

Result<void> PcapReader::read_link_type(uint32_t field) {
  if ((field & kReservedMask) != 0) {
    return fail("has the link type 0x{:08x} at offset 20, with bits whose meaning is not known",
                field);
  }
  link_type_ = LinkType{field & kLinkTypeMask};
  if ((field & kFrameCheckBit) != 0) frame_check_octets_ = (field >> kFrameCheckShift) * 2;
  return {};
}

// It stands at the end of what the wire had, so that a packet that was cut may have lost it.
void PcapReader::take_off_frame_check(Packet& packet) const {
  const uint32_t whole = std::max(packet.wire_octets, packet.captured_octets);
  packet.wire_octets = whole - std::min(whole, frame_check_octets_);
  packet.captured_octets = std::min(packet.captured_octets, packet.wire_octets);
}

ReadStatus PcapReader::ended_early(const ChunkStream& stream, uint32_t captured) {
  if (stream.at_end()) return ReadStatus::End;
  return broken(stream, captured == 0 ? "ends inside a record header"
                                      : fmt::format("ends inside a record of {} octets",
                                                    record_header_octets_ + captured));
}

ReadStatus PcapReader::too_long(const ChunkStream& stream, uint32_t captured) {
  return broken(stream, fmt::format("a record claims {} captured octets, more than the {} that a "
                                    "capture may hold",
                                    captured, kCapturedOctetsMax));
}

ReadStatus PcapReader::broken(const ChunkStream& stream, std::string what) {
  damage_ = {.offset = stream.offset(), .what = std::move(what)};
  return ReadStatus::Broken;
}

}  // namespace clerk
