// The link layer: finds the IP header behind the link type's own header, VLAN tags and MPLS labels.
#pragma once

#include "capture/packet.h"
#include "decode/byte_reader.h"
#include "decode/decode.h"

namespace clerk {

// The most tags and labels that are followed in one packet. Real stacks have four or five; a loop
// of them is somebody's experiment.
inline constexpr int kShimsMax = 64;

// Moves `reader` to the IP header, and sets the version that the layer below announced and the VLAN
// id of the outermost tag.
[[nodiscard]] Stop find_network_header(LinkType link_type, ByteReader& reader, Headers& headers);

}  // namespace clerk
