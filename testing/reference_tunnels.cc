#include <array>

#include "testing/reference_layers.h"

namespace clerk::reference {
namespace {

// Not this tunnel: what looks into it takes that for an answer.
[[noreturn]] void not_believed() { throw Ended{Stop::Malformed}; }

void believe_only_if(bool condition) {
  if (!condition) not_believed();
}

Answer ip_in_ip(const Way& way, const Key& key, const Reader& rest) {
  return ip(way, key.protocol == 4 ? 4 : 6, rest);
}

struct GreFlags {
  explicit GreFlags(uint64_t octets) : bits(octets) {}

  [[nodiscard]] bool has(uint64_t flag) const { return (bits & flag) != 0; }
  [[nodiscard]] uint64_t version() const { return bits & 7; }

  uint64_t bits;
};

constexpr uint64_t kGreChecksum = 0x8000;
constexpr uint64_t kGreRouting = 0x4000;
constexpr uint64_t kGreKey = 0x2000;
constexpr uint64_t kGreSequence = 0x1000;
constexpr uint64_t kGreStrictRoute = 0x0800;
constexpr uint64_t kGreAcknowledgement = 0x0080;

void take_gre_options(GreFlags flags, Reader& rest) {
  believe_only_if(!flags.has(kGreRouting | kGreStrictRoute));
  size_t octets = 0;
  for (const uint64_t option : {kGreChecksum, kGreKey, kGreSequence})
    if (flags.has(option)) octets += 4;
  rest.pass(octets);
}

// Version 1, RFC 2637: `rest` stands behind the type.
Answer pptp(const Way& way, GreFlags flags, Reader rest) {
  believe_only_if(flags.has(kGreKey) && !flags.has(kGreChecksum | kGreRouting | kGreStrictRoute));
  const size_t payload_octets = big_endian(rest.take(4), 0, 2);
  size_t octets = 0;
  for (const uint64_t option : {kGreSequence, kGreAcknowledgement})
    if (flags.has(option)) octets += 4;
  rest.pass(octets);
  believe_only_if(payload_octets <= rest.wire_left());
  rest.draw_in(payload_octets);
  return ppp(way, rest);
}

Answer ethernet_over_ip(const Way& way, Reader rest) {
  const size_t length = big_endian(rest.take(4), 0, 2);
  believe_only_if(length <= rest.wire_left());
  rest.draw_in(length);
  return ethernet_header(way, rest);
}

bool is_erspan(uint64_t type) { return type == 0x88be || type == 0x22eb; }

Answer gre(const Way& way, Reader rest) {
  const Octets header = rest.take(4);
  const GreFlags flags(big_endian(header, 0, 2));
  const uint64_t type = big_endian(header, 2, 2);
  if (header == Octets{0x20, 0x01, 0x64, 0x00}) return ethernet_over_ip(way, rest);
  if (flags.version() == 1 && type == 0x880b) return pptp(way, flags, rest);
  believe_only_if(flags.version() == 0 && !is_erspan(type));
  take_gre_options(flags, rest);
  return announced_by_ether_type(way, type, rest);
}

void take_erspan_header(uint64_t type, GreFlags flags, Reader& rest) {
  if (type == 0x22eb) {
    const Octets header = rest.take(12);
    believe_only_if(header.at(0) >> 4 == 2);
    if (header.at(11) & 1) rest.pass(8);
  } else if (flags.has(kGreSequence)) {
    believe_only_if(rest.take(8).at(0) >> 4 == 1);
  }
}

Answer erspan(const Way& way, Reader rest) {
  const Octets header = rest.take(4);
  const GreFlags flags(big_endian(header, 0, 2));
  const uint64_t type = big_endian(header, 2, 2);
  believe_only_if(flags.version() == 0 && is_erspan(type));
  take_gre_options(flags, rest);
  take_erspan_header(type, flags, rest);
  return ethernet_header(way, rest);
}

Answer vxlan(const Way& way, Reader rest) {
  believe_only_if((rest.take(8).at(0) & 0x08) != 0);
  return ethernet_header(way, rest);
}

Answer vxlan_gpe(const Way& way, Reader rest) {
  const Octets header = rest.take(8);
  const int flags = header.at(0);
  const int next_protocol = header.at(3);
  believe_only_if((flags & 0x0c) == 0x0c && !(flags & 0x30));
  believe_only_if(next_protocol >= 1 && next_protocol <= 3);
  if (next_protocol == 1) return ip(way, 4, rest);
  if (next_protocol == 2) return ip(way, 6, rest);
  return ethernet_header(way, rest);
}

Answer geneve(const Way& way, Reader rest) {
  const Octets header = rest.take(8);
  const size_t options_octets = size_t{header.at(0)} % 64 * 4;
  believe_only_if(header.at(0) >> 6 == 0);
  rest.pass(options_octets);
  return announced_by_ether_type(way, big_endian(header, 2, 2), rest);
}

void take_gtpu_extensions(uint8_t next, Reader& rest) {
  while (next != 0) {
    const size_t octets = size_t{rest.peek(1).at(0)} * 4;
    believe_only_if(octets != 0);
    next = rest.take(octets).back();
  }
}

Answer gtpu(const Way& way, Reader rest) {
  const Octets header = rest.take(8);
  const int flags = header.at(0);
  const size_t length = big_endian(header, 2, 2);
  believe_only_if((flags & 0xf0) == 0x30 && header.at(1) == 255 && length <= rest.wire_left());
  rest.draw_in(length);
  if (flags & 0x07) {
    const uint8_t first_extension = rest.take(4).at(3);
    if (flags & 0x04) take_gtpu_extensions(first_extension, rest);
  }
  return ip_by_first_bits(way, rest);
}

Answer l2tp(const Way& way, Reader rest) {
  const uint64_t flags = big_endian(rest.peek(2), 0, 2);
  believe_only_if((flags & 0x000f) == 2 && !(flags & 0x8000));
  size_t octets = 2 + 4;
  if (flags & 0x4000) {
    const size_t length = big_endian(rest.peek(4), 2, 2);
    believe_only_if(length <= rest.wire_left());
    rest.draw_in(length);
    octets += 2;
  }
  if (flags & 0x0800) octets += 4;
  if (flags & 0x0200) octets += 2 + big_endian(rest.peek(octets + 2), octets, 2);
  rest.pass(octets);
  return ppp(way, rest);
}

Answer teredo(const Way& way, Reader rest) {
  if (big_endian(rest.peek(2), 0, 2) == 0x0001) {
    const Octets header = rest.take(4);
    rest.pass(size_t{header.at(2)} + header.at(3) + 9);
  }
  if (big_endian(rest.peek(2), 0, 2) == 0x0000) rest.pass(8);
  const size_t payload_octets = big_endian(rest.peek(6), 4, 2);
  believe_only_if(40 + payload_octets == rest.wire_left());
  return ip(way, 6, rest);
}

Answer mpls_in_udp(const Way& way, const Reader& rest) { return mpls(way, rest); }

// What a UDP header leaves of `rest`.
Reader udp_payload(Reader rest) {
  const size_t message_octets = rest.wire_left();
  size_t length = big_endian(rest.take(8), 4, 2);
  if (length == 0) length = message_octets;
  believe_only_if(length >= 8 && length <= message_octets);
  rest.draw_in(length - 8);
  return rest;
}

// The tunnel that UDP to this port is.
std::optional<Tunnel> tunnel_to(uint16_t port) {
  switch (port) {
    case 4789:
    case 8472:
    case 4790: return Tunnel::Vxlan;
    case 6081: return Tunnel::Geneve;
    case 2152: return Tunnel::Gtpu;
    case 1701: return Tunnel::L2tp;
    case 3544: return Tunnel::Teredo;
    case 6635: return Tunnel::MplsUdp;
    default: return {};
  }
}

// The tunnel that UDP from this port is.
std::optional<Tunnel> tunnel_from(uint16_t port) {
  switch (port) {
    case 2152:
    case 1701:
    case 3544: return tunnel_to(port);
    default: return {};
  }
}

// The tunnels that the packet may be: the one that its destination port announces comes first.
std::vector<Tunnel> announced_tunnels(const Key& key) {
  std::vector<Tunnel> announced;
  if (key.protocol == 4 || key.protocol == 41) announced.push_back(Tunnel::IpInIp);
  if (key.protocol == 47) announced = {Tunnel::Gre, Tunnel::Erspan};
  if (key.protocol == 17) {
    for (const auto tunnel : {tunnel_to(key.destination_port), tunnel_from(key.source_port)})
      if (tunnel) announced.push_back(*tunnel);
  }
  return announced;
}

Answer inside(Tunnel tunnel, const Way& way, const Key& key, const Reader& rest) {
  switch (tunnel) {
    case Tunnel::IpInIp: return ip_in_ip(way, key, rest);
    case Tunnel::Gre: return gre(way, rest);
    case Tunnel::Erspan: return erspan(way, rest);
    case Tunnel::Vxlan:
      return key.destination_port == 4790 ? vxlan_gpe(way, udp_payload(rest))
                                          : vxlan(way, udp_payload(rest));
    case Tunnel::Geneve: return geneve(way, udp_payload(rest));
    case Tunnel::Gtpu: return gtpu(way, udp_payload(rest));
    case Tunnel::L2tp: return l2tp(way, udp_payload(rest));
    case Tunnel::Teredo: return teredo(way, udp_payload(rest));
    case Tunnel::MplsUdp: return mpls_in_udp(way, udp_payload(rest));
  }
  not_believed();
}

// Truncated and DepthLimit are the packet's; any other end only says that this is no tunnel.
std::optional<Answer> inside_if_believed(Tunnel tunnel, const Way& way, const Key& key,
                                         const Reader& payload) {
  try {
    Answer answer = inside(tunnel, way, key, payload);
    if (answer.stop == Stop::Done) return answer;
  } catch (const Ended& ended) {
    if (ended.stop == Stop::Truncated || ended.stop == Stop::DepthLimit) throw;
  }
  return {};
}

}  // namespace

std::optional<Answer> inside_tunnel(Way way, const Key& key, const Reader& payload) {
  ++way.tunnels;
  for (const Tunnel tunnel : announced_tunnels(key)) {
    if (!way.look_into.contains(tunnel)) continue;
    const auto answer = inside_if_believed(tunnel, way, key, payload);
    if (answer) return answer;
  }
  return {};
}

}  // namespace clerk::reference
