// The link layer: finds the IP header behind the link type's own header, VLAN tags and MPLS labels.
#pragma once

#include <algorithm>

#include "capture/packet.h"
#include "decode/byte_reader.h"
#include "decode/decode.h"

namespace clerk {

// The most tags and labels that are followed in one packet. Real stacks have four or five; a loop
// of them is somebody's experiment.
inline constexpr int kShimsMax = 64;

// Moves `reader`, which stands at the packet's first octet, to the IP header, and sets the version
// that the layer below announced and the VLAN id of the outermost tag.
[[nodiscard]] Stop find_network_header(const Packet& packet, ByteReader& reader, Headers& headers);

// What the wire had of the packet from `reader` on, which the capture may have cut. A record that
// claims less on the wire than was captured is taken by what was captured.
[[nodiscard]] inline uint32_t octets_left_on_wire(const Packet& packet, const ByteReader& reader) {
  const auto passed = static_cast<uint32_t>(reader.position() - packet.data);
  return std::max(packet.wire_octets, packet.captured_octets) - passed;
}

}  // namespace clerk
