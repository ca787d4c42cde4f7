#include "testing/packet_grammar.h"

namespace clerk::grammar {

uint64_t Random::next() {
  state_ += 0x9e3779b97f4a7c15;
  uint64_t mixed = state_;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  return mixed ^ mixed >> 31;
}

Octets Random::octets(size_t count) {
  Octets octets(count);
  for (uint8_t& octet : octets)
    octet = this->octet();
  return octets;
}

Octets& operator+=(Octets& octets, const Octets& more) {
  octets.insert(octets.end(), more.begin(), more.end());
  return octets;
}

Octets operator+(Octets octets, const Octets& more) { return octets += more; }

Octets big_endian16(uint64_t value) {
  return {static_cast<uint8_t>(value >> 8), static_cast<uint8_t>(value)};
}

Octets big_endian32(uint64_t value) { return big_endian16(value >> 16) + big_endian16(value); }

Octets little_endian16(uint64_t value) {
  return {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8)};
}

Octets little_endian32(uint64_t value) {
  return little_endian16(value) + little_endian16(value >> 16);
}

uint8_t PacketGrammar::octet(uint8_t value) {
  if (!rarely()) return value;
  return random_.one_in(2) ? random_.octet() : static_cast<uint8_t>(value ^ 1U << random_.below(8));
}

uint16_t PacketGrammar::number(uint16_t value) {
  if (!rarely()) return value;
  return random_.one_in(2) ? static_cast<uint16_t>(random_.next())
                           : static_cast<uint16_t>(value ^ 1U << random_.below(16));
}

uint16_t PacketGrammar::length(size_t value) {
  if (rarely()) {
    const auto other = random_.any_of<size_t>(
        {0, 1, 65535, value - 1, value + 1, value - 8, value + 8, value / 2, value * 2});
    return static_cast<uint16_t>(other);
  }
  return static_cast<uint16_t>(value);
}

size_t PacketGrammar::repetitions(size_t limit) {
  if (random_.one_in(60)) return limit - 2 + random_.below(4);
  return random_.one_in(4) ? 1 + random_.below(4) : 1;
}

DrawnPacket PacketGrammar::draw() {
  const Depth depth = random_.one_in(50) ? 24 : static_cast<Depth>(2 + random_.below(8));
  const Announced frame = link_frame(depth);
  DrawnPacket packet{.link_type = frame.number, .octets = frame.octets};
  if (random_.one_in(6)) packet.octets += random_.octets(random_.below(40));  // padding
  if (random_.one_in(8)) packet.octets.resize(random_.below(packet.octets.size() + 1));
  return packet;
}

PacketGrammar::Announced PacketGrammar::link_frame(Depth depth) {
  const auto link_type =
      random_.one_in(2)
          ? uint16_t{1}
          : random_.any_of<uint16_t>({0,   1,   7,   9,   10,  12,  14,  50,  51,  101,
                                      104, 105, 107, 108, 113, 127, 129, 147, 166, 192,
                                      204, 205, 206, 226, 228, 229, 239, 242, 258, 276});
  return {.number = link_type, .octets = link_header_of(link_type, depth)};
}

Octets PacketGrammar::link_header_of(uint32_t link_type, Depth depth) {
  const Octets direction{random_.any_of<uint8_t>({0, 1})};
  switch (link_type) {
    case 0:
    case 108: return null_or_loop(link_type, depth);
    case 1: return ethernet(depth);
    case 7:
    case 129: return arcnet(link_type, depth);
    case 9:
    case 50: return random_.one_in(4) ? cisco_hdlc(depth) : ppp_behind_address(depth);
    case 10: return fddi(depth);
    case 51: return pppoe(depth);
    case 104: return cisco_hdlc(depth);
    case 105: return wlan(depth, false);
    case 107: return frame_relay(depth);
    case 113:
    case 276: return linux_cooked(link_type, depth);
    case 127: return radiotap(depth);
    case 166: return direction + Octets{octet(0x03)} + ppp(depth);
    case 192: return ppi(depth);
    case 204:
      return direction + (random_.one_in(4) ? cisco_hdlc(depth) : ppp_behind_address(depth));
    case 205: return direction + cisco_hdlc(depth);
    case 206: return direction + frame_relay(depth);
    case 226: return ipnet(depth);
    case 228: return ipv4(depth);
    case 229: return ipv6(depth);
    case 239: return nflog(depth);
    case 242: return infiniband(depth);
    case 258: return pktap(depth);
    default: return ip(depth);
  }
}

Octets PacketGrammar::linux_cooked(uint32_t link_type, Depth depth) {
  Announced inside = ether_type(depth);
  if (random_.one_in(8)) inside = {.number = 4, .octets = llc(depth)};
  const auto hardware = random_.any_of<uint16_t>({1, 1, 1, 512, 778, 824, 65534});
  const auto address_octets = random_.any_of<uint8_t>({6, 6, 0, 8});
  const Octets address = random_.octets(8);
  if (link_type == 113)
    return big_endian16(4) + big_endian16(hardware) + big_endian16(address_octets) + address +
           big_endian16(inside.number) + inside.octets;
  return big_endian16(inside.number) + big_endian16(0) + big_endian32(3) + big_endian16(hardware) +
         Octets{4, address_octets} + address + inside.octets;
}

Octets PacketGrammar::null_or_loop(uint32_t link_type, Depth depth) {
  const bool v4 = random_.one_in(2);
  const auto family = v4 ? uint8_t{2} : random_.any_of<uint8_t>({10, 23, 24, 26, 28, 30, 30, 25});
  const bool little = link_type == 0 ? random_.one_in(2) : rarely();
  return (little ? little_endian32(octet(family)) : big_endian32(octet(family))) +
         (rarely() ? ip(depth) : ip_of(v4 ? 4 : 6, depth));
}

Octets PacketGrammar::cisco_hdlc(Depth depth) {
  return Octets{random_.any_of<uint8_t>({0x0f, 0x8f}), 0} + ether_type_field(depth);
}

Octets PacketGrammar::frame_relay(Depth depth) {
  Octets address =
      random_.any_of<Octets>({{0x18, 0x41}, {0x18, 0x40, 0x01}, {0x18, 0x40, 0x02, 0x03}});
  for (uint8_t& part : address)
    part = octet(part);
  if (random_.one_in(4)) return address + ether_type_field(depth);
  address.push_back(0x03);
  if (random_.one_in(3)) address.push_back(0x00);
  switch (random_.below(8)) {
    case 0: return address + Octets{0x8e} + ipv6(depth);
    case 1:
    case 2: return address + Octets{0x80} + snap(depth);
    case 3: return address + random_.octets(6);
    default: return address + Octets{0xcc} + ipv4(depth);
  }
}

Octets PacketGrammar::fddi(Depth depth) {
  return Octets{octet(random_.any_of<uint8_t>({0x50, 0x57, 0xd0, 0xd4, 0x41}))} +
         random_.octets(12) + llc(depth);
}

Octets PacketGrammar::wlan(Depth depth, bool padded) {
  const bool qos = random_.one_in(2);
  const bool order = random_.one_in(8);
  const auto ds = static_cast<uint8_t>(random_.below(4));
  Octets header{
      octet(qos ? 0x88 : 0x08),
      octet(static_cast<uint8_t>(ds | (order ? 0x80 : 0) | (random_.one_in(8) ? 0x40 : 0)))};
  header += random_.octets(20);
  header += Octets{random_.any_of<uint8_t>({0x10, 0x10, 0x10, 0x11}), 0x20};  // sequence control
  if (ds == 3) header += random_.octets(6);
  if (qos) header += Octets{random_.any_of<uint8_t>({0x00, 0x00, 0x07, 0x80}), 0};
  if (qos && order) header += random_.octets(4);
  if (padded) header.resize((header.size() + 3) / 4 * 4);
  return header + llc(depth);
}

Octets PacketGrammar::radiotap(Depth depth) {
  const bool tsft = random_.one_in(2);
  const bool flags = !random_.one_in(4);
  const size_t more_words = random_.one_in(4) ? random_.below(4) : 0;
  uint32_t present = random_.one_in(2) ? 0x0c : 0;
  if (tsft) present |= 1;
  if (flags) present |= 2;
  Octets words;
  for (size_t word = 0; word < more_words; ++word) {
    words += little_endian32(present | 0x80000000);
    present = 0x10;
  }
  words += little_endian32(present);
  const auto flag_bits = random_.any_of<uint8_t>({0, 0x10, 0x20, 0x30, 0x02});
  Octets fields;
  while (tsft && (4 + words.size() + fields.size()) % 8 != 0)
    fields.push_back(0xff);
  if (tsft) fields += random_.octets(8);
  if (flags) fields.push_back(flag_bits);
  if (!rarely()) fields += random_.octets(random_.below(8));
  const size_t octets = 4 + words.size() + fields.size();
  const bool padded = flags && (flag_bits & 0x20) != 0;
  return Octets{octet(0), 0} + little_endian16(length(octets)) + words + fields +
         wlan(depth, padded) + Octets(4, 0xfc);
}

Octets PacketGrammar::ppi(Depth depth) {
  const Octets fields = random_.octets(random_.below(20));
  const Announced inside = link_frame(depth);
  return Octets{octet(0), 0} + little_endian16(length(8 + fields.size())) +
         little_endian32(inside.number) + fields + inside.octets;
}

Octets PacketGrammar::pktap(Depth depth) {
  const Octets fields = random_.octets(random_.one_in(2) ? 96 : random_.below(8));
  const Announced inside = link_frame(depth);
  return little_endian32(length(12 + fields.size())) + little_endian32(octet(1)) +
         little_endian32(inside.number) + fields + inside.octets;
}

Octets PacketGrammar::nflog(Depth depth) {
  const bool little = random_.one_in(2);
  const auto in_order = [little](uint64_t value) {
    return little ? little_endian16(value) : big_endian16(value);
  };
  const int version = random_.one_in(2) ? 4 : 6;
  Octets packet{octet(version == 4 ? 2 : 10), octet(0), 0, 0};
  for (size_t attribute = random_.below(4); attribute > 0; --attribute) {
    const size_t octets = random_.below(12);
    packet += in_order(length(4 + octets)) + in_order(random_.below(9)) +
              random_.octets((octets + 3) / 4 * 4);
  }
  const Octets payload = ip_of(version, depth);
  return packet + in_order(length(4 + payload.size())) + in_order(number(9)) + payload +
         Octets(random_.below(4));
}

Octets PacketGrammar::arcnet(uint32_t link_type, Depth depth) {
  const auto protocol = random_.any_of<uint8_t>({212, 212, 196, 240, 213});
  Octets header = random_.octets(link_type == 129 ? 4 : 2) + Octets{protocol};
  const Octets inside = ip_of(protocol == 196 ? 6 : 4, depth);
  if (protocol == 240) return header + inside;
  if (random_.one_in(4)) header += Octets{0xff} + random_.octets(3);
  return header + Octets{random_.any_of<uint8_t>({0, 0, 0, 1, 3, 2, 0xff})} + random_.octets(2) +
         inside;
}

Octets PacketGrammar::infiniband(Depth depth) {
  const Announced inside = ether_type(depth);
  return random_.octets(40) + big_endian16(inside.number) + big_endian16(0) + inside.octets;
}

Octets PacketGrammar::ipnet(Depth depth) {
  const bool v4 = random_.one_in(2);
  return Octets{1, octet(v4 ? 2 : 26)} + random_.octets(22) + ip_of(v4 ? 4 : 6, depth);
}

}  // namespace clerk::grammar
