// The slow and obvious twins of PcapReader and PcapngReader, for tests and fuzzers: a file that
// lies in memory as a whole is read octet by octet, straight down the specifications' pages. What
// they share with the readers is the meaning of the words, no code.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "capture/packet.h"
#include "capture/record_reader.h"

namespace clerk::plainly {

struct FoundPacket {
  uint64_t time_ns;
  uint32_t captured_octets;
  uint32_t wire_octets;
  uint32_t link_type;
  size_t at;  // where in the file its octets begin

  bool operator==(const FoundPacket&) const = default;
};

struct FoundFile {
  bool is_refused = false;  // it has no header that could be read
  std::vector<FoundPacket> packets;
  std::optional<uint64_t> damaged_at;
};

using File = std::span<const uint8_t>;

inline uint64_t number(File file, size_t at, size_t octets, bool big_endian) {
  uint64_t value = 0;
  for (size_t i = 0; i < octets; ++i)
    value = value << 8 | file[at + (big_endian ? i : octets - 1 - i)];
  return value;
}

// pcap

struct PcapFound {
  bool big_endian;
  uint64_t magic;
  uint64_t major;
  uint64_t minor;
  uint64_t link_field;
};

inline std::optional<PcapFound> pcap_header(File file) {
  if (file.size() < 24) return {};
  for (const bool big_endian : {false, true}) {
    const uint64_t magic = number(file, 0, 4, big_endian);
    if (magic != 0xa1b2c3d4 && magic != 0xa1b23c4d && magic != 0xa1b2cd34) continue;
    const PcapFound found{big_endian, magic, number(file, 4, 2, big_endian),
                          number(file, 6, 2, big_endian), number(file, 20, 4, big_endian)};
    const bool known = found.major == 2 || (found.major == 543 && found.minor == 0);
    if (!known || (found.link_field >> 16 & 0x3ff) != 0) return {};
    return found;
  }
  return {};
}

inline FoundFile read_pcap(File file) {
  const auto header = pcap_header(file);
  if (!header) return {.is_refused = true};
  FoundFile found;
  const size_t header_octets = header->magic == 0xa1b2cd34 ? 24 : 16;
  const uint64_t unit_ns = header->magic == 0xa1b23c4d ? 1 : 1000;
  for (size_t at = 24; at < file.size();) {
    found.damaged_at = at;
    if (file.size() - at < header_octets) return found;
    uint64_t captured = number(file, at + 8, 4, header->big_endian);
    uint64_t wire = number(file, at + 12, 4, header->big_endian);
    const bool old = header->major == 543 || header->minor < 3;
    if (old || (header->minor == 3 && captured > wire)) std::swap(captured, wire);
    if (captured > 262144 || file.size() - at - header_octets < captured) return found;
    const size_t next = at + header_octets + captured;
    const uint64_t check = (header->link_field >> 28) * 2;
    if ((header->link_field & 0x04000000) != 0 && check > 0) {
      wire = std::max(wire, captured);
      wire = wire > check ? wire - check : 0;
      captured = std::min(captured, wire);
    }
    const uint64_t time = number(file, at, 4, header->big_endian) * 1'000'000'000 +
                          number(file, at + 4, 4, header->big_endian) * unit_ns;
    found.packets.push_back({time, static_cast<uint32_t>(captured), static_cast<uint32_t>(wire),
                             static_cast<uint32_t>(header->link_field & 0xffff),
                             at + header_octets});
    at = next;
    found.damaged_at.reset();
  }
  return found;
}

// pcapng

struct FoundInterface {
  uint64_t link_type = 0;
  uint64_t snap_octets = 0;
  uint64_t resolution = 6;
  int64_t offset_seconds = 0;
};

inline uint64_t time_of(uint64_t units, const FoundInterface& interface) {
  __int128 time = static_cast<__int128>(units) * 1'000'000'000;
  for (uint64_t i = 0; i < (interface.resolution & 0x7f); ++i)
    time /= (interface.resolution & 0x80) != 0 ? 2 : 10;
  time += static_cast<__int128>(interface.offset_seconds) * 1'000'000'000;
  return time < 0 || time >= static_cast<__int128>(kTimeEnd) ? kTimeEnd
                                                             : static_cast<uint64_t>(time);
}

// The body of an Interface Description Block, or nothing when it is damaged.
inline std::optional<FoundInterface> interface_of(File body, bool big_endian) {
  if (body.size() < 8) return {};
  FoundInterface interface{number(body, 0, 2, big_endian), number(body, 4, 4, big_endian)};
  for (size_t at = 8; at < body.size();) {
    const uint64_t code = number(body, at, 2, big_endian);
    const uint64_t octets = number(body, at + 2, 2, big_endian);
    if (code == 0) break;
    if (octets > body.size() - at - 4) return {};
    if (code == 9 && octets != 1) return {};
    if (code == 14 && octets != 8) return {};
    if (code == 9) interface.resolution = body[at + 4];
    if (code == 14) {
      interface.offset_seconds = static_cast<int64_t>(number(body, at + 4, 8, big_endian));
    }
    at += 4 + (octets + 3) / 4 * 4;
  }
  return interface;
}

// The packet in a body that begins `body_at` octets into the file, or nothing when it is damaged.
inline std::optional<FoundPacket> packet_of(uint64_t type, File body, size_t body_at,
                                            bool big_endian,
                                            const std::vector<FoundInterface>& interfaces) {
  const size_t header = type == 3 ? 4 : 20;
  if (body.size() < header) return {};
  uint64_t id = 0;
  if (type == 6) id = number(body, 0, 4, big_endian);
  if (type == 2) id = number(body, 0, 2, big_endian);
  if (id >= interfaces.size()) return {};
  const FoundInterface& interface = interfaces[id];
  uint64_t time = kNoTime;
  uint64_t wire = number(body, 0, 4, big_endian);
  uint64_t captured = wire;
  if (interface.snap_octets != 0) captured = std::min(captured, interface.snap_octets);
  if (type != 3) {
    const uint64_t high = number(body, 4, 4, big_endian);
    time = time_of(high << 32 | number(body, 8, 4, big_endian), interface);
    captured = number(body, 12, 4, big_endian);
    wire = number(body, 16, 4, big_endian);
  }
  if (captured > 262144 || captured > body.size() - header) return {};
  return FoundPacket{time, static_cast<uint32_t>(captured), static_cast<uint32_t>(wire),
                     static_cast<uint32_t>(interface.link_type), body_at + header};
}

// For files of less than a chunk: a longer packet block is handed on before its end is looked at.
inline FoundFile read_pcapng(File file) {
  FoundFile found;
  std::vector<FoundInterface> interfaces;
  std::optional<uint64_t> unknown_section;
  bool big_endian = false;
  bool known = true;
  const auto is_section = [&](size_t at) { return number(file, at, 4, true) == 0x0a0d0d0a; };
  const auto open_section = [&](size_t at) {
    if (number(file, at + 8, 4, false) != 0x1a2b3c4d && number(file, at + 8, 4, true) != 0x1a2b3c4d)
      return false;
    big_endian = number(file, at + 8, 4, true) == 0x1a2b3c4d;
    const uint64_t minor = number(file, at + 14, 2, big_endian);
    known = number(file, at + 12, 2, big_endian) == 1 && (minor == 0 || minor == 2);
    if (!known && !unknown_section) unknown_section = at;
    interfaces.clear();
    return true;
  };
  if (file.size() < 28 || !is_section(0) || !open_section(0)) return {.is_refused = true};
  for (size_t at = 0; at < file.size();) {
    found.damaged_at = at;
    if (file.size() - at < 12) return found;
    const bool section = is_section(at);
    if (section && (file.size() - at < 28 || !open_section(at))) return found;
    const uint64_t octets = number(file, at + 4, 4, big_endian);
    if (octets % 4 != 0 || octets < (section ? 28 : 12) || octets > file.size() - at) return found;
    if (number(file, at + octets - 4, 4, big_endian) != octets) return found;
    const uint64_t type = number(file, at, 4, big_endian);
    const File body = file.subspan(at + 8, octets - 12);
    if (known && !section && type == 1) {
      const auto interface = interface_of(body, big_endian);
      if (!interface) return found;
      interfaces.push_back(*interface);
    } else if (known && !section && (type == 2 || type == 3 || type == 6)) {
      const auto packet = packet_of(type, body, at + 8, big_endian, interfaces);
      if (!packet) return found;
      found.packets.push_back(*packet);
    }
    at += octets;
    found.damaged_at.reset();
  }
  found.damaged_at = unknown_section;
  return found;
}

}  // namespace clerk::plainly
