#include "decode/decode.h"

#include <algorithm>
#include <utility>

#include "decode/link.h"
#include "decode/network.h"
#include "decode/shims.h"
#include "decode/transport.h"
#include "decode/tunnel.h"
#include "decode/wire.h"

namespace clerk {

std::string_view name_of(Stop stop) {
  switch (stop) {
    case Stop::Done: return "done";
    case Stop::NonIp: return "non_ip";
    case Stop::LinkType: return "link_type";
    case Stop::Truncated: return "truncated";
    case Stop::Malformed: return "malformed";
    case Stop::DepthLimit: return "depth_limit";
    case Stop::Macsec: return "macsec";
    case Stop::WlanProtected: return "wlan_protected";
    case Stop::WlanAmsdu: return "wlan_amsdu";
    case Stop::WlanFragment: return "wlan_fragment";
    case Stop::BadTime: return "bad_time";
    case Stop::LackOfResources: return "lack_of_resources";
  }
  std::unreachable();
}

std::string_view explain(Stop stop) {
  switch (stop) {
    case Stop::Done: return "counted";
    case Stop::NonIp:
      return "no IP behind the layers that are known: ARP, LLDP, spanning tree and the like";
    case Stop::LinkType: return "a link type that this version does not know";
    case Stop::Truncated:
      return "cut short by the capture before the flow key was complete; capture with a larger "
             "snap length";
    case Stop::Malformed:
      return "headers that contradict themselves, or end before the flow key is complete";
    case Stop::DepthLimit:
      return "more tags, labels, extension headers or tunnels than are followed";
    case Stop::Macsec: return "MACsec whose content is encrypted or changed";
    case Stop::WlanProtected: return "IEEE 802.11 frames with encrypted bodies";
    case Stop::WlanAmsdu: return "IEEE 802.11 frames that hold several packets each (A-MSDU)";
    case Stop::WlanFragment: return "later fragments of IEEE 802.11 frames";
    case Stop::BadTime: return "a timestamp before 1970 or from 5 February 2106, 18:03:44 UTC, on";
    case Stop::LackOfResources: return "new flows met while all tables were full";
  }
  std::unreachable();
}

namespace {

// The IP packet at the walk's reader, behind what `next` announced.
Stop decode_ip(Next next, Length length, Walk& walk) {
  Stop stop = follow_shims(next, walk);
  if (stop == Stop::Done) stop = decode_network(walk, length);
  if (stop == Stop::Done) stop = decode_transport(walk);
  return stop;
}

// What turns a tunnel into no tunnel; the other two say something of the whole packet.
bool is_disproof(Stop stop) {
  return stop != Stop::Done && stop != Stop::Truncated && stop != Stop::DepthLimit;
}

// Replaces what was decoded by what it holds. What proves to be no tunnel leaves the walk as it
// was.
Stop look_inside(TunnelSet tunnels, AnnouncedBy announced_by, Walk& walk) {
  const Headers outer = walk.headers;
  const ByteReader payload = walk.reader;
  const int shims = walk.shims;
  const bool tagged = walk.tagged;
  const bool fragmented = walk.fragmented;
  const Next next = enter_tunnel(tunnels, announced_by, walk);
  const Stop stop = next.stop == Stop::Done ? decode_ip(next, Length::Fits, walk) : next.stop;
  if (is_disproof(stop)) {
    walk.headers = outer;
    walk.reader = payload;
    walk.shims = shims;
    walk.tagged = tagged;
    walk.fragmented = fragmented;
  }
  return stop;
}

// Looks inside as often as there is a tunnel.
Stop decapsulate(TunnelSet tunnels, Walk& walk) {
  for (int tunnel = 0;; ++tunnel) {
    Stop stop = look_inside(tunnels, AnnouncedBy::ProtocolOrDestinationPort, walk);
    if (is_disproof(stop)) stop = look_inside(tunnels, AnnouncedBy::SourcePort, walk);
    if (is_disproof(stop)) return Stop::Done;
    if (stop != Stop::Done) return stop;
    if (tunnel == kTunnelsMax) return Stop::DepthLimit;
    walk.headers.decapsulated = true;
  }
}

}  // namespace

Stop decode_layers(const Packet& packet, TunnelSet tunnels, Headers& headers, LayerTrace* trace) {
  const uint32_t wire_octets = std::max(packet.wire_octets, packet.captured_octets);
  Walk walk{.reader = {packet.data, packet.captured_octets, wire_octets - packet.captured_octets},
            .headers = headers,
            .begin = packet.data,
            .trace = trace,
            .tagged = packet.stripped_vlan_id != kNoVlanTag};
  headers.vlan_id = walk.tagged ? packet.stripped_vlan_id : uint16_t{0};
  headers.decapsulated = false;
  headers.link = {
      .source = nullptr, .destination = nullptr, .ether_type = 0, .octets = wire_octets};
  if (walk.tagged) headers.link.octets += wire::kVlanOctets;  // it was there
  const Next next = read_link_header(packet.link_type, walk);
  const Stop stop = decode_ip(next, Length::Any, walk);
  headers.octets_on_link = headers.octets;
  if (stop != Stop::Done || tunnels.empty()) return stop;
  return decapsulate(tunnels, walk);
}

}  // namespace clerk
