#include "testing/reference_decoder.h"

#include "testing/reference_layers.h"

namespace clerk::reference {
namespace {

constexpr size_t kShimsMax = 64;
constexpr size_t kTagOctets = 4;  // of the tag that was taken off: the wire had them

}  // namespace

void Way::enter_shim() {
  if (++shims > kShimsMax) throw Ended{Stop::DepthLimit};
}

Answer without_key(const Way& way, Stop stop) {
  return {.stop = stop, .vlan_id = way.vlan_id.value_or(0), .link = way.link};
}

Answer decode(const Capture& capture) {
  const Way way{.look_into = capture.tunnels, .vlan_id = capture.stripped_vlan_id};
  try {
    const Reader packet(capture.octets, capture.wire_octets);
    Answer answer = link_layer(way, capture.link_type, packet);
    if (capture.stripped_vlan_id) answer.link.octets += kTagOctets;
    return answer;
  } catch (const Ended& ended) {
    return {.stop = ended.stop};
  }
}

}  // namespace clerk::reference
