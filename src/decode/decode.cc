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

namespace {

Stop decode_layers(const Packet& packet, Headers& headers) {
  ByteReader reader(packet.data, packet.captured_octets);
  const Stop link = find_network_header(packet.link_type, reader, headers);
  if (link != Stop::Done) return link;
  const auto link_octets = static_cast<uint32_t>(reader.position() - packet.data);
  const uint32_t wire_octets =
      packet.wire_octets > link_octets ? packet.wire_octets - link_octets : 0;
  const size_t captured_octets = reader.left();
  const Stop network = decode_network(reader, wire_octets, headers);
  if (network != Stop::Done) return network;
  const bool cut = captured_octets < std::min(wire_octets, headers.octets);
  return decode_transport(reader, cut, headers);
}

}  // namespace

Stop decode(const Packet& packet, Headers& headers) {
  const Stop stop = decode_layers(packet, headers);
  // What the capture did not cut was that short on the wire.
  const bool cut = packet.captured_octets < packet.wire_octets;
  return stop == Stop::Truncated && !cut ? Stop::Malformed : stop;
}

}  // namespace clerk
