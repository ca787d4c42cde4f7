#include "decode/decode.h"

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
    case Stop::BadTime: return "a timestamp after the year 2106 or before 1970";
    case Stop::LackOfResources: return "new flows met while all tables were full";
  }
  std::unreachable();
}

Stop decode(const Packet& packet, Headers& headers) {
  ByteReader reader(packet.data, packet.captured_octets);
  const Stop link = find_network_header(packet.link_type, reader, headers);
  if (link != Stop::Done) return link;
  const auto link_octets = static_cast<uint32_t>(reader.position() - packet.data);
  const uint32_t wire_octets =
      packet.wire_octets > link_octets ? packet.wire_octets - link_octets : 0;
  const bool cut = reader.left() < wire_octets;
  const Stop network = decode_network(reader, wire_octets, headers);
  if (network != Stop::Done) return network;
  return decode_transport(reader, cut, headers);
}

}  // namespace clerk
