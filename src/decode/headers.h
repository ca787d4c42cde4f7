// What clerk needs to know of one packet: the values of its flow key and what it adds to the
// counters.
//
// decode() fills it; the meter makes a flow key of it. The addresses stay where the packet has
// them.
#pragma once

#include <cstdint>

#include "base/ip_address.h"
#include "decode/wire.h"

namespace clerk {

enum class Fragment : uint8_t {
  Whole,  // not fragmented, or its protocol has no ports that a later fragment could lack
  First,  // has the ports; later ones follow
  Later,  // has none: its payload is never read as a transport header
};

// Of the outermost link layer, for packets that are not IP: valid too when decoding ends in
// Stop::NonIp or Stop::Macsec, together with Headers::vlan_id.
struct LinkHeaders {
  const uint8_t* source;       // MAC address, 6 octets within the packet; null where there is none
  const uint8_t* destination;  // likewise
  uint16_t ether_type;         // the last one on the way; 0 where something else announced the rest
  uint32_t octets;             // of the frame on the wire, with its link header
};

struct Headers {
  const uint8_t*
      addresses;  // source, then destination: 8 octets (IPv4) or 32 (IPv6), within the packet
  IpVersion version;
  uint8_t protocol;   // of the payload; for IPv6 the last header of the chain
  uint8_t tos;        // the whole octet: DSCP and ECN
  uint8_t tcp_flags;  // low eight bits; 0 for other protocols
  // Of TCP, UDP, UDP-Lite, SCTP and DCCP. ICMP has type * 256 + code in the destination port; other
  // protocols have 0.
  uint16_t source_port;
  uint16_t destination_port;
  uint16_t vlan_id;  // of the outermost tag; 0 without a tag and for a priority tag
  Fragment fragment;
  bool decapsulated;       // the IP header is that inside a tunnel
  bool tcp_flags_missing;  // a TCP header cut between its ports and its flags
  // Of a fragment's datagram, and undefined for others: its identification, and its protocol as
  // every fragment of it announces it, which for IPv6 may be an extension header in front of
  // `protocol`.
  uint8_t datagram_protocol;
  uint32_t identification;
  uint32_t octets;          // IP length: IPv4 total length, IPv6 payload length + 40
  uint32_t octets_on_link;  // of the outermost IP header
  LinkHeaders link;
};

// Protocols whose type and code take the place of the destination port.
[[nodiscard]] constexpr bool is_icmp(IpVersion version, uint8_t protocol) {
  return protocol == (version == IpVersion::V4 ? wire::protocol::kIcmp : wire::protocol::kIcmpV6);
}

// The Differentiated Services Code Point of a ToS octet; the low two bits are ECN (RFC 3168).
[[nodiscard]] constexpr uint8_t dscp_of(uint8_t tos) { return static_cast<uint8_t>(tos >> 2); }

}  // namespace clerk
