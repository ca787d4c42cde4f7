#include "decode/link.h"

#include <optional>

#include "decode/shims.h"
#include "decode/wire.h"
#include "decode/wlan.h"

namespace clerk {
namespace {

using namespace wire;

Next ethernet(Walk& walk) {
  if (walk.reader.has(kEthernetOctets)) {
    walk.headers.link.destination = walk.reader.position();
    walk.headers.link.source = walk.reader.position() + kMacOctets;
  }
  return read_ethernet(walk);
}

struct LinuxCooked {
  size_t octets;
  size_t hardware_at;
  size_t address_at;
  size_t address_length_octets;  // of the field in front of the address
  size_t protocol_at;
};
constexpr LinuxCooked kCooked{.octets = kLinuxCookedOctets,
                              .hardware_at = kLinuxCookedHardwareAt,
                              .address_at = kLinuxCookedAddressAt,
                              .address_length_octets = 2,
                              .protocol_at = kLinuxCookedProtocolAt};
constexpr LinuxCooked kCooked2{.octets = kLinuxCooked2Octets,
                               .hardware_at = kLinuxCooked2HardwareAt,
                               .address_at = kLinuxCooked2AddressAt,
                               .address_length_octets = 1,
                               .protocol_at = kLinuxCooked2ProtocolAt};

// Only an address of six octets is a MAC address: a loopback interface has none, a tunnel an IP
// address.
bool has_mac_address(const LinuxCooked& layout, const ByteReader& reader) {
  const size_t length_at = layout.address_at - layout.address_length_octets;
  const size_t octets = layout.address_length_octets == 1 ? reader.octet(length_at)
                                                          : reader.load<uint16_t>(length_at);
  return octets == kMacOctets;
}

Next linux_cooked(const LinuxCooked& layout, Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(layout.octets)) return stops(reader.missing(layout.octets));
  const auto hardware = reader.load<uint16_t>(layout.hardware_at);
  const auto type = reader.load<uint16_t>(layout.protocol_at);
  walk.note("Linux cooked", layout.octets, "ARPHRD {}, type {:#06x}", hardware, type);
  if (has_mac_address(layout, reader))
    walk.headers.link.source = reader.position() + layout.address_at;
  reader.skip(layout.octets);
  if (hardware == kHardwareNetlink) return stops(Stop::NonIp);
  return type == kLinuxCookedLlc ? announces(next::kLlc) : announces_ether_type(type);
}

// The families that systems give to IPv6.
bool is_ipv6_family(uint32_t family) {
  switch (family) {
    case 10:
    case 23:
    case 24:
    case 26:
    case 28:
    case 30: return true;
    default: return false;
  }
}

std::optional<uint16_t> ether_type_of_family(uint32_t family) {
  if (family == kFamilyIpv4) return ether_type::kIpv4;
  if (is_ipv6_family(family)) return ether_type::kIpv6;
  return std::nullopt;
}

Next loopback(Walk& walk, bool either_order) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kLoopbackOctets)) return stops(reader.missing(kLoopbackOctets));
  const auto family = reader.load<uint32_t>(0);
  walk.note("loopback", kLoopbackOctets, "family {:#010x}", family);
  reader.skip(kLoopbackOctets);
  auto type = ether_type_of_family(family);
  if (!type && either_order) type = ether_type_of_family(std::byteswap(family));
  return type ? announces(*type) : stops(Stop::NonIp);
}

Next cisco_hdlc(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kCiscoHdlcOctets)) return stops(reader.missing(kCiscoHdlcOctets));
  const auto type = reader.load<uint16_t>(2);
  walk.note("Cisco HDLC", kCiscoHdlcOctets, "type {:#06x}", type);
  reader.skip(kCiscoHdlcOctets);
  return announces_ether_type(type);
}

Next ppp_or_cisco_hdlc(Walk& walk) {
  if (!walk.reader.has(1)) return stops(walk.reader.missing(1));
  const uint8_t first = walk.reader.octet(0);
  return first == kCiscoHdlcUnicast || first == kCiscoHdlcMulticast ? cisco_hdlc(walk)
                                                                    : read_ppp(walk);
}

// pppd puts the direction in the place of the first octet of `ff 03`.
Next ppp_of_pppd(Walk& walk) {
  if (!walk.reader.has(kPppHdlcOctets)) return stops(walk.reader.missing(kPppHdlcOctets));
  walk.note("direction", kPppHdlcOctets, "{}", walk.reader.octet(0));
  walk.reader.skip(kPppHdlcOctets);
  return read_ppp(walk);
}

template <typename Read>
Next behind_direction(Walk& walk, Read read) {
  if (!walk.reader.has(1)) return stops(walk.reader.missing(1));
  walk.note("direction", 1, "{}", walk.reader.octet(0));
  walk.reader.skip(1);
  return read(walk);
}

// Its address ends with the first odd octet.
Next frame_relay(Walk& walk) {
  ByteReader& reader = walk.reader;
  size_t address = 1;
  for (;; ++address) {
    if (!reader.has(address)) return stops(reader.missing(address));
    if ((reader.octet(address - 1) & 1) != 0) break;
    if (address == kFrameRelayAddressMax) return stops(Stop::Malformed);
  }
  if (address < kFrameRelayAddressMin) return stops(Stop::Malformed);
  if (!reader.has(address + 2)) return stops(reader.missing(address + 2));
  walk.note("Frame Relay", address, "");
  reader.skip(address);
  if (reader.octet(0) != kUnnumberedInformation) {
    const auto type = reader.load<uint16_t>(0);
    reader.skip(2);
    return announces_ether_type(type);
  }
  reader.skip(1);
  if (reader.octet(0) == nlpid::kPadding) reader.skip(1);
  if (!reader.has(1)) return stops(reader.missing(1));
  const uint8_t protocol = reader.octet(0);
  walk.note("NLPID", 1, "{:#04x}", protocol);
  reader.skip(1);
  switch (protocol) {
    case nlpid::kIpv4: return announces(ether_type::kIpv4);
    case nlpid::kIpv6: return announces(ether_type::kIpv6);
    case nlpid::kSnap: return read_snap(walk);
    default: return stops(Stop::NonIp);
  }
}

Next fddi(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kFddiOctets)) return stops(reader.missing(kFddiOctets));
  const bool is_llc = (reader.octet(0) & kFddiKindMask) == kFddiLlc;
  walk.note("FDDI", kFddiOctets, "frame control {:#04x}", reader.octet(0));
  walk.headers.link.destination = reader.position() + 1;
  walk.headers.link.source = reader.position() + 1 + kMacOctets;
  reader.skip(kFddiOctets);
  return is_llc ? announces(next::kLlc) : stops(Stop::NonIp);
}

// The header that RFC 1201 puts behind the protocol. Only the first part of a split packet has the
// IP header, and an odd flag.
Stop arcnet_split(ByteReader& reader, bool may_be_exception) {
  if (may_be_exception && reader.has(1) && reader.octet(0) == kArcnetException) {
    if (!reader.has(kArcnetExceptionOctets)) return reader.missing(kArcnetExceptionOctets);
    reader.skip(kArcnetExceptionOctets);
  }
  if (!reader.has(kArcnetSplitOctets)) return reader.missing(kArcnetSplitOctets);
  const uint8_t flag = reader.octet(0);
  reader.skip(kArcnetSplitOctets);
  return flag == 0 || (flag & 1) != 0 ? Stop::Done : Stop::NonIp;
}

Next arcnet_packet(Walk& walk, size_t protocol_at) {
  ByteReader& reader = walk.reader;
  if (!reader.has(protocol_at + 1)) return stops(reader.missing(protocol_at + 1));
  const uint8_t protocol = reader.octet(protocol_at);
  walk.note("ARCNET", protocol_at + 1, "protocol {}", protocol);
  reader.skip(protocol_at + 1);
  if (protocol == arcnet::kIpv4Rfc1051) return announces(ether_type::kIpv4);
  if (protocol != arcnet::kIpv4 && protocol != arcnet::kIpv6) return stops(Stop::NonIp);
  const Stop stop = arcnet_split(reader, protocol_at == kArcnetProtocolAt);
  if (stop != Stop::Done) return stops(stop);
  return announces(protocol == arcnet::kIpv4 ? ether_type::kIpv4 : ether_type::kIpv6);
}

Next ip_over_infiniband(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kInfinibandOctets)) return stops(reader.missing(kInfinibandOctets));
  const auto type = reader.load<uint16_t>(kInfinibandTypeAt);
  walk.note("InfiniBand", kInfinibandOctets, "type {:#06x}", type);
  reader.skip(kInfinibandOctets);
  return announces_ether_type(type);
}

Next ipnet(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kIpnetOctets)) return stops(reader.missing(kIpnetOctets));
  const uint8_t family = reader.octet(1);
  walk.note("IPNET", kIpnetOctets, "family {}", family);
  reader.skip(kIpnetOctets);
  if (family == kIpnetIpv4) return announces(ether_type::kIpv4);
  return family == kIpnetIpv6 ? announces(ether_type::kIpv6) : stops(Stop::NonIp);
}

// The lengths and types of attributes are in the byte order of the machine that captured; a type is
// small, so that it tells which.
Next nflog(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kNflogOctets)) return stops(reader.missing(kNflogOctets));
  if (reader.octet(1) != 0) return stops(Stop::Malformed);
  const uint8_t family = reader.octet(0);
  walk.note("NFLOG", kNflogOctets, "family {}", family);
  reader.skip(kNflogOctets);
  for (;;) {
    if (reader.left_on_wire() == 0) return stops(Stop::NonIp);  // no payload was logged
    if (!reader.has(kNflogAttributeOctets)) return stops(reader.missing(kNflogAttributeOctets));
    const bool big_endian = reader.octet(2) == 0 && reader.octet(3) != 0;
    const size_t octets =
        big_endian ? reader.load<uint16_t>(0) : reader.load_little_endian<uint16_t>(0);
    const auto type =
        big_endian ? reader.load<uint16_t>(2) : reader.load_little_endian<uint16_t>(2);
    if (octets < kNflogAttributeOctets) return stops(Stop::Malformed);
    if (type == kNflogPayload) {
      reader.limit(octets);
      reader.skip(kNflogAttributeOctets);
      break;
    }
    const size_t padded = (octets + 3) / 4 * 4;
    if (!reader.has(padded)) return stops(reader.missing(padded));
    reader.skip(padded);
  }
  if (family == kNflogIpv4) return announces(ether_type::kIpv4);
  return family == kNflogIpv6 ? announces(ether_type::kIpv6) : stops(Stop::NonIp);
}

Next wrapped(LinkType link_type, Walk& walk) {
  const bool wraps_again = link_type == LinkType::Ppi || link_type == LinkType::Pktap;
  // No file has the latter, and what a file says is nothing that the kernel said.
  return wraps_again || link_type == LinkType::NotIp ? stops(Stop::LinkType)
                                                     : read_link_header(link_type, walk);
}

Next ppi(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kPpiOctets)) return stops(reader.missing(kPpiOctets));
  const size_t octets = reader.load_little_endian<uint16_t>(2);
  const LinkType link_type{reader.load_little_endian<uint32_t>(4)};
  if (reader.octet(0) != 0 || octets < kPpiOctets) return stops(Stop::Malformed);
  if (!reader.has(octets)) return stops(reader.missing(octets));
  walk.note("PPI", octets, "link type {}", static_cast<uint32_t>(link_type));
  reader.skip(octets);
  walk.headers.link.octets = static_cast<uint32_t>(reader.left_on_wire());
  return wrapped(link_type, walk);
}

Next pktap(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kPktapOctetsMin)) return stops(reader.missing(kPktapOctetsMin));
  const size_t octets = reader.load_little_endian<uint32_t>(0);
  const auto record = reader.load_little_endian<uint32_t>(4);
  const LinkType link_type{reader.load_little_endian<uint32_t>(8)};
  if (octets < kPktapOctetsMin) return stops(Stop::Malformed);
  if (record != kPktapPacket) return stops(Stop::NonIp);
  if (!reader.has(octets)) return stops(reader.missing(octets));
  walk.note("PKTAP", octets, "link type {}", static_cast<uint32_t>(link_type));
  reader.skip(octets);
  walk.headers.link.octets = static_cast<uint32_t>(reader.left_on_wire());
  return wrapped(link_type, walk);
}

}  // namespace

Next read_link_header(LinkType link_type, Walk& walk) {
  switch (link_type) {
    case LinkType::Ethernet: return ethernet(walk);
    case LinkType::RawBsd:
    case LinkType::RawOpenBsd:
    case LinkType::Raw: return announces(next::kRawIp);
    case LinkType::Ipv4: return announces(ether_type::kIpv4);
    case LinkType::Ipv6: return announces(ether_type::kIpv6);
    case LinkType::LinuxCooked: return linux_cooked(kCooked, walk);
    case LinkType::LinuxCooked2: return linux_cooked(kCooked2, walk);
    case LinkType::Null: return loopback(walk, true);
    case LinkType::Loop: return loopback(walk, false);
    case LinkType::Ppp:
    case LinkType::PppHdlc: return ppp_or_cisco_hdlc(walk);
    case LinkType::PppPppd: return ppp_of_pppd(walk);
    case LinkType::PppWithDirection: return behind_direction(walk, ppp_or_cisco_hdlc);
    case LinkType::Pppoe: return announces(ether_type::kPppoeSession);
    case LinkType::CiscoHdlc: return cisco_hdlc(walk);
    case LinkType::CiscoHdlcWithDirection: return behind_direction(walk, cisco_hdlc);
    case LinkType::FrameRelay: return frame_relay(walk);
    case LinkType::FrameRelayWithDirection: return behind_direction(walk, frame_relay);
    case LinkType::Fddi: return fddi(walk);
    case LinkType::Ieee80211: return read_wlan(walk, false);
    case LinkType::Radiotap: return read_radiotap(walk);
    case LinkType::Arcnet: return arcnet_packet(walk, kArcnetProtocolAt);
    case LinkType::ArcnetLinux: return arcnet_packet(walk, kArcnetLinuxProtocolAt);
    case LinkType::IpOverInfiniband: return ip_over_infiniband(walk);
    case LinkType::Ipnet: return ipnet(walk);
    case LinkType::Nflog: return nflog(walk);
    case LinkType::Ppi: return ppi(walk);
    case LinkType::Pktap: return pktap(walk);
    case LinkType::NotIp: return stops(Stop::NonIp);
  }
  return stops(Stop::LinkType);
}

}  // namespace clerk
