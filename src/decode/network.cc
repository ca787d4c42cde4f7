#include "decode/network.h"

#include <algorithm>

#include "decode/transport.h"
#include "decode/wire.h"

namespace clerk {
namespace {

using namespace wire;

// A later fragment needs its datagram's first one only for what the first one alone tells.
void set_fragment(Fragment fragment, bool needs_first, Headers& headers) {
  headers.fragment = needs_first ? fragment : Fragment::Whole;
}

// Whether the packet's own length can be believed: a packet inside a tunnel must fit into it.
bool is_believed(const Walk& walk, Length length) {
  return length == Length::Any || walk.headers.octets <= walk.reader.left_on_wire();
}

Stop decode_ipv4(Walk& walk, Length length) {
  ByteReader& reader = walk.reader;
  Headers& headers = walk.headers;
  if (!reader.has(kIpv4OctetsMin)) return reader.missing(kIpv4OctetsMin);
  const size_t header_octets = size_t{reader.octet(0) & 0x0fU} * 4;
  if (reader.octet(0) >> 4 != 4 || header_octets < kIpv4OctetsMin) return Stop::Malformed;
  const auto total_length = reader.load<uint16_t>(kIpv4LengthAt);
  headers.octets = total_length == 0 ? static_cast<uint32_t>(reader.left_on_wire()) : total_length;
  if (headers.octets < header_octets || !is_believed(walk, length)) return Stop::Malformed;
  headers.addresses = reader.position() + kIpv4AddressesAt;
  headers.tos = reader.octet(kIpv4TosAt);
  headers.protocol = headers.datagram_protocol = reader.octet(kIpv4ProtocolAt);
  headers.identification = reader.load<uint16_t>(kIpv4IdentificationAt);

  const auto fragment = reader.load<uint16_t>(kIpv4FragmentAt);
  const bool later = (fragment & kIpv4OffsetMask) != 0;
  walk.fragmented = later || (fragment & kIpv4MoreFragments) != 0;
  const bool needs_first = has_transport_key(IpVersion::V4, headers.protocol);
  set_fragment(later ? Fragment::Later : Fragment::First, walk.fragmented && needs_first, headers);
  walk.note("IPv4", header_octets, "length {}, protocol {}{}", headers.octets, headers.protocol,
            later             ? ", later fragment"
            : walk.fragmented ? ", first fragment"
                              : "");

  reader.limit(headers.octets);
  // Options cut off by the capture leave nothing for the transport header, which says so if it
  // matters.
  reader.skip_at_most(header_octets);
  return Stop::Done;
}

// The octets of an extension header by its own length field, or 0 when `number` is not one of them.
size_t extension_octets(uint8_t number, uint8_t length) {
  switch (number) {
    case protocol::kHopByHop:
    case protocol::kRouting:
    case protocol::kDestinationOptions:
    case protocol::kMobility:
    case protocol::kHostIdentity:
    case protocol::kShim6: return (size_t{length} + 1) * 8;
    case protocol::kFragment: return kIpv6FragmentOctets;
    case protocol::kAuthentication: return (size_t{length} + 2) * 4;
    default: return 0;
  }
}

// These may also end the chain: their own number is then the packet's protocol.
bool may_end_chain(uint8_t number) {
  return number == protocol::kMobility || number == protocol::kHostIdentity ||
         number == protocol::kShim6;
}

bool is_extension(uint8_t number) { return extension_octets(number, 0) != 0; }

// The Fragment header; returns whether this is a later fragment, which has no more of the chain. An
// atomic one (RFC 6946: offset 0, no more to come) makes no fragment of a packet, nor a whole
// packet of one that another Fragment header made a fragment.
bool read_fragment_header(Walk& walk) {
  Headers& headers = walk.headers;
  const auto offset_and_more = walk.reader.load<uint16_t>(2);
  const bool later = (offset_and_more & kIpv6OffsetMask) != 0;
  if (!later && (offset_and_more & kIpv6MoreFragments) == 0) return false;
  walk.fragmented = true;
  headers.datagram_protocol = walk.reader.octet(0);
  headers.identification = walk.reader.load<uint32_t>(4);
  const bool needs_first = is_extension(headers.datagram_protocol) ||
                           has_transport_key(IpVersion::V6, headers.datagram_protocol);
  set_fragment(later ? Fragment::Later : Fragment::First, needs_first, headers);
  return later;
}

// Follows the chain from the header numbered headers.protocol, at the walk's reader, to the
// payload.
Stop follow_chain(Walk& walk) {
  ByteReader& reader = walk.reader;
  Headers& headers = walk.headers;
  for (int followed = 0; is_extension(headers.protocol); ++followed) {
    if (followed == kExtensionHeadersMax) return Stop::DepthLimit;
    constexpr size_t kOctetsMin = kIpv6FragmentOctets;  // the smallest of them
    if (!reader.has(kOctetsMin)) return reader.missing(kOctetsMin);
    const uint8_t next = reader.octet(0);
    const size_t octets = extension_octets(headers.protocol, reader.octet(1));
    walk.note("IPv6 extension", octets, "header {}, next {}", headers.protocol, next);
    if (next == protocol::kNoNextHeader && may_end_chain(headers.protocol)) return Stop::Done;
    const bool later = headers.protocol == protocol::kFragment && read_fragment_header(walk);
    headers.protocol = next;
    if (later) return Stop::Done;
    if (!reader.has(octets) && is_extension(next)) return reader.missing(octets);
    reader.skip_at_most(octets);
  }
  return Stop::Done;
}

Stop decode_ipv6(Walk& walk, Length length) {
  ByteReader& reader = walk.reader;
  Headers& headers = walk.headers;
  if (!reader.has(kIpv6Octets)) return reader.missing(kIpv6Octets);
  if (reader.octet(0) >> 4 != 6) return Stop::Malformed;
  const auto payload_length = reader.load<uint16_t>(kIpv6LengthAt);
  headers.protocol = headers.datagram_protocol = reader.octet(kIpv6NextHeaderAt);
  const bool states_length = payload_length != 0 || headers.protocol == protocol::kNoNextHeader;
  headers.octets = states_length ? payload_length + uint32_t{kIpv6Octets}
                                 : static_cast<uint32_t>(reader.left_on_wire());
  if (!is_believed(walk, length)) return Stop::Malformed;
  headers.addresses = reader.position() + kIpv6AddressesAt;
  headers.tos = static_cast<uint8_t>(reader.load<uint16_t>(0) >> 4);
  headers.fragment = Fragment::Whole;
  headers.identification = 0;
  walk.fragmented = false;
  walk.note("IPv6", kIpv6Octets, "length {}, next {}", headers.octets, headers.protocol);
  reader.limit(headers.octets);
  reader.skip(kIpv6Octets);
  return follow_chain(walk);
}

}  // namespace

Stop decode_network(Walk& walk, Length length) {
  return walk.headers.version == IpVersion::V4 ? decode_ipv4(walk, length)
                                               : decode_ipv6(walk, length);
}

}  // namespace clerk
