// What the tests of this stage share: decoding a packet of the builder, and names in failures.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "decode/decode.h"
#include "testing/packet_builder.h"

namespace clerk {

// What loops over literals need, so that these do not begin as int.
using Octets = std::initializer_list<uint8_t>;
using EtherTypes = std::initializer_list<uint16_t>;

inline std::ostream& operator<<(std::ostream& out, Stop stop) { return out << name_of(stop); }

inline std::ostream& operator<<(std::ostream& out, Fragment fragment) {
  const char* const names[] = {"whole", "first fragment", "later fragment"};
  return out << names[static_cast<size_t>(fragment)];
}

inline std::ostream& operator<<(std::ostream& out, IpVersion version) {
  return out << "IPv" << static_cast<int>(version);
}

// A decoded packet, with the octets that its headers point into.
struct Decoded {
  std::vector<uint8_t> octets;
  Stop stop;
  Headers headers;

  [[nodiscard]] std::string source() const { return address(0); }
  [[nodiscard]] std::string destination() const {
    return address(headers.version == IpVersion::V4 ? 4 : 16);
  }

 private:
  [[nodiscard]] std::string address(size_t at) const {
    return to_string(IpAddress::from_wire(headers.version, headers.addresses + at));
  }
};

// The wire had `wire_octets`, by default what was captured. No field of the headers begins with a
// value that a decoder would give it, so that one which is not set shows.
inline Decoded decode_octets(std::vector<uint8_t> octets, LinkType link_type = LinkType::Ethernet,
                             std::optional<uint32_t> wire_octets = {}) {
  const auto captured = static_cast<uint32_t>(octets.size());
  Decoded decoded{.octets = std::move(octets),
                  .stop = Stop::LackOfResources,
                  .headers = {.addresses = nullptr,
                              .version = IpVersion{9},
                              .protocol = 0xaa,
                              .tos = 0xaa,
                              .tcp_flags = 0xaa,
                              .source_port = 0xaaaa,
                              .destination_port = 0xaaaa,
                              .vlan_id = 0xaaaa,
                              .fragment = Fragment::First,
                              .tcp_flags_missing = true,
                              .datagram_protocol = 0xaa,
                              .identification = 0xaaaaaaaa,
                              .octets = 0xaaaaaaaa}};
  const Packet packet{.data = decoded.octets.data(),
                      .captured_octets = captured,
                      .wire_octets = wire_octets.value_or(captured),
                      .link_type = link_type};
  decoded.stop = decode(packet, {}, decoded.headers);
  return decoded;
}

inline Decoded decode_built(const PacketBuilder& packet, LinkType link_type = LinkType::Ethernet) {
  return decode_octets(packet.build(), link_type);
}

// The packet as a capture with this snap length holds it.
inline Decoded decode_cut(const std::vector<uint8_t>& octets, size_t captured,
                          LinkType link_type = LinkType::Ethernet) {
  const auto end = octets.begin() + static_cast<ptrdiff_t>(captured);
  return decode_octets({octets.begin(), end}, link_type, static_cast<uint32_t>(octets.size()));
}

}  // namespace clerk
