// What the layers of one packet share while it is decoded from the outside to the inside.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "decode/byte_reader.h"
#include "decode/decode.h"
#include "decode/wire.h"

namespace clerk {

// The most shims that are followed in one packet: tags, labels and the like between the link layer
// and IP. Real stacks have four or five; a loop of them is somebody's experiment.
inline constexpr int kShimsMax = 64;

struct Walk {
  ByteReader reader;  // at the next header
  Headers& headers;
  const uint8_t* begin;  // of the packet
  LayerTrace* trace;
  int shims = 0;
  bool tagged = false;      // headers.vlan_id is settled
  bool fragmented = false;  // the IP packet is a fragment, and not the whole of its datagram

  // Tells of the header at `reader`.
  template <typename... Args>
  void note(std::string_view name, size_t octets, fmt::format_string<Args...> detail,
            Args&&... args) {
    if (trace == nullptr) [[likely]]
      return;
    trace->push_back({.name = name,
                      .at = static_cast<size_t>(reader.position() - begin),
                      .octets = octets,
                      .detail = fmt::format(detail, std::forward<Args>(args)...)});
  }
};

// What a header announced: how decoding goes on, and with what. Values up to 0xffff are EtherTypes;
// the others are headers that no EtherType stands for.
struct Next {
  Stop stop;
  uint32_t protocol;
};

namespace next {
inline constexpr uint32_t kLlc = 0x10000;
inline constexpr uint32_t kEthernet = 0x10001;  // inside something that has no number for it
inline constexpr uint32_t kLabels = 0x10002;    // an MPLS label stack without an EtherType
inline constexpr uint32_t kRawIp = 0x10003;     // whose first four bits tell its version
}  // namespace next

constexpr Next announces(uint32_t protocol) { return {Stop::Done, protocol}; }
constexpr Next stops(Stop stop) { return {stop, 0}; }

// An EtherType that stands where no length can.
constexpr Next announces_ether_type(uint16_t type) {
  return type < wire::ether_type::kMin ? stops(Stop::NonIp) : announces(type);
}

}  // namespace clerk
