// Any octets as a packet of any link type, whole and cut at each length, by its outer header and
// with all tunnels looked into.
//
//   input   link type 2 | octets that the capture cut 2 | packet
//
// Each capture lies in heap memory of exactly its size, so that the address sanitizer sees a read
// behind its end. What must hold besides: whatever a capture of n octets says, unless it is
// Truncated, a capture of n + 1 octets of the same packet says again, with the same key.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/big_endian.h"
#include "base/check.h"
#include "decode/decode.h"

namespace clerk {
namespace {

constexpr size_t kPrefixesMax = 256;  // as far as headers usually reach; the fuzzer stays fast

struct Decoded {
  Stop stop;
  Headers headers;
};

void check_headers(const Packet& packet, const Headers& headers) {
  CHECK(headers.version == IpVersion::V4 || headers.version == IpVersion::V6);
  const bool v4 = headers.version == IpVersion::V4;
  const uint8_t* end = packet.data + packet.captured_octets;
  CHECK(headers.addresses >= packet.data && headers.addresses + (v4 ? 8 : 32) <= end);
  CHECK(headers.octets >= (v4 ? 20U : 40U));
  CHECK(headers.vlan_id < 4096);
  CHECK(headers.fragment == Fragment::Whole || headers.fragment == Fragment::First ||
        headers.fragment == Fragment::Later);
  if (headers.fragment == Fragment::Later) {
    CHECK(headers.source_port == 0 && headers.destination_port == 0 && headers.tcp_flags == 0);
  }
  CHECK(!headers.tcp_flags_missing || headers.tcp_flags == 0);
}

Decoded decode_cut(const uint8_t* data, size_t captured, uint32_t wire_octets, LinkType link_type,
                   TunnelSet tunnels) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[captured]);
  std::copy_n(data, captured, copy.get());
  const Packet packet{.data = copy.get(),
                      .captured_octets = static_cast<uint32_t>(captured),
                      .wire_octets = wire_octets,
                      .link_type = link_type};
  Decoded decoded{.stop = Stop::LackOfResources, .headers = {}};
  decoded.stop = decode(packet, tunnels, decoded.headers);
  CHECK(decoded.stop <= Stop::WlanFragment);  // the other causes are the meter's
  if (decoded.stop == Stop::Done) check_headers(packet, decoded.headers);
  return decoded;
}

// What is only a fragment's need not be filled in otherwise.
bool same_key(const Headers& left, const Headers& right) {
  const bool same_datagram = left.datagram_protocol == right.datagram_protocol &&
                             left.identification == right.identification;
  return left.version == right.version && left.protocol == right.protocol &&
         left.tos == right.tos && left.source_port == right.source_port &&
         left.destination_port == right.destination_port && left.vlan_id == right.vlan_id &&
         left.fragment == right.fragment && (left.fragment == Fragment::Whole || same_datagram) &&
         left.octets == right.octets && left.decapsulated == right.decapsulated;
}

void check_agreement(const Decoded& shorter, const Decoded& longer) {
  if (shorter.stop == Stop::Truncated) return;
  CHECK(longer.stop == shorter.stop);
  if (shorter.stop == Stop::Done) CHECK(same_key(longer.headers, shorter.headers));
}

void check_prefixes(std::span<const uint8_t> packet, uint32_t wire_octets, LinkType link_type,
                    TunnelSet tunnels) {
  std::optional<Decoded> shorter;
  for (size_t captured = 0; captured <= packet.size(); ++captured) {
    if (captured > kPrefixesMax) captured = packet.size();
    const Decoded longer = decode_cut(packet.data(), captured, wire_octets, link_type, tunnels);
    if (shorter) check_agreement(*shorter, longer);
    shorter = longer;
  }
}

void fuzz(const uint8_t* data, size_t size) {
  static const TunnelSet kAllTunnels = parse_tunnels("all").value();
  constexpr size_t kChoices = 4;
  if (size < kChoices) return;
  const auto link_type = LinkType{load_big_endian<uint16_t>(data)};
  const std::span packet(data + kChoices, size - kChoices);
  const auto wire_octets =
      static_cast<uint32_t>(packet.size() + load_big_endian<uint16_t>(data + 2));
  check_prefixes(packet, wire_octets, link_type, {});
  check_prefixes(packet, wire_octets, link_type, kAllTunnels);
}

}  // namespace
}  // namespace clerk

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  clerk::fuzz(data, size);
  return 0;
}
