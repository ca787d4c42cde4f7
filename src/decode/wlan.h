// IEEE 802.11: a link layer whose header tells its own length.
#pragma once

#include "decode/walk.h"

namespace clerk {

// A frame without anything in front. Only data frames in clear carry packets. `padded`: the header
// is followed by as many octets as make its length a multiple of four.
[[nodiscard]] Next read_wlan(Walk& walk, bool padded);

// A frame behind what the receiving card had to say of it.
[[nodiscard]] Next read_radiotap(Walk& walk);

}  // namespace clerk
