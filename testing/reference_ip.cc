#include <algorithm>
#include <array>

#include "testing/reference_layers.h"

namespace clerk::reference {
namespace {

constexpr int kIcmp = 1;
constexpr int kTcp = 6;
constexpr int kFragment = 44;
constexpr int kAuthentication = 51;
constexpr int kIcmpV6 = 58;
constexpr int kNoNextHeader = 59;
constexpr int kMobility = 135;
constexpr int kHostIdentity = 139;
constexpr int kShim6 = 140;

bool is_extension_header(int protocol) {
  constexpr std::array kAll{0,  43,        kFragment,     kAuthentication,
                            60, kMobility, kHostIdentity, kShim6};
  return std::ranges::count(kAll, protocol) > 0;
}

bool has_ports(int protocol) {
  constexpr std::array kAll{kTcp, 17, 33, 132, 136};
  return std::ranges::count(kAll, protocol) > 0;
}

bool has_type_and_code(int version, int protocol) {
  return protocol == (version == 4 ? kIcmp : kIcmpV6);
}

// Whether a later fragment lacks something of the key that the first one has.
bool takes_part_in_fragments(int version, int protocol) {
  return has_ports(protocol) || has_type_and_code(version, protocol) ||
         (version == 6 && is_extension_header(protocol));
}

enum class IsFragment : uint8_t { No, Yes };

struct FragmentFields {
  uint64_t offset;  // not 0 where others came before
  bool more;
  uint8_t protocol;
  uint32_t identification;

  [[nodiscard]] bool is_whole_datagram() const { return offset == 0 && !more; }
};

// Notes in the key that the packet is this fragment, if that makes a difference to its key.
// Of several fragment headers the last that is not atomic counts.
void note_fragment(Key& key, const FragmentFields& fields) {
  if (fields.is_whole_datagram()) return;
  key.fragment = Fragment::Whole;
  key.datagram_protocol = 0;
  key.identification = 0;
  if (!takes_part_in_fragments(key.version, fields.protocol)) return;
  key.fragment = fields.offset == 0 ? Fragment::First : Fragment::Later;
  key.datagram_protocol = fields.protocol;
  key.identification = fields.identification;
}

void note_transport(Key& key, const Reader& rest) {
  constexpr size_t kTcpFlagsAt = 13;
  if (has_ports(key.protocol)) {
    const Octets ports = rest.peek(4);
    key.source_port = static_cast<uint16_t>(big_endian(ports, 0, 2));
    key.destination_port = static_cast<uint16_t>(big_endian(ports, 2, 2));
  }
  if (has_type_and_code(key.version, key.protocol))
    key.destination_port = static_cast<uint16_t>(big_endian(rest.peek(2), 0, 2));
  if (key.protocol == kTcp) {
    key.tcp_flags_missing = rest.captured_left() <= kTcpFlagsAt;
    if (!key.tcp_flags_missing) key.tcp_flags = rest.peek(kTcpFlagsAt + 1).at(kTcpFlagsAt);
  }
}

// The packet whose IP headers are read: the key is known but for the transport's part.
Answer behind_ip_headers(const Way& way, Key key, IsFragment is_fragment, const Reader& rest) {
  constexpr size_t kTunnelsMax = 8;
  if (key.fragment != Fragment::Later) note_transport(key, rest);
  if (way.tunnels > kTunnelsMax) throw Ended{Stop::DepthLimit};
  if (is_fragment == IsFragment::No) {
    const auto inside = inside_tunnel(way, key, rest);
    if (inside) return *inside;
  }
  key.decapsulated = way.tunnels > 0;
  return {.stop = Stop::Done, .vlan_id = way.vlan_id.value_or(0), .link = way.link, .key = key};
}

// What the lengths of an IPv4 header say; the header has at least 20 octets.
struct Ipv4Lengths {
  Ipv4Lengths(const Octets& octets, size_t wire_left)
      : header(size_t{octets.at(0)} % 16 * 4), total(big_endian(octets, 2, 2)) {
    if (total == 0) total = wire_left;
  }

  [[nodiscard]] bool are_possible() const { return header >= 20 && header <= total; }

  size_t header;
  size_t total;
};

size_t ipv6_length(const Octets& header, size_t wire_left) {
  const size_t payload = big_endian(header, 4, 2);
  return payload == 0 && header.at(6) != kNoNextHeader ? wire_left : 40 + payload;
}

Answer ipv4(const Way& way, Reader rest) {
  const Octets header = rest.peek(20);
  const Ipv4Lengths lengths(header, rest.wire_left());
  if (header.at(0) >> 4 != 4 || !lengths.are_possible()) throw Ended{Stop::Malformed};
  if (way.tunnels > 0 && lengths.total > rest.wire_left()) throw Ended{Stop::Malformed};
  rest.draw_in(lengths.total);
  rest.skip(lengths.header);  // options that are cut off matter to what is behind them
  Key key{.version = 4,
          .source = part_of(header, 12, 4),
          .destination = part_of(header, 16, 4),
          .protocol = header.at(9),
          .tos = header.at(1),
          .octets = lengths.total};
  const FragmentFields fragment{.offset = big_endian(header, 6, 2) & 0x1fff,
                                .more = (header.at(6) & 0x20) != 0,
                                .protocol = key.protocol,
                                .identification = static_cast<uint32_t>(big_endian(header, 4, 2))};
  note_fragment(key, fragment);
  // A later fragment of a protocol that takes no part has nothing to read either.
  return behind_ip_headers(way, key,
                           fragment.is_whole_datagram() ? IsFragment::No : IsFragment::Yes, rest);
}

size_t extension_octets(int number, const Octets& beginning) {
  const size_t length = beginning.at(1);
  return number == kAuthentication ? (length + 2) * 4 : (length + 1) * 8;
}

bool keeps_its_number(int number) {
  return number == kMobility || number == kHostIdentity || number == kShim6;
}

// Follows the chain; `rest` stands behind what was read of it at the end.
IsFragment follow_extension_headers(Key& key, Reader& rest) {
  constexpr size_t kHeadersMax = 128;
  IsFragment is_fragment = IsFragment::No;
  for (size_t headers = 1; is_extension_header(key.protocol); ++headers) {
    if (headers > kHeadersMax) throw Ended{Stop::DepthLimit};
    const int number = key.protocol;
    if (number == kFragment) {
      const Octets header = rest.take(8);
      const FragmentFields fields{
          .offset = big_endian(header, 2, 2) & 0xfff8,
          .more = (header.at(3) & 1) != 0,
          .protocol = header.at(0),
          .identification = static_cast<uint32_t>(big_endian(header, 4, 4))};
      note_fragment(key, fields);
      key.protocol = fields.protocol;
      if (!fields.is_whole_datagram()) is_fragment = IsFragment::Yes;
      if (fields.offset != 0) return is_fragment;
    } else {
      const Octets beginning = rest.peek(8);  // the shortest have no more
      const uint8_t next = beginning.at(0);
      if (keeps_its_number(number) && next == kNoNextHeader) return is_fragment;
      const size_t octets = extension_octets(number, beginning);
      if (is_extension_header(next)) static_cast<void>(rest.peek(octets));
      rest.skip(octets);
      key.protocol = next;
    }
  }
  return is_fragment;
}

Answer ipv6(const Way& way, Reader rest) {
  const Octets header = rest.peek(40);
  if (header.at(0) >> 4 != 6) throw Ended{Stop::Malformed};
  const size_t length = ipv6_length(header, rest.wire_left());
  if (way.tunnels > 0 && length > rest.wire_left()) throw Ended{Stop::Malformed};
  rest.draw_in(length);
  rest.pass(40);
  Key key{.version = 6,
          .source = part_of(header, 8, 16),
          .destination = part_of(header, 24, 16),
          .protocol = header.at(6),
          .tos = static_cast<uint8_t>(big_endian(header, 0, 2) >> 4),
          .octets = length};
  const IsFragment is_fragment = follow_extension_headers(key, rest);
  return behind_ip_headers(way, key, is_fragment, rest);
}

}  // namespace

Answer ip(const Way& way, int version, const Reader& rest) {
  return version == 4 ? ipv4(way, rest) : ipv6(way, rest);
}

Answer ip_by_first_bits(const Way& way, const Reader& rest) {
  const int version = rest.peek(1).at(0) >> 4;
  if (version != 4 && version != 6) return without_key(way, Stop::NonIp);
  return ip(way, version, rest);
}

}  // namespace clerk::reference
