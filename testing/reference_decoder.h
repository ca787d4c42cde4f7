// A second decoder, for tests: slow and obvious, written from docs/decoding.md and the standards
// alone and sharing no code with src/decode. Where the two answer differently, one of them, or the
// document, is wrong.
//
//   const reference::Answer answer = reference::decode({.link_type = 1, .octets = {...}});
//
// It copies every header that it looks at, checks every access, and recurs from layer to layer as
// the document is read:
//
//   reference_reader.h    the octets of a packet between its captured and its wire end
//   reference_layers.h    what was learnt on the way, and one function a layer
//   reference_link.cc     link types
//   reference_wlan.cc     IEEE 802.11 and radiotap
//   reference_shims.cc    what an EtherType announces, down to IP
//   reference_ip.cc       IPv4, IPv6 and its extension headers, ports
//   reference_tunnels.cc  what --decapsulate looks into
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace clerk::reference {

using Octets = std::vector<uint8_t>;

// The causes of docs/decoding.md that one packet alone can have.
enum class Stop : uint8_t {
  Done,
  NonIp,
  LinkType,
  Truncated,
  Malformed,
  DepthLimit,
  Macsec,
  WlanProtected,
  WlanAmsdu,
  WlanFragment,
};

enum class Tunnel : uint8_t { Gre, Erspan, IpInIp, Vxlan, Geneve, Gtpu, L2tp, Teredo, MplsUdp };

enum class Fragment : uint8_t { Whole, First, Later };

// The link type of a packet that the kernel itself calls no IP; no file has it.
inline constexpr uint32_t kNotIpLinkType = UINT32_MAX;

struct Capture {
  uint32_t link_type = 1;
  Octets octets = {};
  size_t wire_octets = 0;  // at least octets.size(), whatever it says
  std::optional<uint16_t> stripped_vlan_id = {};
  std::set<Tunnel> tunnels = {};  // to look into
};

// Of the outermost link header, told of packets that end in NonIp or Macsec.
struct Link {
  std::optional<Octets> source = {};  // MAC addresses
  std::optional<Octets> destination = {};
  uint16_t ether_type = 0;
  size_t octets = 0;

  friend bool operator==(const Link&, const Link&) = default;
};

// Of the IP header that is metered, told of packets that end in Done.
struct Key {
  int version = 0;
  Octets source = {};
  Octets destination = {};
  uint8_t protocol = 0;
  uint8_t tos = 0;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;  // of ICMP: type * 256 + code
  Fragment fragment = Fragment::Whole;
  uint8_t datagram_protocol = 0;  // this and the next: of a First or Later fragment
  uint32_t identification = 0;
  size_t octets = 0;
  uint8_t tcp_flags = 0;
  bool tcp_flags_missing = false;
  bool decapsulated = false;

  friend bool operator==(const Key&, const Key&) = default;
};

struct Answer {
  Stop stop = Stop::NonIp;
  uint16_t vlan_id = 0;  // of Done, NonIp and Macsec
  Link link = {};
  Key key = {};
};

[[nodiscard]] Answer decode(const Capture& capture);

}  // namespace clerk::reference
