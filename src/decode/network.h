// The IP header: addresses, length, ToS, the payload's protocol, and whether it is a fragment.
#pragma once

#include "decode/byte_reader.h"
#include "decode/decode.h"

namespace clerk {

// The most IPv6 extension headers that are followed in one packet.
inline constexpr int kExtensionHeadersMax = 128;

// Reads the IP header of headers.version at `reader`, moves `reader` to the payload and limits it
// to the IP length. `wire_octets` is what the wire had from the IP header on: the length of a
// packet that states none (segmentation offload, a jumbogram).
[[nodiscard]] Stop decode_network(ByteReader& reader, uint32_t wire_octets, Headers& headers);

}  // namespace clerk
