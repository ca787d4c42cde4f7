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

Stop decode_ipv4(ByteReader& reader, uint32_t wire_octets, Headers& headers) {
  if (!reader.has(kIpv4OctetsMin)) return Stop::Truncated;
  const size_t header_octets = size_t{reader.octet(0) & 0x0fU} * 4;
  if (reader.octet(0) >> 4 != 4 || header_octets < kIpv4OctetsMin) return Stop::Malformed;
  const auto total_length = reader.load<uint16_t>(kIpv4LengthAt);
  headers.octets = total_length == 0 ? wire_octets : total_length;
  if (headers.octets < header_octets) return Stop::Malformed;
  headers.addresses = reader.position() + kIpv4AddressesAt;
  headers.tos = reader.octet(kIpv4TosAt);
  headers.protocol = headers.datagram_protocol = reader.octet(kIpv4ProtocolAt);
  headers.identification = reader.load<uint16_t>(kIpv4IdentificationAt);

  const auto fragment = reader.load<uint16_t>(kIpv4FragmentAt);
  const bool later = (fragment & kIpv4OffsetMask) != 0;
  const bool fragmented = later || (fragment & kIpv4MoreFragments) != 0;
  const bool needs_first = has_transport_key(IpVersion::V4, headers.protocol);
  set_fragment(later ? Fragment::Later : Fragment::First, fragmented && needs_first, headers);

  reader.limit(headers.octets);
  // Options cut off by the capture leave nothing for the transport header, which says so if it
  // matters.
  reader.skip(std::min(header_octets, reader.left()));
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
// atomic fragment (RFC 6946: offset 0, no more to come) is a whole packet.
bool read_fragment_header(const ByteReader& reader, Headers& headers) {
  const auto offset_and_more = reader.load<uint16_t>(2);
  const bool later = (offset_and_more & kIpv6OffsetMask) != 0;
  const bool more = (offset_and_more & kIpv6MoreFragments) != 0;
  headers.datagram_protocol = reader.octet(0);
  headers.identification = reader.load<uint32_t>(4);
  const bool needs_first = is_extension(headers.datagram_protocol) ||
                           has_transport_key(IpVersion::V6, headers.datagram_protocol);
  set_fragment(later ? Fragment::Later : Fragment::First, (later || more) && needs_first, headers);
  return later;
}

// Follows the chain from the header numbered headers.protocol, at `reader`, to the payload.
Stop follow_chain(ByteReader& reader, Headers& headers) {
  for (int followed = 0; is_extension(headers.protocol); ++followed) {
    if (followed == kExtensionHeadersMax) return Stop::DepthLimit;
    if (!reader.has(kIpv6FragmentOctets)) return Stop::Truncated;  // the smallest of them
    const uint8_t next = reader.octet(0);
    const size_t octets = extension_octets(headers.protocol, reader.octet(1));
    if (next == protocol::kNoNextHeader && may_end_chain(headers.protocol)) return Stop::Done;
    const bool later =
        headers.protocol == protocol::kFragment && read_fragment_header(reader, headers);
    headers.protocol = next;
    if (later) return Stop::Done;
    if (!reader.has(octets) && is_extension(next)) return Stop::Truncated;
    reader.skip(std::min(octets, reader.left()));
  }
  return Stop::Done;
}

Stop decode_ipv6(ByteReader& reader, uint32_t wire_octets, Headers& headers) {
  if (!reader.has(kIpv6Octets)) return Stop::Truncated;
  if (reader.octet(0) >> 4 != 6) return Stop::Malformed;
  const auto payload_length = reader.load<uint16_t>(kIpv6LengthAt);
  headers.protocol = headers.datagram_protocol = reader.octet(kIpv6NextHeaderAt);
  const bool states_length = payload_length != 0 || headers.protocol == protocol::kNoNextHeader;
  headers.octets = states_length ? payload_length + uint32_t{kIpv6Octets} : wire_octets;
  if (headers.octets < kIpv6Octets) return Stop::Malformed;
  headers.addresses = reader.position() + kIpv6AddressesAt;
  headers.tos = static_cast<uint8_t>(reader.load<uint16_t>(0) >> 4);
  headers.fragment = Fragment::Whole;
  headers.identification = 0;
  reader.limit(headers.octets);
  reader.skip(kIpv6Octets);
  return follow_chain(reader, headers);
}

}  // namespace

Stop decode_network(ByteReader& reader, uint32_t wire_octets, Headers& headers) {
  if (headers.version == IpVersion::V4) return decode_ipv4(reader, wire_octets, headers);
  return decode_ipv6(reader, wire_octets, headers);
}

}  // namespace clerk
