#include "decode/decode.h"

#include <algorithm>
#include <utility>

#include "decode/byte_reader.h"
#include "decode/link.h"
#include "decode/network.h"
#include "decode/transport.h"

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
      return "no IP behind the layers that this version knows: ARP, LLDP, spanning tree, PPPoE";
    case Stop::LinkType: return "a link type that this version does not know";
    case Stop::Truncated:
      return "cut short by the capture before the flow key was complete; capture with a larger "
             "snap length";
    case Stop::Malformed: return "headers that contradict themselves";
    case Stop::DepthLimit: return "more tags, labels or extension headers than are followed";
    case Stop::Macsec: return "MACsec with encrypted content";
    case Stop::WlanProtected: return "IEEE 802.11 frames with encrypted bodies";
    case Stop::WlanAmsdu: return "IEEE 802.11 frames that hold several packets each (A-MSDU)";
    case Stop::WlanFragment: return "later fragments of IEEE 802.11 frames";
    case Stop::BadTime: return "a timestamp before 1970 or behind 5 February 2106";
    case Stop::LackOfResources: return "new flows met while all tables were full";
  }
  std::unreachable();
}

Stop decode(const Packet& packet, TunnelSet /*tunnels*/, Headers& headers, LayerTrace* /*trace*/) {
  ByteReader reader(packet.data, packet.captured_octets);
  Stop stop = find_network_header(packet, reader, headers);
  const uint32_t wire_octets = octets_left_on_wire(packet, reader);
  const size_t captured_octets = reader.left();
  headers.octets = UINT32_MAX;  // until the IP header tells
  if (stop == Stop::Done) stop = decode_network(reader, wire_octets, headers);
  if (stop == Stop::Done) stop = decode_transport(reader, headers);
  // What is missing was cut by the capture, unless all that the wire had of the packet is there;
  // padding behind the IP length is no part of it.
  const bool cut = captured_octets < std::min(wire_octets, headers.octets);
  return stop == Stop::Truncated && !cut ? Stop::Malformed : stop;
}

}  // namespace clerk
