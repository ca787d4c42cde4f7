// A packet as a source hands it on: a view into memory that the source owns, valid as long as the
// block or slice that it came in.
#pragma once

#include <cstdint>

namespace clerk {

// The link types that clerk decodes, by their LINKTYPE_ value
// (https://www.tcpdump.org/linktypes.html). Any other value is carried as it is and counted by the
// decoder.
enum class LinkType : uint32_t {
  Ethernet = 1,
  RawBsd = 12,      // DLT_RAW on most systems; some programs write it into files
  RawOpenBsd = 14,  // DLT_RAW on OpenBSD
  Raw = 101,
  LinuxCooked = 113,
  Ipv4 = 228,
  Ipv6 = 229,
  LinuxCooked2 = 276,
  // None of files: a ring without link headers had it, and the kernel says that it is not IP.
  NotIp = UINT32_MAX,
};

[[nodiscard]] constexpr bool is_decoded(LinkType link_type) {
  switch (link_type) {
    case LinkType::Ethernet:
    case LinkType::RawBsd:
    case LinkType::RawOpenBsd:
    case LinkType::Raw:
    case LinkType::LinuxCooked:
    case LinkType::Ipv4:
    case LinkType::Ipv6:
    case LinkType::LinuxCooked2:
    case LinkType::NotIp: return true;
  }
  return false;
}

// The time of a packet that its file tells no time for: it takes the packet clock's.
inline constexpr uint64_t kNoTime = UINT64_MAX;

// No tag was taken off the packet.
inline constexpr uint16_t kNoVlanTag = UINT16_MAX;

struct Packet {
  const uint8_t* data = nullptr;
  uint64_t time_ns = 0;  // since 1970; kTimeEnd and above is a time that cannot be used
  uint32_t captured_octets = 0;
  uint32_t wire_octets = 0;
  LinkType link_type = LinkType::Ethernet;
  // Of a tag in front of all others that the kernel or the network card took off and put beside the
  // packet: its twelve bits, or kNoVlanTag.
  uint16_t stripped_vlan_id = kNoVlanTag;
};

}  // namespace clerk
