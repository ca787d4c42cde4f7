// Packets drawn at random that are nearly right: any link type, any layers that may follow one
// another, tunnels in tunnels, with lengths that fit and now and then one that does not. Random
// octets alone hardly ever get behind the first header.
//
//   grammar::PacketGrammar grammar(seed);
//   const grammar::DrawnPacket packet = grammar.draw();
//
// A packet is made from the inside out: each layer draws what it holds first, so that it knows its
// length. The same seed draws the same packets, as long as the compiler is the same (it chooses the
// order of operands). packet_grammar.cc has the link types,
// packet_grammar_shims.cc what an EtherType announces, packet_grammar_ip.cc IP and
// packet_grammar_tunnels.cc what it carries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace clerk::grammar {

using Octets = std::vector<uint8_t>;

struct DrawnPacket {
  uint32_t link_type;
  Octets octets;
};

// Any good enough numbers: splitmix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next();
  // Less than `end`, which is not 0.
  size_t below(size_t end) { return next() % end; }
  bool one_in(size_t times) { return below(times) == 0; }

  template <typename T>
  T any_of(std::initializer_list<T> values) {
    return std::data(values)[below(values.size())];
  }
  uint8_t octet() { return static_cast<uint8_t>(next()); }
  Octets octets(size_t count);

 private:
  uint64_t state_;
};

class PacketGrammar {
 public:
  explicit PacketGrammar(uint64_t seed) : random_(seed) {}

  DrawnPacket draw();

 private:
  // What stands in front of something says by a number what it is.
  struct Announced {
    uint16_t number;
    Octets octets;
  };

  // How many layers may still be drawn inside.
  using Depth = int;

  // Of a capture's beginning.
  Announced link_frame(Depth depth);
  Octets link_header_of(uint32_t link_type, Depth depth);
  Octets linux_cooked(uint32_t link_type, Depth depth);
  Octets null_or_loop(uint32_t link_type, Depth depth);
  Octets cisco_hdlc(Depth depth);
  Octets frame_relay(Depth depth);
  Octets fddi(Depth depth);
  Octets wlan(Depth depth, bool padded);
  Octets radiotap(Depth depth);
  Octets ppi(Depth depth);
  Octets pktap(Depth depth);
  Octets nflog(Depth depth);
  Octets arcnet(uint32_t link_type, Depth depth);
  Octets infiniband(Depth depth);
  Octets ipnet(Depth depth);

  // What an EtherType announces.
  Announced ether_type(Depth depth);
  Octets ether_type_field(Depth depth);
  Octets ethernet(Depth depth);
  Announced vlan_tags(Depth depth);
  Announced mpls(Depth depth);
  Octets label_stack(Depth depth);
  Announced macsec(Depth depth);
  Octets pppoe(Depth depth);
  Octets ppp(Depth depth);
  Octets ppp_behind_address(Depth depth);
  Octets llc(Depth depth);
  Octets snap(Depth depth);

  // IP; a version is 4 or 6.
  Octets ip(Depth depth);
  Octets ip_of(int version, Depth depth);
  Octets ipv4(Depth depth);
  Octets ipv6(Depth depth);
  Announced extension_headers(Announced last);
  Announced options_headers(size_t headers, Announced last);
  Announced ip_payload(int version, Depth depth);
  Announced transport();
  Announced tunnel(Depth depth);
  Announced nested_ip();
  Announced udp_tunnel(Depth depth);
  Octets udp(uint16_t port, bool from_too, const Octets& payload);
  Octets gre(Depth depth);
  Octets gre_header(uint16_t type, uint16_t flags);
  Octets pptp(Depth depth);
  Octets erspan(Depth depth);
  Octets vxlan_gpe(Depth depth);
  Octets geneve(Depth depth);
  Octets gtpu(Depth depth);
  Octets l2tp(Depth depth);
  Octets teredo(Depth depth);

  bool rarely() { return random_.one_in(48); }
  // The value, rarely another.
  uint8_t octet(uint8_t value);
  uint16_t number(uint16_t value);
  // The length, rarely one that is a little or far too short or long.
  uint16_t length(size_t value);
  // How often a layer is repeated: mostly once, rarely about as often as the decoder's limit.
  size_t repetitions(size_t limit);

  Random random_;
};

// Appends.
Octets& operator+=(Octets& octets, const Octets& more);
Octets operator+(Octets octets, const Octets& more);
Octets big_endian16(uint64_t value);
Octets big_endian32(uint64_t value);
Octets little_endian16(uint64_t value);
Octets little_endian32(uint64_t value);

}  // namespace clerk::grammar
