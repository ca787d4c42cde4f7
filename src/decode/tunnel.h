// Tunnels: IP packets that hold other packets.
#pragma once

#include "decode/walk.h"

namespace clerk {

// Tunnels inside one another that are followed in one packet.
inline constexpr int kTunnelsMax = 8;

// By what a packet says that it is a tunnel. Both ports of UDP may name one.
enum class AnnouncedBy : uint8_t { ProtocolOrDestinationPort, SourcePort };

// What the IP packet that was just decoded holds, if it is one of `tunnels` and its tunnel header
// validates. The walk stands behind the IP header, and then behind the tunnel's. Any stop but Done
// means that there is no such tunnel, unless it is Truncated: then only the capture lacks what
// would decide. The walk is then anywhere.
[[nodiscard]] Next enter_tunnel(TunnelSet tunnels, AnnouncedBy announced_by, Walk& walk);

}  // namespace clerk
