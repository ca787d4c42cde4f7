// What a decoder saw on its way through one packet, layer by layer, for people who want to know.
//
// Decoding a packet for its flow key passes none and pays one branch a layer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace clerk {

// One header: where it began, counted from the first captured octet, and how long it was.
struct Layer {
  std::string_view name;  // a literal: "Ethernet", "IPv4"
  size_t at;
  size_t octets;
  std::string detail;  // what of it mattered: "VLAN 7"; may be empty
};

using LayerTrace = std::vector<Layer>;

}  // namespace clerk
