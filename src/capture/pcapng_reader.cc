#include "capture/pcapng_reader.h"

#include <algorithm>

#include "base/time.h"

namespace clerk {
namespace {

constexpr uint32_t kSectionHeader = 0x0a0d0d0a;  // reads the same in both byte orders
constexpr uint32_t kInterfaceDescription = 1;
constexpr uint32_t kOldPacket = 2;
constexpr uint32_t kSimplePacket = 3;
constexpr uint32_t kEnhancedPacket = 6;

constexpr uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr uint32_t kBlockHeaderOctets = 8;
constexpr uint32_t kBlockOctetsMin = 12;
// A block that is read as a whole must fit a chunk. Packets with their options stay far below it.
constexpr uint32_t kLoadedBlockOctetsMax = kChunkOctets;
constexpr uint32_t kSectionHeaderOctetsMin = 28;

constexpr uint16_t kOptionTimeResolution = 9;
constexpr uint16_t kOptionTimeOffset = 14;
constexpr uint8_t kBinaryResolutionBit = 0x80;

constexpr uint32_t kEnhancedHeaderOctets = 20;
constexpr uint32_t kSimpleHeaderOctets = 4;
constexpr size_t kInterfacesMax = 65536;  // a file that announces more means to exhaust memory

constexpr uint32_t padded(uint32_t octets) { return (octets + 3) & ~uint32_t{3}; }

bool is_loaded(uint32_t type) {
  return type == kSectionHeader || type == kInterfaceDescription || type == kOldPacket ||
         type == kSimplePacket || type == kEnhancedPacket;
}

using Wide = unsigned __int128;

constexpr uint8_t kNanosecondExponent = 9;
constexpr uint8_t kDecimalExponentMax = 19 + kNanosecondExponent;  // beyond it every time reads 0
constexpr uint8_t kBinaryExponentMax = 64;

uint64_t power_of_ten(unsigned exponent) {
  uint64_t value = 1;
  while (exponent-- > 0)
    value *= 10;
  return value;
}

Wide to_nanoseconds(uint64_t units, bool binary_exponent, uint8_t exponent) {
  if (binary_exponent) {
    return exponent > kBinaryExponentMax ? 0 : (Wide{units} * kNanosecondsPerSecond) >> exponent;
  }
  if (exponent <= kNanosecondExponent) {
    return Wide{units} * power_of_ten(unsigned{kNanosecondExponent} - exponent);
  }
  if (exponent > kDecimalExponentMax) return 0;
  return Wide{units} / power_of_ten(exponent - unsigned{kNanosecondExponent});
}

// Adds the interface's offset; kTimeEnd when the sum is before 1970 or too late.
uint64_t with_offset(Wide time_ns, int64_t offset_seconds) {
  const auto signed_time = static_cast<__int128>(time_ns);
  const __int128 sum = signed_time + static_cast<__int128>(offset_seconds) * kNanosecondsPerSecond;
  return sum < 0 || sum >= static_cast<__int128>(kTimeEnd) ? kTimeEnd : static_cast<uint64_t>(sum);
}

}  // namespace

bool PcapngReader::knows_magic(const uint8_t* magic) {
  return load_in_order<uint32_t>(magic, FileOrder::Native) == kSectionHeader;
}

Result<PcapngReader> PcapngReader::open(ChunkStream& stream) {
  PcapngReader reader;
  if (!stream.need(kSectionHeaderOctetsMin)) return fail("ends inside the pcapng section header");
  if (!reader.open_section(stream)) return fail("{}", reader.error_);
  return reader;
}

PcapngReader::BlockStatus PcapngReader::broken_block(std::string why) {
  error_ = std::move(why);
  return BlockStatus::Broken;
}

ReadStatus PcapngReader::next(ChunkStream& stream, Packet& packet) {
  for (;;) {
    Block block{};
    switch (next_block(stream, block)) {
      case BlockStatus::Skipped: continue;
      case BlockStatus::End: return ReadStatus::End;
      case BlockStatus::Broken: return ReadStatus::Broken;
      case BlockStatus::Loaded: break;
    }
    if (block.type == kInterfaceDescription) {
      if (!add_interface(block)) return ReadStatus::Broken;
    } else if (block.type != kSectionHeader) {
      if (!read_packet(block, packet)) return ReadStatus::Broken;
      stream.consume(block.octets);
      return ReadStatus::Packet;
    }
    stream.consume(block.octets);
  }
}

PcapngReader::BlockStatus PcapngReader::next_block(ChunkStream& stream, Block& block) {
  if (!stream.need(kBlockHeaderOctets)) return at_end(stream);
  block.type = load_at<uint32_t>(stream.data());
  if (block.type == kSectionHeader) {
    if (!stream.need(kBlockOctetsMin)) return at_end(stream);
    if (!open_section(stream)) return BlockStatus::Broken;
  }
  block.octets = load_at<uint32_t>(stream.data() + 4);
  if (block.octets < kBlockOctetsMin || block.octets % 4 != 0) {
    return broken_block(fmt::format("a block claims a length of {} octets", block.octets));
  }
  if (is_loaded(block.type)) return load(stream, block);
  const uint64_t start = stream.offset();
  if (stream.skip(block.octets)) return BlockStatus::Skipped;
  return broken_block(fmt::format("ends inside a block of {} octets that begins at offset {}",
                                  block.octets, start));
}

PcapngReader::BlockStatus PcapngReader::load(ChunkStream& stream, Block& block) {
  if (block.octets > kLoadedBlockOctetsMax) {
    return broken_block(fmt::format("a block claims a length of {} octets", block.octets));
  }
  if (!stream.need(block.octets)) return at_end(stream);
  const auto repeated = load_at<uint32_t>(stream.data() + block.octets - 4);
  if (repeated != block.octets) {
    return broken_block(
        fmt::format("a block's two lengths differ ({} and {})", block.octets, repeated));
  }
  block.body = stream.data() + kBlockHeaderOctets;
  block.body_octets = block.octets - kBlockOctetsMin;
  return BlockStatus::Loaded;
}

PcapngReader::BlockStatus PcapngReader::at_end(const ChunkStream& stream) {
  if (stream.at_end()) return BlockStatus::End;
  return broken_block("ends inside a block");
}

// The byte order is told by the four octets behind the length, before the length can be read.
bool PcapngReader::open_section(const ChunkStream& stream) {
  const uint8_t* magic = stream.data() + kBlockHeaderOctets;
  if (load_in_order<uint32_t>(magic, FileOrder::Native) == kByteOrderMagic) {
    order_ = FileOrder::Native;
  } else if (load_in_order<uint32_t>(magic, FileOrder::Swapped) == kByteOrderMagic) {
    order_ = FileOrder::Swapped;
  } else {
    error_ = "a section header has no byte-order magic";
    return false;
  }
  interfaces_.clear();
  return true;
}

// Interface Description Block: link type 2 | reserved 2 | snap length 4 | options.
bool PcapngReader::add_interface(const Block& block) {
  if (block.body_octets < 8 || interfaces_.size() == kInterfacesMax) {
    error_ = "an interface description block is too short, or there are too many";
    return false;
  }
  Interface interface{.link_type = LinkType{load_at<uint16_t>(block.body)},
                      .snap_octets = load_at<uint32_t>(block.body + 4)};
  uint32_t at = 8;
  while (at + 4 <= block.body_octets) {
    const auto code = load_at<uint16_t>(block.body + at);
    const auto octets = load_at<uint16_t>(block.body + at + 2);
    if (code == 0 || octets > block.body_octets - at - 4) break;
    read_interface_option(code, block.body + at + 4, octets, interface);
    at += 4 + padded(octets);
  }
  interfaces_.push_back(interface);
  return true;
}

void PcapngReader::read_interface_option(uint16_t code, const uint8_t* value, uint16_t octets,
                                         Interface& interface) const {
  if (code == kOptionTimeResolution && octets >= 1) {
    interface.binary_exponent = (*value & kBinaryResolutionBit) != 0;
    interface.exponent = *value & static_cast<uint8_t>(~kBinaryResolutionBit);
  } else if (code == kOptionTimeOffset && octets >= 8) {
    interface.offset_seconds = static_cast<int64_t>(load_at<uint64_t>(value));
  }
}

bool PcapngReader::read_packet(const Block& block, Packet& packet) {
  if (block.type == kSimplePacket) return read_simple_packet(block, packet);
  if (block.body_octets < kEnhancedHeaderOctets) {
    error_ = "a packet block is too short for its header";
    return false;
  }
  const uint32_t interface_id =
      block.type == kEnhancedPacket ? load_at<uint32_t>(block.body) : load_at<uint16_t>(block.body);
  return read_timed_packet(block, interface_id, packet);
}

// Enhanced Packet Block: interface 4 | time high 4 | time low 4 | captured 4 | wire 4 | packet |
// options. The old Packet Block has interface 2 | drops 2 in the first word.
bool PcapngReader::read_timed_packet(const Block& block, uint32_t interface_id, Packet& packet) {
  const Interface* interface = find_interface(interface_id);
  if (interface == nullptr) return false;
  const uint64_t units =
      uint64_t{load_at<uint32_t>(block.body + 4)} << 32 | load_at<uint32_t>(block.body + 8);
  packet.time_ns =
      with_offset(to_nanoseconds(units, interface->binary_exponent, interface->exponent),
                  interface->offset_seconds);
  packet.captured_octets = load_at<uint32_t>(block.body + 12);
  packet.wire_octets = load_at<uint32_t>(block.body + 16);
  packet.link_type = interface->link_type;
  return point_into(block, kEnhancedHeaderOctets, packet);
}

// Simple Packet Block: wire octets 4 | packet. It belongs to the section's first interface, whose
// snap length says how much of the packet is there.
bool PcapngReader::read_simple_packet(const Block& block, Packet& packet) {
  const Interface* interface = find_interface(0);
  if (interface == nullptr) return false;
  if (block.body_octets < kSimpleHeaderOctets) {
    error_ = "a simple packet block is too short for its header";
    return false;
  }
  packet.time_ns = kNoTime;
  packet.wire_octets = load_at<uint32_t>(block.body);
  packet.captured_octets = std::min(packet.wire_octets, block.body_octets - kSimpleHeaderOctets);
  if (interface->snap_octets != 0) {
    packet.captured_octets = std::min(packet.captured_octets, interface->snap_octets);
  }
  packet.link_type = interface->link_type;
  return point_into(block, kSimpleHeaderOctets, packet);
}

bool PcapngReader::point_into(const Block& block, uint32_t header_octets, Packet& packet) {
  if (packet.captured_octets > kCapturedOctetsMax ||
      packet.captured_octets > block.body_octets - header_octets) {
    error_ = fmt::format("a packet block claims {} captured octets, more than it holds",
                         packet.captured_octets);
    return false;
  }
  packet.data = block.body + header_octets;
  return true;
}

const PcapngReader::Interface* PcapngReader::find_interface(uint32_t interface_id) {
  if (interface_id < interfaces_.size()) return &interfaces_[interface_id];
  error_ = fmt::format("a packet names interface {}, but only {} are described", interface_id,
                       interfaces_.size());
  return nullptr;
}

}  // namespace clerk
