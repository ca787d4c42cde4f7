#include "capture/pcapng_reader.h"

#include <algorithm>

namespace clerk {
namespace {

constexpr uint32_t kSectionHeader = 0x0a0d0d0a;  // reads the same in both byte orders
constexpr uint32_t kInterfaceDescription = 1;
constexpr uint32_t kOldPacket = 2;
constexpr uint32_t kSimplePacket = 3;
constexpr uint32_t kEnhancedPacket = 6;

constexpr uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr uint32_t kBlockHeaderOctets = 8;
constexpr uint32_t kRepeatedLengthOctets = 4;
constexpr uint32_t kBlockOctetsMin = kBlockHeaderOctets + kRepeatedLengthOctets;
// Byte-order magic 4 | major 2 | minor 2 | section length 8, and then options, which are not read.
constexpr uint32_t kSectionHeaderOctetsRead = kBlockHeaderOctets + 16;
constexpr uint32_t kSectionHeaderOctetsMin = kSectionHeaderOctetsRead + kRepeatedLengthOctets;

constexpr uint32_t kInterfaceHeaderOctets = 8;
constexpr uint32_t kOptionHeaderOctets = 4;
constexpr uint16_t kOptionEnd = 0;
constexpr uint16_t kOptionTimeResolution = 9;
constexpr uint16_t kOptionTimeOffset = 14;
constexpr uint8_t kBinaryResolutionBit = 0x80;

constexpr uint32_t kEnhancedHeaderOctets = 20;
constexpr uint32_t kSimpleHeaderOctets = 4;
constexpr size_t kInterfacesMax = 65536;  // a file that announces more means to exhaust memory

constexpr uint32_t padded(uint32_t octets) { return (octets + 3) & ~uint32_t{3}; }

// Some programs write 1.2; the format is that of 1.0.
constexpr bool is_version_known(uint16_t major, uint16_t minor) {
  return major == 1 && (minor == 0 || minor == 2);
}

}  // namespace

bool PcapngReader::knows_magic(const uint8_t* magic) {
  return load_in_order<uint32_t>(magic, FileOrder::Native) == kSectionHeader;
}

Result<PcapngReader> PcapngReader::open(ChunkStream& stream) {
  PcapngReader reader;
  if (!stream.need(kSectionHeaderOctetsMin)) {
    return fail("ends inside the pcapng section header, at offset {}", stream.available());
  }
  if (!reader.open_section(stream.data())) return fail("{}", reader.damage_.what);
  return reader;
}

ReadStatus PcapngReader::next(ChunkStream& stream, Packet& packet) {
  for (;;) {
    if (!finish_block(stream)) return ReadStatus::Broken;
    Block block;
    if (!begin_block(stream, block)) {
      return stream.at_end() ? end_of_file() : ReadStatus::Broken;
    }
    if (block.kind == BlockKind::Interface && !add_interface(block)) return ReadStatus::Broken;
    if (block.kind == BlockKind::Packet && !read_packet(block, packet)) return ReadStatus::Broken;
    stream.consume(block.octets_loaded);
    if (block.kind == BlockKind::Packet) return ReadStatus::Packet;
  }
}

ReadStatus PcapngReader::end_of_file() {
  if (!unknown_section_) return ReadStatus::End;
  damage_ = *unknown_section_;
  return ReadStatus::Broken;
}

bool PcapngReader::broken(std::string what) {
  damage_ = {.offset = block_offset_, .what = std::move(what)};
  return false;
}

// False at the end of the file, too.
bool PcapngReader::begin_block(ChunkStream& stream, Block& block) {
  block_offset_ = stream.offset();
  if (!read_block_header(stream, block) || !load(stream, block)) return false;
  block.body = stream.data() + kBlockHeaderOctets;
  block_octets_ = block.octets;
  octets_left_ = block.octets - block.octets_loaded;
  if (octets_left_ > 0) {
    block.body_octets = block.octets_loaded - kBlockHeaderOctets;
    return true;
  }
  block.body_octets = block.octets - kBlockOctetsMin;
  return check_repeated_length(stream.data() + block.octets - kRepeatedLengthOctets);
}

bool PcapngReader::read_block_header(ChunkStream& stream, Block& block) {
  if (!stream.need(kBlockHeaderOctets)) return broken("ends inside a block header");
  block.type = load_at<uint32_t>(stream.data());
  block.kind = kind_of(block.type);
  if (block.kind == BlockKind::Section) {
    if (!stream.need(kSectionHeaderOctetsRead)) return broken("ends inside a section header");
    if (!open_section(stream.data())) return false;
  }
  block.octets = load_at<uint32_t>(stream.data() + 4);
  const uint32_t least =
      block.kind == BlockKind::Section ? kSectionHeaderOctetsMin : kBlockOctetsMin;
  if (block.octets >= least && block.octets % 4 == 0) return true;
  return broken(
      fmt::format("a block claims a length of {} octets; it can only be a multiple of 4 from {} on",
                  block.octets, least));
}

// A packet lies at the front of its block, and is never longer than a chunk.
bool PcapngReader::load(ChunkStream& stream, Block& block) {
  switch (block.kind) {
    case BlockKind::Section: block.octets_loaded = kSectionHeaderOctetsRead; break;
    case BlockKind::Other: block.octets_loaded = kBlockHeaderOctets; break;
    case BlockKind::Interface:
    case BlockKind::Packet:
      block.octets_loaded = std::min<uint32_t>(block.octets, kChunkOctets);
      break;
  }
  return stream.need(block.octets_loaded) ||
         broken(fmt::format("ends inside a block of {} octets", block.octets));
}

// Passes over what was not loaded of the last block.
bool PcapngReader::finish_block(ChunkStream& stream) {
  if (octets_left_ == 0) return true;
  if (!stream.skip(octets_left_ - kRepeatedLengthOctets) || !stream.need(kRepeatedLengthOctets)) {
    return broken(fmt::format("ends inside a block of {} octets", block_octets_));
  }
  if (!check_repeated_length(stream.data())) return false;
  stream.consume(kRepeatedLengthOctets);
  octets_left_ = 0;
  return true;
}

bool PcapngReader::check_repeated_length(const uint8_t* from) {
  const auto repeated = load_at<uint32_t>(from);
  return repeated == block_octets_ ||
         broken(fmt::format("a block's two lengths differ ({} and {})", block_octets_, repeated));
}

PcapngReader::BlockKind PcapngReader::kind_of(uint32_t type) const {
  if (type == kSectionHeader) return BlockKind::Section;
  if (!version_known_) return BlockKind::Other;
  switch (type) {
    case kInterfaceDescription: return BlockKind::Interface;
    case kOldPacket:
    case kSimplePacket:
    case kEnhancedPacket: return BlockKind::Packet;
    default: return BlockKind::Other;
  }
}

// The byte order is told by the four octets behind the length, before the length can be read.
bool PcapngReader::open_section(const uint8_t* header) {
  const uint8_t* magic = header + kBlockHeaderOctets;
  if (load_in_order<uint32_t>(magic, FileOrder::Native) == kByteOrderMagic) {
    order_ = FileOrder::Native;
  } else if (load_in_order<uint32_t>(magic, FileOrder::Swapped) == kByteOrderMagic) {
    order_ = FileOrder::Swapped;
  } else {
    return broken("a section header has no byte-order magic");
  }
  interfaces_.clear();
  const auto major = load_at<uint16_t>(magic + 4);
  const auto minor = load_at<uint16_t>(magic + 6);
  version_known_ = is_version_known(major, minor);
  if (!version_known_ && !unknown_section_) {
    unknown_section_ = {block_offset_,
                        fmt::format("a section of pcapng version {}.{} was passed over; only 1.0 "
                                    "and 1.2 are known",
                                    major, minor),
                        "all else"};
  }
  return true;
}

// Interface Description Block: link type 2 | reserved 2 | snap length 4 | options.
bool PcapngReader::add_interface(const Block& block) {
  if (block.octets > kChunkOctets) {
    return broken(fmt::format("an interface is described in {} octets; at most {} are read",
                              block.octets, kChunkOctets));
  }
  if (block.body_octets < kInterfaceHeaderOctets) {
    return broken("an interface description block is too short for its header");
  }
  if (interfaces_.size() == kInterfacesMax) {
    return broken(fmt::format(
        "a section describes more than the {} interfaces that a capture may have", kInterfacesMax));
  }
  Interface interface{.link_type = LinkType{load_at<uint16_t>(block.body)},
                      .snap_octets = load_at<uint32_t>(block.body + 4)};
  if (!read_interface_options(block, interface)) return false;
  interfaces_.push_back(interface);
  return true;
}

// Option: code 2 | length 2 | value, padded to 4. Nothing follows a code of 0, or the block's end.
bool PcapngReader::read_interface_options(const Block& block, Interface& interface) {
  uint32_t at = kInterfaceHeaderOctets;
  while (at + kOptionHeaderOctets <= block.body_octets) {
    const auto code = load_at<uint16_t>(block.body + at);
    const auto octets = load_at<uint16_t>(block.body + at + 2);
    at += kOptionHeaderOctets;
    if (code == kOptionEnd) return true;
    if (octets > block.body_octets - at) {
      return broken(
          fmt::format("option {} of an interface claims {} octets, more than its block "
                      "holds",
                      code, octets));
    }
    if (!read_interface_option(code, block.body + at, octets, interface)) return false;
    at += padded(octets);
  }
  return true;
}

bool PcapngReader::read_interface_option(uint16_t code, const uint8_t* value, uint16_t octets,
                                         Interface& interface) {
  if (code != kOptionTimeResolution && code != kOptionTimeOffset) return true;
  const size_t expected = code == kOptionTimeResolution ? sizeof(uint8_t) : sizeof(int64_t);
  if (octets != expected) {
    return broken(
        fmt::format("option {} of an interface, on which its times depend, has {} octets "
                    "in the place of {}",
                    code, octets, expected));
  }
  if (code == kOptionTimeResolution) {
    interface.clock.binary_exponent = (*value & kBinaryResolutionBit) != 0;
    interface.clock.exponent = *value & static_cast<uint8_t>(~kBinaryResolutionBit);
  } else {
    interface.clock.offset_seconds = static_cast<int64_t>(load_at<uint64_t>(value));
  }
  return true;
}

bool PcapngReader::read_packet(const Block& block, Packet& packet) {
  if (block.type == kSimplePacket) return read_simple_packet(block, packet);
  if (block.body_octets < kEnhancedHeaderOctets) {
    return broken("a packet block is too short for its header");
  }
  const uint32_t interface_id =
      block.type == kEnhancedPacket ? load_at<uint32_t>(block.body) : load_at<uint16_t>(block.body);
  return read_timed_packet(block, interface_id, packet);
}

// Enhanced Packet Block: interface 4 | time high 4 | time low 4 | captured 4 | wire 4 | packet |
// options. The obsolete Packet Block has interface 2 | drops 2 in the first word.
bool PcapngReader::read_timed_packet(const Block& block, uint32_t interface_id, Packet& packet) {
  const Interface* interface = find_interface(interface_id);
  if (interface == nullptr) return false;
  const uint64_t units =
      uint64_t{load_at<uint32_t>(block.body + 4)} << 32 | load_at<uint32_t>(block.body + 8);
  packet.time_ns = interface->clock.time_ns(units);
  packet.captured_octets = load_at<uint32_t>(block.body + 12);
  packet.wire_octets = load_at<uint32_t>(block.body + 16);
  packet.link_type = interface->link_type;
  return point_into(block, kEnhancedHeaderOctets, packet);
}

// Simple Packet Block: wire octets 4 | packet. It belongs to the section's first interface, whose
// snap length says how much of the packet is there.
bool PcapngReader::read_simple_packet(const Block& block, Packet& packet) {
  if (block.body_octets < kSimpleHeaderOctets) {
    return broken("a packet block is too short for its header");
  }
  const Interface* interface = find_interface(0);
  if (interface == nullptr) return false;
  packet.time_ns = kNoTime;
  packet.wire_octets = load_at<uint32_t>(block.body);
  packet.captured_octets = packet.wire_octets;
  if (interface->snap_octets != 0) {
    packet.captured_octets = std::min(packet.captured_octets, interface->snap_octets);
  }
  packet.link_type = interface->link_type;
  return point_into(block, kSimpleHeaderOctets, packet);
}

bool PcapngReader::point_into(const Block& block, uint32_t header_octets, Packet& packet) {
  if (packet.captured_octets > kCapturedOctetsMax) {
    return broken(
        fmt::format("a packet claims {} captured octets, more than the {} that a capture may hold",
                    packet.captured_octets, kCapturedOctetsMax));
  }
  if (packet.captured_octets > block.body_octets - header_octets) {
    return broken(fmt::format("a packet claims {} captured octets, more than its block holds",
                              packet.captured_octets));
  }
  packet.data = block.body + header_octets;
  return true;
}

const PcapngReader::Interface* PcapngReader::find_interface(uint32_t interface_id) {
  if (interface_id < interfaces_.size()) return &interfaces_[interface_id];
  broken(fmt::format("a packet names interface {}, but only {} are described", interface_id,
                     interfaces_.size()));
  return nullptr;
}

}  // namespace clerk
