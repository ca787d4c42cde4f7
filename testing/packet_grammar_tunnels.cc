#include "testing/packet_grammar.h"

namespace clerk::grammar {
namespace {

constexpr size_t kTunnelsMax = 8;

}  // namespace

// IPv4 in IPv4 as deep as the decoder's limit, with nothing wrong.
PacketGrammar::Announced PacketGrammar::nested_ip() {
  Announced inside = transport();
  for (size_t tunnels = kTunnelsMax - 2 + random_.below(4); tunnels > 0; --tunnels) {
    const Octets lengths = Octets{0x45, 0} + big_endian16(20 + inside.octets.size());
    const Octets protocol = Octets(4) + Octets{64, static_cast<uint8_t>(inside.number)};
    inside = {.number = 4,
              .octets = lengths + protocol + random_.octets(2) + random_.octets(8) + inside.octets};
  }
  return inside;
}

PacketGrammar::Announced PacketGrammar::tunnel(Depth depth) {
  if (random_.one_in(100)) return nested_ip();
  switch (random_.below(8)) {
    case 0: return {.number = 4, .octets = ipv4(depth)};
    case 1: return {.number = 41, .octets = ipv6(depth)};
    case 2: return {.number = 47, .octets = gre(depth)};
    case 3: return {.number = 47, .octets = random_.one_in(2) ? pptp(depth) : erspan(depth)};
    default: return udp_tunnel(depth);
  }
}

PacketGrammar::Announced PacketGrammar::udp_tunnel(Depth depth) {
  const auto wrapped = [](const Octets& octets) {
    return Announced{.number = 17, .octets = octets};
  };
  switch (random_.below(7)) {
    case 0: {
      const Octets header{octet(random_.any_of<uint8_t>({0x08, 0x88})), 0, 0, 0};
      const Octets vni = random_.octets(3) + Octets{octet(0)};
      return wrapped(
          udp(random_.any_of<uint16_t>({4789, 8472}), false, header + vni + ethernet(depth)));
    }
    case 1: return wrapped(udp(4790, false, vxlan_gpe(depth)));
    case 2: return wrapped(udp(6081, false, geneve(depth)));
    case 3: return wrapped(udp(2152, true, gtpu(depth)));
    case 4: return wrapped(udp(1701, true, l2tp(depth)));
    case 5: return wrapped(udp(3544, true, teredo(depth)));
    default: return wrapped(udp(6635, false, label_stack(depth)));
  }
}

Octets PacketGrammar::udp(uint16_t port, bool from_too, const Octets& payload) {
  const auto other = random_.one_in(6) ? random_.any_of<uint16_t>({4789, 2152, 1701, 3544, 6081})
                                       : static_cast<uint16_t>(random_.next());
  const bool from = from_too && random_.one_in(2);
  return big_endian16(from ? port : other) + big_endian16(from ? other : port) +
         big_endian16(length(8 + payload.size())) + random_.octets(2) + payload;
}

Octets PacketGrammar::gre_header(uint16_t type, uint16_t flags) {
  Octets header = big_endian16(number(flags)) + big_endian16(type);
  for (const int option : {0x8000, 0x2000, 0x1000})
    if (flags & option) header += random_.octets(4);
  return header;
}

Octets PacketGrammar::gre(Depth depth) {
  if (random_.one_in(6)) {
    const Octets inside = ethernet(depth);
    return Octets{0x20, 0x01, 0x64, octet(0x00)} + big_endian16(length(inside.size())) +
           random_.octets(2) + inside;
  }
  const Announced inside = ether_type(depth);
  const auto flags = static_cast<uint16_t>(random_.one_in(2) ? 0 : random_.next() & 0xb0f8);
  return gre_header(inside.number, flags) + inside.octets;
}

Octets PacketGrammar::pptp(Depth depth) {
  const Octets inside = ppp_behind_address(depth);
  const auto flags = random_.any_of<uint16_t>({0x2001, 0x3001, 0x2081, 0x3081});
  Octets header = big_endian16(number(flags)) + big_endian16(number(0x880b)) +
                  big_endian16(length(inside.size())) + random_.octets(2);
  if (flags & 0x1000) header += random_.octets(4);
  if (flags & 0x0080) header += random_.octets(4);
  return header + inside;
}

Octets PacketGrammar::erspan(Depth depth) {
  const Octets inside = ethernet(depth);
  switch (random_.below(3)) {
    case 0: return gre_header(0x88be, 0x0000) + inside;
    case 1: return gre_header(0x88be, 0x1000) + Octets{octet(0x10)} + random_.octets(7) + inside;
    default: {
      const auto last = random_.octet();
      return gre_header(0x22eb, random_.any_of<uint16_t>({0x1000, 0x0000})) + Octets{octet(0x20)} +
             random_.octets(10) + Octets{last} + random_.octets(last & 1 ? 8 : 0) + inside;
    }
  }
}

Octets PacketGrammar::vxlan_gpe(Depth depth) {
  const auto next_protocol = random_.any_of<uint8_t>({1, 2, 3, 3, 4});
  const Octets header{octet(0x0c), 0, 0, next_protocol, 0, 0, 7, octet(0)};
  if (next_protocol == 1) return header + ipv4(depth);
  if (next_protocol == 2) return header + ipv6(depth);
  return header + ethernet(depth);
}

Octets PacketGrammar::geneve(Depth depth) {
  const auto options = static_cast<uint8_t>(random_.one_in(2) ? 0 : random_.below(10));
  const Announced inside = ether_type(depth);
  return Octets{octet(options), octet(0)} + big_endian16(inside.number) + random_.octets(4) +
         random_.octets(size_t{options} * 4) + inside.octets;
}

Octets PacketGrammar::gtpu(Depth depth) {
  const auto flags = random_.any_of<uint8_t>({0x30, 0x30, 0x32, 0x34, 0x36, 0x31});
  Octets content;
  if (flags & 0x07) content += random_.octets(3) + Octets{uint8_t{0}};
  if (flags & 0x04) {
    for (size_t extension = random_.below(4); extension > 0; --extension) {
      content.back() = 0x85;
      const size_t units = 1 + random_.below(3);
      content += Octets{octet(static_cast<uint8_t>(units))} + random_.octets(units * 4 - 2) +
                 Octets{uint8_t{0}};
    }
  }
  content += ip(depth);
  return Octets{octet(flags), octet(255)} + big_endian16(length(content.size())) +
         random_.octets(4) + content;
}

Octets PacketGrammar::l2tp(Depth depth) {
  const auto options = random_.any_of<uint16_t>({0x0000, 0x4000, 0x0800, 0x0200, 0x4a00, 0x4800});
  Octets content = random_.octets(4);
  if (options & 0x0800) content += random_.octets(4);
  if (options & 0x0200) {
    const size_t offset = random_.below(6);
    content += big_endian16(length(offset)) + random_.octets(offset);
  }
  content += ppp_behind_address(depth);
  const Octets flags = big_endian16(number(static_cast<uint16_t>(options | 2)));
  if (options & 0x4000) return flags + big_endian16(length(4 + content.size())) + content;
  return flags + content;
}

Octets PacketGrammar::teredo(Depth depth) {
  Octets header;
  if (random_.one_in(3)) {
    const auto id_octets = static_cast<uint8_t>(random_.below(5));
    const auto value_octets = static_cast<uint8_t>(random_.below(5));
    header += Octets{0, 1, octet(id_octets), value_octets} +
              random_.octets(size_t{id_octets} + value_octets + 9);
  }
  if (random_.one_in(3)) header += Octets{0, octet(0)} + random_.octets(6);
  return header + ipv6(depth);
}

}  // namespace clerk::grammar
