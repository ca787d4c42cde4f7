#include "testing/packet_grammar.h"

namespace clerk::grammar {
namespace {

constexpr size_t kShimsMax = 64;
constexpr uint32_t kBottom = 0x100;

}  // namespace

Octets PacketGrammar::ethernet(Depth depth) { return random_.octets(12) + ether_type_field(depth); }

Octets PacketGrammar::ether_type_field(Depth depth) {
  const Announced inside = ether_type(depth);
  return big_endian16(number(inside.number)) + inside.octets;
}

PacketGrammar::Announced PacketGrammar::ether_type(Depth depth) {
  if (depth <= 0 || random_.one_in(2)) {
    if (random_.one_in(30)) return {.number = 0x0806, .octets = random_.octets(28)};
    if (random_.one_in(3)) return {.number = 0x86dd, .octets = ipv6(depth - 1)};
    return {.number = 0x0800, .octets = ipv4(depth - 1)};
  }
  --depth;
  switch (random_.below(10)) {
    case 0: return mpls(depth);
    case 1: return {.number = 0x88e7, .octets = random_.octets(4) + ethernet(depth)};
    case 2: return macsec(depth);
    case 3: return {.number = 0x8864, .octets = pppoe(depth)};
    case 4: return {.number = 0x880b, .octets = ppp(depth)};
    case 5: return {.number = 0x6558, .octets = ethernet(depth)};
    case 6:
    case 7: {
      const Octets inside = llc(depth);
      return {.number = length(inside.size()), .octets = inside};
    }
    default: return vlan_tags(depth);
  }
}

PacketGrammar::Announced PacketGrammar::vlan_tags(Depth depth) {
  Announced inside = ether_type(depth);
  for (size_t tag = repetitions(kShimsMax); tag > 0; --tag) {
    const auto control = static_cast<uint16_t>(random_.one_in(4) ? 0x6000 : random_.next());
    inside.octets = big_endian16(control) + big_endian16(inside.number) + inside.octets;
    inside.number = random_.any_of<uint16_t>({0x8100, 0x8100, 0x88a8, 0x9100, 0x9200, 0x9300});
  }
  return inside;
}

PacketGrammar::Announced PacketGrammar::mpls(Depth depth) {
  return {.number = random_.any_of<uint16_t>({0x8847, 0x8848}), .octets = label_stack(depth)};
}

Octets PacketGrammar::label_stack(Depth depth) {
  Octets stack;
  const size_t labels = repetitions(kShimsMax);
  for (size_t label = 1; label <= labels; ++label)
    stack += big_endian32((random_.next() & ~uint64_t{kBottom}) | (label == labels ? kBottom : 0));
  switch (random_.below(8)) {
    case 0:
    case 1: return stack + big_endian32(random_.below(0x10000)) + ethernet(depth);
    case 2:
    case 3: return stack + ethernet(depth);
    case 4: return stack + random_.octets(random_.below(60));
    default: return stack + ip(depth);
  }
}

PacketGrammar::Announced PacketGrammar::macsec(Depth depth) {
  const bool sci = random_.one_in(2);
  const Octets inside = ether_type_field(depth);
  const bool encrypted = random_.one_in(6);
  Octets tag{octet(static_cast<uint8_t>((sci ? 0x20 : 0x00) | (encrypted ? 0x0c : 0x00)))};
  tag.push_back(random_.one_in(3) ? octet(static_cast<uint8_t>(inside.size())) : uint8_t{0});
  tag += random_.octets(sci ? 12 : 4);
  return {.number = 0x88e5, .octets = tag + inside + random_.octets(16)};
}

Octets PacketGrammar::pppoe(Depth depth) {
  const Octets inside = ppp(depth);
  return Octets{octet(0x11), octet(0x00)} + random_.octets(2) +
         big_endian16(length(inside.size())) + inside;
}

Octets PacketGrammar::ppp(Depth depth) {
  const bool compressed = random_.one_in(3);
  const Octets high = compressed ? Octets{} : Octets{octet(0x00)};
  switch (random_.below(8)) {
    case 0:
    case 1: return high + Octets{0x57} + ipv6(depth);
    case 2:
      return big_endian16(number(random_.any_of<uint16_t>({0x0281, 0x0283}))) + label_stack(depth);
    case 3: return big_endian16(0xc021) + random_.octets(12);
    default: return high + Octets{octet(0x21)} + ipv4(depth);
  }
}

Octets PacketGrammar::ppp_behind_address(Depth depth) {
  if (random_.one_in(2)) return ppp(depth);
  return Octets{octet(0xff), octet(0x03)} + ppp(depth);
}

Octets PacketGrammar::llc(Depth depth) {
  switch (random_.below(6)) {
    case 0: return Octets{0x06, octet(0x06), octet(0x03)} + ipv4(depth);
    case 1: return Octets{0x42, 0x42, 0x03} + random_.octets(36);
    default: return Octets{octet(0xaa), octet(0xaa), octet(0x03)} + snap(depth);
  }
}

Octets PacketGrammar::snap(Depth depth) {
  if (random_.one_in(4))
    return Octets{0x00, 0x80, 0xc2} + big_endian16(random_.any_of<uint16_t>({1, 7, 8})) +
           ethernet(depth);
  return Octets{0x00, 0x00, random_.any_of<uint8_t>({0, 0, 0, 0xf8, 0x0c})} +
         ether_type_field(depth);
}

}  // namespace clerk::grammar
