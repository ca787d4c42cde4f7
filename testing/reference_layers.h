// The layers of the reference decoder: each function takes what was learnt on the way to its layer
// and the octets from there on, and returns what becomes of the packet.
#pragma once

#include "testing/reference_reader.h"

namespace clerk::reference {

// What was learnt on the way to a header. Each layer has a copy of its own, so that nothing is to
// be undone when a tunnel turns out to be none.
struct Way {
  std::set<Tunnel> look_into;
  std::optional<uint16_t> vlan_id = {};  // of the first tag
  Link link = {};
  size_t shims = 0;
  size_t tunnels = 0;

  // One more; beyond the limit it throws DepthLimit.
  void enter_shim();
};

// The packet ends here without a key.
[[nodiscard]] Answer without_key(const Way& way, Stop stop);

// reference_link.cc
[[nodiscard]] Answer link_layer(Way way, uint32_t link_type, Reader rest);

// reference_wlan.cc
[[nodiscard]] Answer wlan(const Way& way, const Reader& rest);
[[nodiscard]] Answer radiotap(const Way& way, Reader rest);

// reference_shims.cc
[[nodiscard]] Answer announced_by_ether_type(Way way, uint64_t ether_type, const Reader& rest);
// The same where IEEE 802.3 may have its length instead.
[[nodiscard]] Answer announced_by_type_or_length(const Way& way, uint64_t value, Reader rest);
[[nodiscard]] Answer ethernet_header(const Way& way, Reader rest);  // inside something else
[[nodiscard]] Answer ppp(const Way& way, Reader rest);
[[nodiscard]] Answer llc(Way way, Reader rest);
[[nodiscard]] Answer snap(const Way& way, Reader rest);
[[nodiscard]] Answer mpls(Way way, Reader rest);

// reference_ip.cc
[[nodiscard]] Answer ip(const Way& way, int version, const Reader& rest);
[[nodiscard]] Answer ip_by_first_bits(const Way& way, const Reader& rest);

// reference_tunnels.cc
// What is inside the tunnel that a packet with this key holds, if it is to be looked into and is
// believed.
[[nodiscard]] std::optional<Answer> inside_tunnel(Way way, const Key& key, const Reader& payload);

}  // namespace clerk::reference
