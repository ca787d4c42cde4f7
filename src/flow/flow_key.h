// The flow key: what makes two packets belong to one flow.
//
// IP version (the type), source and destination address, protocol, ports, ICMP type and code, DSCP
// and VLAN id. ICMP has no ports, so its type and code live in the destination port. One direction
// for each flow. A key has no padding, so that it is hashed and compared as the octets it is.
//
// A fragment whose ports only its datagram's first fragment tells gets a *datagram key* instead:
// marked, with the identification in place of the ports and the protocol that all the datagram's
// fragments announce.
//
// A packet without IP, when such packets are metered, has a link key: MAC addresses, EtherType and
// VLAN id.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "base/mac_address.h"
#include "decode/headers.h"
#include "flow/flow_kind.h"

namespace clerk {

// The values beside the addresses that are the same for both IP versions.
struct KeyTail {
  uint16_t source_port;
  uint16_t destination_port;
  uint8_t protocol;
  uint8_t dscp;                // six bits
  uint16_t vlan_and_datagram;  // VLAN id in the low twelve bits; kDatagramBit

  friend bool operator==(const KeyTail&, const KeyTail&) = default;
};
static_assert(sizeof(KeyTail) == 8);

inline constexpr uint16_t kDatagramBit = 0x8000;

template <IpVersion kIpVersion, size_t kAddressSize>
struct FlowKey {
  static constexpr IpVersion kVersion = kIpVersion;
  static constexpr FlowKind kKind = kind_of(kIpVersion);
  static constexpr size_t kAddressOctets = kAddressSize;

  std::array<uint8_t, kAddressSize> source;
  std::array<uint8_t, kAddressSize> destination;
  KeyTail tail;

  [[nodiscard]] bool is_datagram() const { return (tail.vlan_and_datagram & kDatagramBit) != 0; }
  [[nodiscard]] uint16_t vlan_id() const { return tail.vlan_and_datagram & wire::kVlanIdMask; }

  friend bool operator==(const FlowKey& a, const FlowKey& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
};

using Ipv4Key = FlowKey<IpVersion::V4, 4>;
using Ipv6Key = FlowKey<IpVersion::V6, 16>;
static_assert(sizeof(Ipv4Key) == 16 && sizeof(Ipv6Key) == 40);

struct LinkKey {
  static constexpr FlowKind kKind = FlowKind::Link;

  std::array<uint8_t, 6> source;  // MAC address; zeros on links without
  std::array<uint8_t, 6> destination;
  uint16_t ether_type;
  uint16_t vlan_id;

  friend bool operator==(const LinkKey& a, const LinkKey& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
};
static_assert(sizeof(LinkKey) == 16);

// The key of a decoded packet; `headers.version` is the key's.
template <typename Key>
inline Key make_key(const Headers& headers) {
  Key key;
  std::memcpy(&key.source, headers.addresses, 2 * Key::kAddressOctets);
  key.tail = {.source_port = headers.source_port,
              .destination_port = headers.destination_port,
              .protocol = headers.protocol,
              .dscp = dscp_of(headers.tos),
              .vlan_and_datagram = headers.vlan_id};
  if (headers.fragment != Fragment::Whole) [[unlikely]] {
    key.tail.protocol = headers.datagram_protocol;
    key.tail.source_port = static_cast<uint16_t>(headers.identification >> 16);
    key.tail.destination_port = static_cast<uint16_t>(headers.identification);
    key.tail.vlan_and_datagram |= kDatagramBit;
  }
  return key;
}

// The key of a packet of which decoding gave the link headers only.
inline LinkKey make_link_key(const Headers& headers) {
  return {.source = MacAddress::from_wire(headers.link.source).octets,
          .destination = MacAddress::from_wire(headers.link.destination).octets,
          .ether_type = headers.link.ether_type,
          .vlan_id = headers.vlan_id};
}

// What a first fragment tells about its datagram's flow.
struct TransportKey {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t protocol = 0;

  friend bool operator==(const TransportKey&, const TransportKey&) = default;
};

// The flow that a datagram's fragments belong to.
template <typename Key>
Key flow_of(Key datagram, const TransportKey& transport) {
  datagram.tail.source_port = transport.source_port;
  datagram.tail.destination_port = transport.destination_port;
  datagram.tail.protocol = transport.protocol;
  datagram.tail.vlan_and_datagram &= wire::kVlanIdMask;
  return datagram;
}

}  // namespace clerk
