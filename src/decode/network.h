// The IP header: addresses, length, ToS, the payload's protocol, and whether it is a fragment.
#pragma once

#include "decode/walk.h"

namespace clerk {

// The most IPv6 extension headers that are followed in one packet.
inline constexpr int kExtensionHeadersMax = 128;

// Which length of a packet is believed.
enum class Length : uint8_t {
  Any,   // what the IP header says, also when the frame is shorter
  Fits,  // not more than there was on the wire
};

// Reads the IP header of headers.version at the walk's reader, moves the reader to the payload and
// limits it to the IP length; tells whether it is a fragment. A packet that states no length
// (segmentation offload, a jumbogram) has what the wire had of it.
[[nodiscard]] Stop decode_network(Walk& walk, Length length);

}  // namespace clerk
