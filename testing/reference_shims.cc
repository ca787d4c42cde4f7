#include "testing/reference_layers.h"

namespace clerk::reference {
namespace {

constexpr uint64_t kLengthMax = 1500;
constexpr uint64_t kEtherTypeMin = 1536;

bool is_vlan(uint64_t ether_type) {
  return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100 ||
         ether_type == 0x9200 || ether_type == 0x9300;
}

bool is_ip(uint64_t ether_type) { return ether_type == 0x0800 || ether_type == 0x86dd; }
bool is_mpls(uint64_t ether_type) { return ether_type == 0x8847 || ether_type == 0x8848; }

Answer vlan(Way way, Reader rest) {
  way.enter_shim();
  const Octets tag = rest.take(4);
  if (!way.vlan_id) way.vlan_id = static_cast<uint16_t>(big_endian(tag, 0, 2) & 0xfff);
  return announced_by_type_or_length(way, big_endian(tag, 2, 2), rest);
}

Answer provider_backbone_bridge(Way way, Reader rest) {
  way.enter_shim();
  rest.pass(4);
  return ethernet_header(way, rest);
}

Answer macsec(Way way, Reader rest) {
  constexpr int kEncryptedOrChanged = 0x0c;
  constexpr int kHasSci = 0x20;
  constexpr size_t kIcvOctets = 16;
  way.enter_shim();
  const Octets tag = rest.peek(6);
  if (tag.at(0) & kEncryptedOrChanged) return without_key(way, Stop::Macsec);
  rest.pass(tag.at(0) & kHasSci ? 14 : 6);
  rest.draw_in(rest.wire_left() - std::min(rest.wire_left(), kIcvOctets));
  const size_t short_length = tag.at(1) & 0x3f;
  if (short_length != 0) rest.draw_in(short_length);
  const uint64_t type = rest.number(2);
  return announced_by_type_or_length(way, type, rest);
}

Answer pppoe(Way way, Reader rest) {
  way.enter_shim();
  const Octets header = rest.take(6);
  rest.draw_in(big_endian(header, 4, 2));
  return ppp(way, rest);
}

Answer ppp_shim(Way way, const Reader& rest) {
  way.enter_shim();
  return ppp(way, rest);
}

Answer ethernet_shim(Way way, const Reader& rest) {
  way.enter_shim();
  return ethernet_header(way, rest);
}

// Looking ahead below a label stack.

bool has_type_of_a_pseudowire(const Reader& rest) {
  if (!rest.holds(14)) return false;
  const uint64_t type = big_endian(rest.peek(14), 12, 2);
  return is_ip(type) || is_vlan(type) || is_mpls(type);
}

bool has_control_word(const Reader& rest) {
  return rest.holds(1) && rest.peek(1).at(0) >> 4 == 0 && has_type_of_a_pseudowire(rest.behind(4));
}

// Its first octets decide: the others may be cut off.
bool ip_fits(int version, const Reader& rest) {
  if (!rest.holds(1) || rest.peek(1).at(0) >> 4 != version) return false;
  if (version == 4) {
    if (!rest.holds(4)) return false;
    const Octets header = rest.peek(4);
    const size_t header_octets = size_t{header.at(0)} % 16 * 4;
    const size_t total_octets = big_endian(header, 2, 2);
    return header_octets >= 20 && total_octets >= header_octets && total_octets <= rest.wire_left();
  }
  return rest.holds(6) && 40 + big_endian(rest.peek(6), 4, 2) <= rest.wire_left();
}

bool ethernet_leads_to_ip(Reader rest) {
  if (!rest.holds(14)) return false;
  uint64_t type = big_endian(rest.take(14), 12, 2);
  while (is_vlan(type)) {
    if (!rest.holds(4)) return false;
    type = big_endian(rest.take(4), 2, 2);
  }
  return is_ip(type) && ip_fits(type == 0x0800 ? 4 : 6, rest);
}

Answer below_labels(const Way& way, const Reader& rest) {
  if (ethernet_leads_to_ip(rest)) return ethernet_header(way, rest);
  if (has_control_word(rest)) return ethernet_header(way, rest.behind(4));
  if (ip_fits(4, rest) || ip_fits(6, rest)) return ip_by_first_bits(way, rest);
  if (has_type_of_a_pseudowire(rest)) return ethernet_header(way, rest);
  return without_key(way, Stop::NonIp);
}

}  // namespace

Answer announced_by_type_or_length(const Way& way, uint64_t value, Reader rest) {
  if (value > kLengthMax) return announced_by_ether_type(way, value, rest);
  rest.draw_in(value);
  return llc(way, rest);
}

Answer announced_by_ether_type(Way way, uint64_t ether_type, const Reader& rest) {
  if (ether_type < kEtherTypeMin) return without_key(way, Stop::NonIp);
  way.link.ether_type = static_cast<uint16_t>(ether_type);
  if (is_vlan(ether_type)) return vlan(way, rest);
  if (is_mpls(ether_type)) return mpls(way, rest);
  switch (ether_type) {
    case 0x0800: return ip(way, 4, rest);
    case 0x86dd: return ip(way, 6, rest);
    case 0x88e7: return provider_backbone_bridge(way, rest);
    case 0x88e5: return macsec(way, rest);
    case 0x8864: return pppoe(way, rest);
    case 0x880b: return ppp_shim(way, rest);
    case 0x6558: return ethernet_shim(way, rest);
    default: return without_key(way, Stop::NonIp);
  }
}

Answer ethernet_header(const Way& way, Reader rest) {
  const Octets header = rest.take(14);
  return announced_by_type_or_length(way, big_endian(header, 12, 2), rest);
}

Answer ppp(const Way& way, Reader rest) {
  if (rest.peek(1).at(0) == 0xff && rest.peek(2).at(1) == 0x03) rest.pass(2);
  uint64_t protocol = rest.number(1);
  if (protocol % 2 == 0) protocol = protocol << 8 | rest.number(1);
  switch (protocol) {
    case 0x21: return ip(way, 4, rest);
    case 0x57: return ip(way, 6, rest);
    case 0x281:
    case 0x283: return mpls(way, rest);
    default: return without_key(way, Stop::NonIp);
  }
}

Answer llc(Way way, Reader rest) {
  constexpr int kCommandOrResponse = 1;
  way.enter_shim();
  way.link.ether_type = 0;
  const Octets header = rest.take(3);
  const int destination = header.at(0);
  const int source = header.at(1) & ~kCommandOrResponse;
  if (header.at(2) != 0x03) return without_key(way, Stop::NonIp);
  if (destination == 0xaa && source == 0xaa) return snap(way, rest);
  if (destination == 0x06 && source == 0x06) return ip(way, 4, rest);
  return without_key(way, Stop::NonIp);
}

Answer snap(const Way& way, Reader rest) {
  const Octets header = rest.take(5);
  const uint64_t organization = big_endian(header, 0, 3);
  const uint64_t protocol = big_endian(header, 3, 2);
  if (organization == 0x000000 || organization == 0x0000f8)
    return announced_by_ether_type(way, protocol, rest);
  if (organization == 0x0080c2 && (protocol == 1 || protocol == 7)) return ethernet_shim(way, rest);
  return without_key(way, Stop::NonIp);
}

Answer mpls(Way way, Reader rest) {
  constexpr uint64_t kBottom = 0x100;
  uint64_t label = 0;
  while (!(label & kBottom)) {
    way.enter_shim();
    label = rest.number(4);
  }
  return below_labels(way, rest);
}

}  // namespace clerk::reference
