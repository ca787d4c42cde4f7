#include <algorithm>
#include <array>

#include "testing/reference_layers.h"

namespace clerk::reference {
namespace {

constexpr uint32_t kPpi = 192;
constexpr uint32_t kPktap = 258;

// Which IP the address family of NULL and LOOP is, 0 if none.
int version_of_bsd_family(uint64_t family) {
  constexpr std::array kIpv6Families{10, 23, 24, 26, 28, 30};
  if (family == 2) return 4;
  return std::ranges::count(kIpv6Families, family) > 0 ? 6 : 0;
}

Answer ip_or_nothing(const Way& way, int version, const Reader& rest) {
  return version == 0 ? without_key(way, Stop::NonIp) : ip(way, version, rest);
}

Answer ethernet(Way way, Reader rest) {
  const Octets header = rest.take(14);
  way.link.destination = part_of(header, 0, 6);
  way.link.source = part_of(header, 6, 6);
  return announced_by_type_or_length(way, big_endian(header, 12, 2), rest);
}

struct Cooked {
  uint64_t hardware;
  uint64_t address_octets;
  Octets address;  // of the sender
  uint64_t protocol;
};

// The kernel's protocol is an EtherType, or a small number of its own: 4 is a frame that begins
// with LLC, the others are no IP.
Answer linux_cooked_any(Way way, const Cooked& header, const Reader& rest) {
  constexpr uint64_t kNetlink = 824;
  constexpr uint64_t kLlc = 4;
  if (header.address_octets == 6) way.link.source = part_of(header.address, 0, 6);
  if (header.hardware == kNetlink) return without_key(way, Stop::NonIp);
  if (header.protocol == kLlc) return llc(way, rest);
  return announced_by_ether_type(way, header.protocol, rest);
}

Answer linux_cooked(const Way& way, Reader rest) {
  const Octets header = rest.take(16);
  return linux_cooked_any(way,
                          {.hardware = big_endian(header, 2, 2),
                           .address_octets = big_endian(header, 4, 2),
                           .address = part_of(header, 6, 8),
                           .protocol = big_endian(header, 14, 2)},
                          rest);
}

Answer linux_cooked2(const Way& way, Reader rest) {
  const Octets header = rest.take(20);
  return linux_cooked_any(way,
                          {.hardware = big_endian(header, 8, 2),
                           .address_octets = header.at(11),
                           .address = part_of(header, 12, 8),
                           .protocol = big_endian(header, 0, 2)},
                          rest);
}

Answer null(const Way& way, Reader rest) {
  const Octets header = rest.take(4);
  const int version = version_of_bsd_family(little_endian(header, 0, 4));
  if (version != 0) return ip(way, version, rest);
  return ip_or_nothing(way, version_of_bsd_family(big_endian(header, 0, 4)), rest);
}

Answer loop(const Way& way, Reader rest) {
  return ip_or_nothing(way, version_of_bsd_family(rest.number(4)), rest);
}

Answer cisco_hdlc(const Way& way, Reader rest) {
  const Octets header = rest.take(4);
  return announced_by_ether_type(way, big_endian(header, 2, 2), rest);
}

Answer ppp_or_cisco_hdlc(const Way& way, const Reader& rest) {
  const int first = rest.peek(1).at(0);
  if (first == 0x0f || first == 0x8f) return cisco_hdlc(way, rest);
  return ppp(way, rest);
}

// pppd writes the direction where HDLC has its address.
Answer ppp_of_pppd(const Way& way, Reader rest) {
  rest.pass(2);
  return ppp(way, rest);
}

void take_frame_relay_address(Reader& rest) {
  constexpr uint64_t kLast = 1;
  if (rest.number(1) & kLast) throw Ended{Stop::Malformed};
  for (int octet = 2; octet <= 4; ++octet)
    if (rest.number(1) & kLast) return;
  throw Ended{Stop::Malformed};
}

Answer frame_relay(const Way& way, Reader rest) {
  take_frame_relay_address(rest);
  const Octets header = rest.take(2);
  if (header.at(0) != 0x03) return announced_by_ether_type(way, big_endian(header, 0, 2), rest);
  uint64_t nlpid = header.at(1);
  if (nlpid == 0x00) nlpid = rest.number(1);
  switch (nlpid) {
    case 0xcc: return ip(way, 4, rest);
    case 0x8e: return ip(way, 6, rest);
    case 0x80: return snap(way, rest);
    default: return without_key(way, Stop::NonIp);
  }
}

Answer fddi(Way way, Reader rest) {
  const Octets header = rest.take(13);
  way.link.destination = part_of(header, 1, 6);
  way.link.source = part_of(header, 7, 6);
  const uint8_t kind = header.at(0) & 0xf8;  // without the last three bits
  if (kind != 0b01010000 && kind != 0b11010000) return without_key(way, Stop::NonIp);
  return llc(way, rest);
}

Answer wrapped(const Way& way, uint32_t link_type, const Reader& rest) {
  if (link_type == kPpi || link_type == kPktap || link_type == kNotIpLinkType)
    return without_key(way, Stop::LinkType);
  return link_layer(way, link_type, rest);
}

Answer ppi(const Way& way, Reader rest) {
  const Octets header = rest.peek(8);
  const size_t length = little_endian(header, 2, 2);
  if (header.at(0) != 0 || length < 8) throw Ended{Stop::Malformed};
  rest.pass(length);
  return wrapped(way, static_cast<uint32_t>(little_endian(header, 4, 4)), rest);
}

Answer pktap(const Way& way, Reader rest) {
  const Octets header = rest.peek(12);
  const size_t length = little_endian(header, 0, 4);
  if (length < 12) throw Ended{Stop::Malformed};
  if (little_endian(header, 4, 4) != 1) return without_key(way, Stop::NonIp);
  rest.pass(length);
  return wrapped(way, static_cast<uint32_t>(little_endian(header, 8, 4)), rest);
}

struct NflogAttribute {
  size_t length;  // with the four octets of length and type
  uint64_t type;
};

// Nothing says in which order the writer stored its integers: it is the one in which the type is a
// small number; little-endian if that does not tell.
NflogAttribute nflog_attribute(const Octets& header) {
  if (little_endian(header, 2, 2) >= 256 && big_endian(header, 2, 2) < 256)
    return {.length = big_endian(header, 0, 2), .type = big_endian(header, 2, 2)};
  return {.length = little_endian(header, 0, 2), .type = little_endian(header, 2, 2)};
}

Answer nflog(const Way& way, Reader rest) {
  constexpr uint64_t kPayload = 9;
  const Octets header = rest.take(4);
  if (header.at(1) != 0) throw Ended{Stop::Malformed};
  while (rest.wire_left() > 0) {
    const NflogAttribute attribute = nflog_attribute(rest.peek(4));
    if (attribute.length < 4) throw Ended{Stop::Malformed};
    if (attribute.type == kPayload) {
      rest.draw_in(attribute.length);
      rest.skip(4);
      if (header.at(0) == 2) return ip(way, 4, rest);
      if (header.at(0) == 10) return ip(way, 6, rest);
      return without_key(way, Stop::NonIp);
    }
    rest.pass((attribute.length + 3) / 4 * 4);
  }
  return without_key(way, Stop::NonIp);
}

constexpr uint64_t kArcnetIp = 212;
constexpr uint64_t kArcnetIpv6 = 196;
constexpr uint64_t kArcnetOldIp = 240;

// RFC 1201: only the first part of a packet that was split, and one that was not, begin with IP.
Answer arcnet_part(const Way& way, uint64_t protocol, uint64_t split_flag, const Reader& rest) {
  if (split_flag != 0 && split_flag % 2 == 0) return without_key(way, Stop::NonIp);
  return ip(way, protocol == kArcnetIp ? 4 : 6, rest);
}

Answer arcnet(const Way& way, Reader rest) {
  const uint64_t protocol = rest.take(3).at(2);
  if (protocol == kArcnetOldIp) return ip(way, 4, rest);
  if (protocol != kArcnetIp && protocol != kArcnetIpv6) return without_key(way, Stop::NonIp);
  const bool is_exception = rest.captured_left() > 0 && rest.peek(1).at(0) == 0xff;
  if (is_exception) rest.pass(4);
  const uint64_t split_flag = rest.take(3).at(0);
  return arcnet_part(way, protocol, split_flag, rest);
}

Answer arcnet_linux(const Way& way, Reader rest) {
  const uint64_t protocol = rest.take(5).at(4);
  if (protocol == kArcnetOldIp) return ip(way, 4, rest);
  if (protocol != kArcnetIp && protocol != kArcnetIpv6) return without_key(way, Stop::NonIp);
  const uint64_t split_flag = rest.take(3).at(0);
  return arcnet_part(way, protocol, split_flag, rest);
}

Answer infiniband(const Way& way, Reader rest) {
  const Octets header = rest.take(44);
  return announced_by_ether_type(way, big_endian(header, 40, 2), rest);
}

Answer ipnet(const Way& way, Reader rest) {
  switch (rest.take(24).at(1)) {
    case 2: return ip(way, 4, rest);
    case 26: return ip(way, 6, rest);
    default: return without_key(way, Stop::NonIp);
  }
}

}  // namespace

Answer link_layer(Way way, uint32_t link_type, Reader rest) {
  way.link.octets = rest.wire_left();
  switch (link_type) {
    case 0: return null(way, rest);
    case 1: return ethernet(way, rest);
    case 7: return arcnet(way, rest);
    case 9:
    case 50: return ppp_or_cisco_hdlc(way, rest);
    case 10: return fddi(way, rest);
    case 12:
    case 14:
    case 101: return ip_by_first_bits(way, rest);
    case 51: return announced_by_ether_type(way, 0x8864, rest);
    case 104: return cisco_hdlc(way, rest);
    case 105: return wlan(way, rest);
    case 107: return frame_relay(way, rest);
    case 108: return loop(way, rest);
    case 113: return linux_cooked(way, rest);
    case 127: return radiotap(way, rest);
    case 129: return arcnet_linux(way, rest);
    case 166: return ppp_of_pppd(way, rest);
    case 204: rest.pass(1); return ppp_or_cisco_hdlc(way, rest);
    case kPpi: return ppi(way, rest);
    case 205: rest.pass(1); return cisco_hdlc(way, rest);
    case 206: rest.pass(1); return frame_relay(way, rest);
    case 226: return ipnet(way, rest);
    case 228: return ip(way, 4, rest);
    case 229: return ip(way, 6, rest);
    case 239: return nflog(way, rest);
    case 242: return infiniband(way, rest);
    case kPktap: return pktap(way, rest);
    case 276: return linux_cooked2(way, rest);
    default: break;
  }
  return without_key(way, link_type == kNotIpLinkType ? Stop::NonIp : Stop::LinkType);
}

}  // namespace clerk::reference
