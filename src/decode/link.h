// The link layer: what a capture's link type puts in front of everything else.
#pragma once

#include "capture/packet.h"
#include "decode/walk.h"

namespace clerk {

// Moves the walk, which stands at the packet's first octet, behind the link header; sets the MAC
// addresses and what the frame's length counts from.
[[nodiscard]] Next read_link_header(LinkType link_type, Walk& walk);

}  // namespace clerk
