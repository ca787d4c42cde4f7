// What lies between the link layer and IP: tags, labels and encapsulations, in any order.
#pragma once

#include "decode/walk.h"

namespace clerk {

// Follows what `next` announced up to the IP header; sets its version, the VLAN id of the outermost
// tag and the last EtherType.
[[nodiscard]] Stop follow_shims(Next next, Walk& walk);

// An Ethernet header, and nothing behind it.
[[nodiscard]] Next read_ethernet(Walk& walk);

// What PPP carries. `ff 03` may stand in front of it.
[[nodiscard]] Next read_ppp(Walk& walk);

// What SNAP carries, behind LLC or where another header announces it alone.
[[nodiscard]] Next read_snap(Walk& walk);

}  // namespace clerk
