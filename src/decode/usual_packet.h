// The packets that nearly all traffic consists of, decoded at a glance: Ethernet with at most one
// 802.1Q tag, IPv4 without options or IPv6 without extension headers, and TCP, UDP or ICMP, not
// fragmented and with nothing cut off that matters.
//
// What is not of this shape, or makes anything doubtful, is left to the layers behind decode();
// they would say the same of these packets too, and the tests compare both. There are no branches
// but those between the shapes, and a packet's protocol and tag cost none.
#pragma once

#include "base/big_endian.h"
#include "base/prefetch.h"
#include "capture/packet.h"
#include "decode/headers.h"
#include "decode/wire.h"

namespace clerk {
namespace usual {

// From the transport header on: up to TCP's flags, and no less of the others.
inline constexpr size_t kTransportOctets = wire::kTcpFlagsAt + 1;

// What has to be captured, whether there is a tag or not. The shortest Ethernet frame has it.
constexpr size_t captured_octets(size_t ip_octets) {
  return wire::kEthernetOctets + wire::kVlanOctets + ip_octets + kTransportOctets;
}

// The caller made sure of kTransportOctets octets. False for a protocol of another kind.
CLERK_ALWAYS_INLINE bool decode_transport(const uint8_t* at, uint8_t icmp, Headers& headers) {
  const bool is_tcp = headers.protocol == wire::protocol::kTcp;
  const bool is_icmp = headers.protocol == icmp;
  if (!is_tcp && !is_icmp && headers.protocol != wire::protocol::kUdp) return false;
  const auto first = load_big_endian<uint16_t>(at);
  const auto second = load_big_endian<uint16_t>(at + 2);
  headers.source_port = is_icmp ? uint16_t{0} : first;
  headers.destination_port = is_icmp ? first : second;  // of ICMP type * 256 + code
  headers.tcp_flags = is_tcp ? at[wire::kTcpFlagsAt] : uint8_t{0};
  headers.tcp_flags_missing = false;
  return true;
}

CLERK_ALWAYS_INLINE bool decode_ipv4(const uint8_t* ip, Headers& headers) {
  constexpr uint8_t kVersionAndLength = 0x45;
  constexpr uint16_t kFragmented = wire::kIpv4MoreFragments | wire::kIpv4OffsetMask;
  const auto fragment = load_big_endian<uint16_t>(ip + wire::kIpv4FragmentAt);
  headers.octets = load_big_endian<uint16_t>(ip + wire::kIpv4LengthAt);
  if (ip[0] != kVersionAndLength || (fragment & kFragmented) != 0 ||
      headers.octets < wire::kIpv4OctetsMin + kTransportOctets)
    return false;
  headers.version = IpVersion::V4;
  headers.addresses = ip + wire::kIpv4AddressesAt;
  headers.tos = ip[wire::kIpv4TosAt];
  headers.protocol = ip[wire::kIpv4ProtocolAt];
  return decode_transport(ip + wire::kIpv4OctetsMin, wire::protocol::kIcmp, headers);
}

CLERK_ALWAYS_INLINE bool decode_ipv6(const uint8_t* ip, Headers& headers) {
  const auto payload = load_big_endian<uint16_t>(ip + wire::kIpv6LengthAt);
  if (ip[0] >> 4 != 6 || payload < kTransportOctets) return false;
  headers.octets = payload + uint32_t{wire::kIpv6Octets};
  headers.version = IpVersion::V6;
  headers.addresses = ip + wire::kIpv6AddressesAt;
  headers.tos = static_cast<uint8_t>(load_big_endian<uint16_t>(ip) >> 4);
  headers.protocol = ip[wire::kIpv6NextHeaderAt];
  return decode_transport(ip + wire::kIpv6Octets, wire::protocol::kIcmpV6, headers);
}

}  // namespace usual

// True when the packet is of the usual shape: then `headers` is what decode() fills in, without
// tunnels to look into, but for what only fragments and packets without IP have. Else it is
// undefined.
CLERK_ALWAYS_INLINE bool decode_usual(const Packet& packet, Headers& headers) {
  if (packet.link_type != LinkType::Ethernet ||
      packet.captured_octets < usual::captured_octets(wire::kIpv4OctetsMin))
    return false;
  auto type = load_big_endian<uint16_t>(packet.data + wire::kEthernetTypeAt);
  const uint8_t* ip = packet.data + wire::kEthernetOctets;
  const bool tagged = type == wire::ether_type::kVlan;
  const auto behind_tag = load_big_endian<uint16_t>(ip + 2);
  const auto tag = static_cast<uint16_t>(load_big_endian<uint16_t>(ip) & wire::kVlanIdMask);
  type = tagged ? behind_tag : type;
  ip += tagged ? wire::kVlanOctets : 0;
  headers.vlan_id = tagged ? tag : uint16_t{0};
  if (packet.stripped_vlan_id != kNoVlanTag) headers.vlan_id = packet.stripped_vlan_id;
  bool usual = false;
  if (type == wire::ether_type::kIpv4) {
    usual = usual::decode_ipv4(ip, headers);
  } else if (type == wire::ether_type::kIpv6 &&
             packet.captured_octets >= usual::captured_octets(wire::kIpv6Octets)) {
    usual = usual::decode_ipv6(ip, headers);
  }
  headers.fragment = Fragment::Whole;
  headers.decapsulated = false;
  headers.octets_on_link = headers.octets;
  return usual;
}

}  // namespace clerk
