// Octets become headers: link layer, then IP, then the transport protocol's first octets.
//
// docs/decoding.md has the rules. usual_packet.h takes most packets at a glance; the layers take
// the others, and all when tunnels or a trace are asked for: link.cc knows the link types, wlan.cc
// IEEE 802.11 among them; shims.cc tags, labels and what else lies in front of IP; network.cc IPv4
// with options, the chain of IPv6 extension headers and fragments; transport.cc ports, ICMP type
// and code and TCP flags; tunnel.cc what holds another packet; wire.h what all these look like.
// They share a Walk (walk.h).
//
// Nothing is read outside the captured octets, nothing is allocated, and nothing is guessed: a
// packet that yields no key says why. Any thread; no state.
#pragma once

#include <cstdint>
#include <string_view>

#include "capture/packet.h"
#include "decode/headers.h"
#include "decode/layer_trace.h"
#include "decode/tunnels.h"
#include "decode/usual_packet.h"

namespace clerk {

// How decoding a packet ended. Each value but Done is a cause by which packets are counted; the
// meter adds causes of its own at the end.
enum class Stop : uint8_t {
  Done,             // it has a flow key
  NonIp,            // it carries no IP, as far as this decoder looks
  LinkType,         // its link type is unknown
  Truncated,        // the capture cut it before its key was complete
  Malformed,        // its headers contradict themselves or end before its key is complete
  DepthLimit,       // more tags, labels, extension headers or tunnels than are followed
  Macsec,           // MACsec whose content is encrypted or changed
  WlanProtected,    // an IEEE 802.11 frame whose body is encrypted
  WlanAmsdu,        // an IEEE 802.11 frame that holds several packets
  WlanFragment,     // a later fragment of an IEEE 802.11 frame
  BadTime,          // its timestamp cannot be used
  LackOfResources,  // it would begin a flow, but the meter has no room and no empty table
};
inline constexpr size_t kStops = 12;

// The cause as counters name it, behind "ignored_".
[[nodiscard]] std::string_view name_of(Stop stop);

// What the cause means, for people.
[[nodiscard]] std::string_view explain(Stop stop);

// Fills `headers` when it returns Done; otherwise only what LinkHeaders says there. Looks into
// `tunnels`. Adds each layer that it reads to `trace`, if there is one, also those inside a tunnel
// that turns out to be none.
[[nodiscard]] inline Stop decode(const Packet& packet, TunnelSet tunnels, Headers& headers,
                                 LayerTrace* trace = nullptr);

// The same, and always layer by layer.
[[nodiscard]] Stop decode_layers(const Packet& packet, TunnelSet tunnels, Headers& headers,
                                 LayerTrace* trace);

Stop decode(const Packet& packet, TunnelSet tunnels, Headers& headers, LayerTrace* trace) {
  const bool wants_layers = trace != nullptr || !tunnels.empty();
  if (!wants_layers && decode_usual(packet, headers)) [[likely]]
    return Stop::Done;
  return decode_layers(packet, tunnels, headers, trace);
}

}  // namespace clerk
