// The transport header, as far as the flow key and the counters need it.
#pragma once

#include "decode/walk.h"

namespace clerk {

// Whether packets of this protocol have something in their first octets that belongs to the flow
// key: ports, or ICMP's type and code.
[[nodiscard]] bool has_transport_key(IpVersion version, uint8_t protocol);

// Sets ports, ICMP type and code and TCP flags from the walk's reader, which stands behind the IP
// header, ends with the IP packet, and stays where it is. Later fragments get none of them.
[[nodiscard]] Stop decode_transport(Walk& walk);

}  // namespace clerk
