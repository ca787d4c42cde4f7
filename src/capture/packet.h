// A packet as a source hands it on: a view into memory that the source owns, valid as long as the
// block or slice that it came in.
#pragma once

#include <cstdint>

namespace clerk {

// The link types that clerk decodes, by their LINKTYPE_ value
// (https://www.tcpdump.org/linktypes.html). Any other value is carried as it is and counted by the
// decoder.
enum class LinkType : uint32_t {
  Null = 0,  // BSD's loopback, in the byte order of the machine that captured
  Ethernet = 1,
  Arcnet = 7,
  Ppp = 9,
  Fddi = 10,
  RawBsd = 12,      // DLT_RAW on most systems; some programs write it into files
  RawOpenBsd = 14,  // DLT_RAW on OpenBSD
  PppHdlc = 50,
  Pppoe = 51,
  Raw = 101,
  CiscoHdlc = 104,
  Ieee80211 = 105,
  FrameRelay = 107,
  Loop = 108,  // OpenBSD's loopback, big-endian
  LinuxCooked = 113,
  Radiotap = 127,
  ArcnetLinux = 129,
  PppPppd = 166,
  Ppi = 192,
  PppWithDirection = 204,
  CiscoHdlcWithDirection = 205,
  FrameRelayWithDirection = 206,
  Ipnet = 226,
  Ipv4 = 228,
  Ipv6 = 229,
  Nflog = 239,
  IpOverInfiniband = 242,
  Pktap = 258,
  LinuxCooked2 = 276,
  // None of files: a ring without link headers had it, and the kernel says that it is not IP.
  NotIp = UINT32_MAX,
};

[[nodiscard]] constexpr bool is_decoded(LinkType link_type) {
  switch (link_type) {
    case LinkType::Null:
    case LinkType::Ethernet:
    case LinkType::Arcnet:
    case LinkType::Ppp:
    case LinkType::Fddi:
    case LinkType::RawBsd:
    case LinkType::RawOpenBsd:
    case LinkType::PppHdlc:
    case LinkType::Pppoe:
    case LinkType::Raw:
    case LinkType::CiscoHdlc:
    case LinkType::Ieee80211:
    case LinkType::FrameRelay:
    case LinkType::Loop:
    case LinkType::LinuxCooked:
    case LinkType::Radiotap:
    case LinkType::ArcnetLinux:
    case LinkType::PppPppd:
    case LinkType::Ppi:
    case LinkType::PppWithDirection:
    case LinkType::CiscoHdlcWithDirection:
    case LinkType::FrameRelayWithDirection:
    case LinkType::Ipnet:
    case LinkType::Ipv4:
    case LinkType::Ipv6:
    case LinkType::Nflog:
    case LinkType::IpOverInfiniband:
    case LinkType::Pktap:
    case LinkType::LinuxCooked2:
    case LinkType::NotIp: return true;
  }
  return false;
}

// The time of a packet that its file tells no time for: it takes the packet clock's.
inline constexpr uint64_t kNoTime = UINT64_MAX;

// The longest IP packet that an Ethernet link carries, where nobody knows better.
inline constexpr uint32_t kEthernetMtu = 1500;

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
