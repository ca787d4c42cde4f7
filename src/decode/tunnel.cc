#include "decode/tunnel.h"

#include "decode/shims.h"
#include "decode/wire.h"

namespace clerk {
namespace {

using namespace wire;

constexpr Next kNoTunnel = stops(Stop::NonIp);

// Moves behind `octets`, of which the caller made sure only some.
[[nodiscard]] Stop pass(Walk& walk, size_t octets) {
  if (!walk.reader.has(octets)) return walk.reader.missing(octets);
  walk.reader.skip(octets);
  return Stop::Done;
}

// GRE (RFC 2784, RFC 2890): flags and version 2 | EtherType 2 | checksum 4 | key 4 | sequence 4
namespace gre {
constexpr size_t kOctetsMin = 4;
constexpr size_t kFieldOctets = 4;  // of each of those that may be there
constexpr uint16_t kChecksum = 0x8000;
constexpr uint16_t kRouting = 0x4000;
constexpr uint16_t kKey = 0x2000;
constexpr uint16_t kSequence = 0x1000;
constexpr uint16_t kStrictRoute = 0x0800;
constexpr uint16_t kAcknowledgement = 0x0080;  // of version 1
constexpr uint16_t kVersionMask = 0x0007;
// MikroTik's EoIP: flags, version and protocol | length 2 | tunnel 2
constexpr uint32_t kEoip = 0x20016400;
constexpr size_t kEoipOctets = 8;
}  // namespace gre

// ERSPAN. Type II: version 4 bits (1) and more, 8 in all. Type III: version (2), 12 in all, and 8
// more when the last bit is set.
constexpr size_t kErspan2Octets = 8;
constexpr size_t kErspan3Octets = 12;
constexpr size_t kErspan3MoreOctets = 8;

Next erspan(uint16_t type, bool has_sequence, Walk& walk) {
  if (type == ether_type::kErspan && !has_sequence) return read_ethernet(walk);
  const bool third = type == ether_type::kErspan3;
  size_t octets = third ? kErspan3Octets : kErspan2Octets;
  if (!walk.reader.has(octets)) return stops(walk.reader.missing(octets));
  if (walk.reader.octet(0) >> 4 != (third ? 2 : 1)) return kNoTunnel;
  if (third && (walk.reader.octet(octets - 1) & 1) != 0) octets += kErspan3MoreOctets;
  walk.note("ERSPAN", octets, "type {}", third ? 3 : 2);
  if (const Stop stop = pass(walk, octets); stop != Stop::Done) return stops(stop);
  return read_ethernet(walk);
}

Next eoip(Walk& walk) {
  if (!walk.reader.has(gre::kEoipOctets)) return stops(walk.reader.missing(gre::kEoipOctets));
  const size_t length = walk.reader.load<uint16_t>(gre::kOctetsMin);
  walk.note("EoIP", gre::kEoipOctets, "length {}", length);
  walk.reader.skip(gre::kEoipOctets);
  if (length > walk.reader.left_on_wire()) return kNoTunnel;
  walk.reader.limit(length);
  return read_ethernet(walk);
}

// Enhanced GRE of PPTP (RFC 2637).
Next pptp(uint16_t flags, uint16_t type, Walk& walk) {
  constexpr uint16_t kClear = gre::kChecksum | gre::kRouting | gre::kStrictRoute;
  if (type != ether_type::kPpp || (flags & gre::kKey) == 0 || (flags & kClear) != 0)
    return kNoTunnel;
  size_t octets = gre::kOctetsMin + gre::kFieldOctets;
  if (!walk.reader.has(octets)) return stops(walk.reader.missing(octets));
  const size_t length = walk.reader.load<uint16_t>(gre::kOctetsMin);
  if ((flags & gre::kSequence) != 0) octets += gre::kFieldOctets;
  if ((flags & gre::kAcknowledgement) != 0) octets += gre::kFieldOctets;
  walk.note("PPTP", octets, "length {}", length);
  if (const Stop stop = pass(walk, octets); stop != Stop::Done) return stops(stop);
  if (length > walk.reader.left_on_wire()) return kNoTunnel;
  walk.reader.limit(length);
  return read_ppp(walk);
}

Next generic_routing(TunnelSet tunnels, Walk& walk) {
  if (!tunnels.has(Tunnel::Gre) && !tunnels.has(Tunnel::Erspan)) return kNoTunnel;
  if (!walk.reader.has(gre::kOctetsMin)) return stops(walk.reader.missing(gre::kOctetsMin));
  const auto flags = walk.reader.load<uint16_t>(0);
  const auto type = walk.reader.load<uint16_t>(2);
  const bool is_erspan = type == ether_type::kErspan || type == ether_type::kErspan3;
  if (!tunnels.has(is_erspan ? Tunnel::Erspan : Tunnel::Gre)) return kNoTunnel;
  if (walk.reader.load<uint32_t>(0) == gre::kEoip) return eoip(walk);
  if ((flags & gre::kVersionMask) == 1) return pptp(flags, type, walk);
  if ((flags & (gre::kVersionMask | gre::kRouting | gre::kStrictRoute)) != 0) return kNoTunnel;
  size_t octets = gre::kOctetsMin;
  for (const uint16_t field : {gre::kChecksum, gre::kKey, gre::kSequence})
    octets += (flags & field) != 0 ? gre::kFieldOctets : 0;
  walk.note("GRE", octets, "flags {:#06x}, type {:#06x}", flags, type);
  if (const Stop stop = pass(walk, octets); stop != Stop::Done) return stops(stop);
  if (is_erspan) return erspan(type, (flags & gre::kSequence) != 0, walk);
  return announces_ether_type(type);
}

// VXLAN (RFC 7348): flags 1 | reserved 3 | VNI 3 | reserved 1. What is reserved is ignored; GPE has
// the protocol in the third of the reserved octets.
namespace vxlan {
constexpr uint16_t kPort = 4789;
constexpr uint16_t kLinuxPort = 8472;  // from before the number was assigned
constexpr uint16_t kGpePort = 4790;
constexpr size_t kOctets = 8;
constexpr uint8_t kHasVni = 0x08;
constexpr uint8_t kGpeHasProtocol = 0x04;
constexpr uint8_t kGpeVersionMask = 0x30;
}  // namespace vxlan

Next vxlan_tunnel(Walk& walk) {
  const ByteReader& reader = walk.reader;
  if (!reader.has(vxlan::kOctets)) return stops(reader.missing(vxlan::kOctets));
  if ((reader.octet(0) & vxlan::kHasVni) == 0) return kNoTunnel;
  walk.note("VXLAN", vxlan::kOctets, "VNI {}", reader.load<uint32_t>(4) >> 8);
  walk.reader.skip(vxlan::kOctets);
  return read_ethernet(walk);
}

Next vxlan_gpe(Walk& walk) {
  const ByteReader& reader = walk.reader;
  if (!reader.has(vxlan::kOctets)) return stops(reader.missing(vxlan::kOctets));
  constexpr uint8_t kNeeded = vxlan::kHasVni | vxlan::kGpeHasProtocol;
  const uint8_t flags = reader.octet(0);
  const uint8_t protocol = reader.octet(3);
  if ((flags & (kNeeded | vxlan::kGpeVersionMask)) != kNeeded) return kNoTunnel;
  walk.note("VXLAN-GPE", vxlan::kOctets, "protocol {}", protocol);
  walk.reader.skip(vxlan::kOctets);
  switch (protocol) {
    case 1: return announces(ether_type::kIpv4);
    case 2: return announces(ether_type::kIpv6);
    case 3: return read_ethernet(walk);
    default: return kNoTunnel;
  }
}

// GENEVE (RFC 8926): version 2 bits, options length 6 bits | flags 1 | EtherType 2 | VNI 3 |
// reserved 1 | options
namespace geneve {
constexpr uint16_t kPort = 6081;
constexpr size_t kOctetsMin = 8;
constexpr uint8_t kOptionsMask = 0x3f;
}  // namespace geneve

Next geneve_tunnel(Walk& walk) {
  const ByteReader& reader = walk.reader;
  if (!reader.has(geneve::kOctetsMin)) return stops(reader.missing(geneve::kOctetsMin));
  const uint8_t first = reader.octet(0);
  if (first >> 6 != 0) return kNoTunnel;
  const auto type = reader.load<uint16_t>(2);
  const size_t octets = geneve::kOctetsMin + (first & geneve::kOptionsMask) * size_t{4};
  walk.note("GENEVE", octets, "type {:#06x}, VNI {}", type, reader.load<uint32_t>(4) >> 8);
  if (const Stop stop = pass(walk, octets); stop != Stop::Done) return stops(stop);
  return announces_ether_type(type);
}

// GTP-U (3GPP TS 29.281): flags 1 | type 1 | length 2 | TEID 4 | sequence 2, N-PDU 1, next
// extension 1, if any of these is used
namespace gtpu {
constexpr uint16_t kPort = 2152;
constexpr size_t kOctetsMin = 8;
constexpr size_t kMoreOctets = 4;
constexpr uint8_t kVersionAndTypeMask = 0xf0;
constexpr uint8_t kVersion1 = 0x30;
constexpr uint8_t kHasMore = 0x07;
constexpr uint8_t kHasExtension = 0x04;
constexpr uint8_t kDataMessage = 255;
}  // namespace gtpu

// Extension headers: length 1, in units of 4 octets | content | next 1. Each has at least four
// octets, so that the packet's end is theirs.
Stop pass_gtpu_extensions(uint8_t next, Walk& walk) {
  while (next != 0) {
    if (!walk.reader.has(1)) return walk.reader.missing(1);
    const size_t octets = size_t{walk.reader.octet(0)} * 4;
    if (octets == 0) return Stop::NonIp;
    if (!walk.reader.has(octets)) return walk.reader.missing(octets);
    next = walk.reader.octet(octets - 1);
    walk.note("GTP-U extension", octets, "next {}", next);
    walk.reader.skip(octets);
  }
  return Stop::Done;
}

Next gtpu_tunnel(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(gtpu::kOctetsMin)) return stops(reader.missing(gtpu::kOctetsMin));
  const uint8_t flags = reader.octet(0);
  const size_t length = reader.load<uint16_t>(2);
  const bool is_data = (flags & gtpu::kVersionAndTypeMask) == gtpu::kVersion1 &&
                       reader.octet(1) == gtpu::kDataMessage;
  if (!is_data || length > reader.left_on_wire() - gtpu::kOctetsMin) return kNoTunnel;
  walk.note("GTP-U", gtpu::kOctetsMin, "TEID {:#010x}, length {}", reader.load<uint32_t>(4),
            length);
  reader.skip(gtpu::kOctetsMin);
  reader.limit(length);
  if ((flags & gtpu::kHasMore) != 0) {
    if (!reader.has(gtpu::kMoreOctets)) return stops(reader.missing(gtpu::kMoreOctets));
    const uint8_t next =
        (flags & gtpu::kHasExtension) != 0 ? reader.octet(gtpu::kMoreOctets - 1) : uint8_t{0};
    reader.skip(gtpu::kMoreOctets);
    const Stop stop = pass_gtpu_extensions(next, walk);
    if (stop != Stop::Done) return stops(stop);
  }
  return announces(next::kRawIp);
}

// L2TP version 2 (RFC 2661): flags and version 2 | length 2 | tunnel 2 | session 2 | sequence
// numbers 4 | offset 2 | as many octets
namespace l2tp {
constexpr uint16_t kPort = 1701;
constexpr size_t kOctetsMin = 6;
constexpr uint16_t kControl = 0x8000;
constexpr uint16_t kHasLength = 0x4000;
constexpr uint16_t kHasSequence = 0x0800;
constexpr uint16_t kHasOffset = 0x0200;
constexpr uint16_t kVersionMask = 0x000f;
constexpr uint16_t kVersion2 = 2;
}  // namespace l2tp

Next l2tp_tunnel(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(2)) return stops(reader.missing(2));
  const auto flags = reader.load<uint16_t>(0);
  if ((flags & (l2tp::kControl | l2tp::kVersionMask)) != l2tp::kVersion2) return kNoTunnel;
  size_t octets = l2tp::kOctetsMin;
  if ((flags & l2tp::kHasLength) != 0) {
    if (!reader.has(4)) return stops(reader.missing(4));
    const size_t length = reader.load<uint16_t>(2);
    if (length > reader.left_on_wire()) return kNoTunnel;
    reader.limit(length);
    octets += 2;
  }
  if ((flags & l2tp::kHasSequence) != 0) octets += 4;
  if ((flags & l2tp::kHasOffset) != 0) {
    if (!reader.has(octets + 2)) return stops(reader.missing(octets + 2));
    octets += 2 + size_t{reader.load<uint16_t>(octets)};
  }
  walk.note("L2TP", octets, "flags {:#06x}", flags);
  if (const Stop stop = pass(walk, octets); stop != Stop::Done) return stops(stop);
  return read_ppp(walk);
}

// Teredo (RFC 4380): authentication and origin, each of them or none, in front of IPv6
namespace teredo {
constexpr uint16_t kPort = 3544;
constexpr uint16_t kOrigin = 0x0000;
constexpr size_t kOriginOctets = 8;
constexpr uint16_t kAuthentication = 0x0001;
constexpr size_t kAuthenticationOctetsMin = 13;  // with nonce 8 and confirmation 1
}  // namespace teredo

Stop pass_teredo_authentication(Walk& walk) {
  if (!walk.reader.has(2)) return walk.reader.missing(2);
  if (walk.reader.load<uint16_t>(0) != teredo::kAuthentication) return Stop::Done;
  if (!walk.reader.has(4)) return walk.reader.missing(4);
  const size_t octets = teredo::kAuthenticationOctetsMin + size_t{walk.reader.octet(2)} +
                        size_t{walk.reader.octet(3)};
  walk.note("Teredo authentication", octets, "");
  return pass(walk, octets);
}

Stop pass_teredo_origin(Walk& walk) {
  if (!walk.reader.has(2)) return walk.reader.missing(2);
  if (walk.reader.load<uint16_t>(0) != teredo::kOrigin) return Stop::Done;
  walk.note("Teredo origin", teredo::kOriginOctets, "");
  return pass(walk, teredo::kOriginOctets);
}

Next teredo_tunnel(Walk& walk) {
  if (const Stop stop = pass_teredo_authentication(walk); stop != Stop::Done) return stops(stop);
  if (const Stop stop = pass_teredo_origin(walk); stop != Stop::Done) return stops(stop);
  const ByteReader& reader = walk.reader;
  constexpr size_t kNeeded = kIpv6LengthAt + 2;
  if (!reader.has(kNeeded)) return stops(reader.missing(kNeeded));
  const size_t octets = kIpv6Octets + size_t{reader.load<uint16_t>(kIpv6LengthAt)};
  return octets == reader.left_on_wire() ? announces(ether_type::kIpv6) : kNoTunnel;
}

constexpr uint16_t kMplsUdpPort = 6635;  // RFC 7510

// Whatever UDP carries is limited to its length.
Stop pass_udp(Walk& walk) {
  if (!walk.reader.has(kUdpOctets)) return walk.reader.missing(kUdpOctets);
  const auto stated = walk.reader.load<uint16_t>(kUdpLengthAt);
  // Too long to be stated, as a jumbogram's (RFC 2675) and those of segmentation offload.
  const size_t length = stated == 0 ? walk.reader.left_on_wire() : stated;
  if (length < kUdpOctets || length > walk.reader.left_on_wire()) return Stop::NonIp;
  walk.reader.limit(length);
  walk.reader.skip(kUdpOctets);
  return Stop::Done;
}

using Enter = Next (*)(Walk&);

// Whose two ends use the port, so that it also tells what comes from it.
Enter tunnel_between(TunnelSet tunnels, uint16_t port) {
  switch (port) {
    case gtpu::kPort: return tunnels.has(Tunnel::Gtpu) ? gtpu_tunnel : nullptr;
    case l2tp::kPort: return tunnels.has(Tunnel::L2tp) ? l2tp_tunnel : nullptr;
    case teredo::kPort: return tunnels.has(Tunnel::Teredo) ? teredo_tunnel : nullptr;
    default: return nullptr;
  }
}

Enter tunnel_to(TunnelSet tunnels, uint16_t port) {
  constexpr Enter kMplsUdp = [](Walk&) { return announces(next::kLabels); };
  switch (port) {
    case vxlan::kPort:
    case vxlan::kLinuxPort: return tunnels.has(Tunnel::Vxlan) ? vxlan_tunnel : nullptr;
    case vxlan::kGpePort: return tunnels.has(Tunnel::Vxlan) ? vxlan_gpe : nullptr;
    case geneve::kPort: return tunnels.has(Tunnel::Geneve) ? geneve_tunnel : nullptr;
    case kMplsUdpPort: return tunnels.has(Tunnel::MplsUdp) ? kMplsUdp : nullptr;
    default: return tunnel_between(tunnels, port);
  }
}

Next enter_udp(Enter enter, Walk& walk) {
  if (enter == nullptr) return kNoTunnel;
  if (const Stop stop = pass_udp(walk); stop != Stop::Done) return stops(stop);
  return enter(walk);
}

}  // namespace

Next enter_tunnel(TunnelSet tunnels, AnnouncedBy announced_by, Walk& walk) {
  if (walk.fragmented) return kNoTunnel;  // the rest of the datagram could not follow
  if (announced_by == AnnouncedBy::SourcePort) {
    if (walk.headers.protocol != protocol::kUdp) return kNoTunnel;
    return enter_udp(tunnel_between(tunnels, walk.headers.source_port), walk);
  }
  switch (walk.headers.protocol) {
    case protocol::kIpv4:
      return tunnels.has(Tunnel::IpInIp) ? announces(ether_type::kIpv4) : kNoTunnel;
    case protocol::kIpv6:
      return tunnels.has(Tunnel::IpInIp) ? announces(ether_type::kIpv6) : kNoTunnel;
    case protocol::kGre: return generic_routing(tunnels, walk);
    case protocol::kUdp: return enter_udp(tunnel_to(tunnels, walk.headers.destination_port), walk);
    default: return kNoTunnel;
  }
}

}  // namespace clerk
