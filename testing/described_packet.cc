#include "testing/described_packet.h"

#include "testing/packet_builder.h"

namespace clerk {
namespace {

constexpr uint16_t kLaterOffset = 1480;  // behind the first fragment that an Ethernet frame holds

void append_ipv4(PacketBuilder& to, const DescribedPacket& packet) {
  to.ipv4({.source = to_string(address_of(packet.version, packet.source_host)),
           .destination = to_string(address_of(packet.version, packet.destination_host)),
           .tos = packet.tos,
           .identification = packet.identification,
           .fragment_offset = packet.part == DatagramPart::Later ? kLaterOffset : uint16_t{0},
           .more_fragments = packet.part == DatagramPart::First});
}

void append_ipv6(PacketBuilder& to, const DescribedPacket& packet) {
  to.ipv6({.source = to_string(address_of(packet.version, packet.source_host)),
           .destination = to_string(address_of(packet.version, packet.destination_host)),
           .traffic_class = packet.tos});
  if (packet.part == DatagramPart::Whole) return;
  to.fragment({.offset = packet.part == DatagramPart::Later ? kLaterOffset : uint16_t{0},
               .more = packet.part == DatagramPart::First,
               .identification = packet.identification});
}

void append_transport(PacketBuilder& to, const DescribedPacket& packet) {
  constexpr uint8_t kIcmp = 1;
  constexpr uint8_t kTcp = 6;
  constexpr uint8_t kUdp = 17;
  constexpr uint8_t kIcmpV6 = 58;
  const auto type = static_cast<uint8_t>(packet.destination_port >> 8);
  const auto code = static_cast<uint8_t>(packet.destination_port);
  if (packet.part == DatagramPart::Later) {
    to.protocol(packet.protocol);
    return;
  }
  switch (packet.protocol) {
    case kTcp: to.tcp({packet.source_port, packet.destination_port, packet.tcp_flags}); break;
    case kUdp: to.udp({packet.source_port, packet.destination_port}); break;
    case kIcmp: to.icmp(type, code); break;
    case kIcmpV6: to.icmp_v6(type, code); break;
    default: to.protocol(packet.protocol);
  }
}

std::vector<uint8_t> frame_without_ip(PacketBuilder builder, const DescribedPacket& packet) {
  constexpr size_t kDestinationHostAt = 5;
  constexpr size_t kSourceHostAt = 11;
  builder.ether_type(packet.ether_type);
  builder.payload(packet.octets - builder.build().size());
  return builder.set_octet(kDestinationHostAt, packet.destination_host)
      .set_octet(kSourceHostAt, packet.source_host)
      .build();
}

}  // namespace

MacAddress mac_of(uint8_t host) { return {{0x02, 0, 0, 0, 0, host}}; }

IpAddress address_of(IpVersion version, uint8_t host) {
  IpAddress address{.version = version};
  if (version == IpVersion::V4) {
    address.octets = {10, 0, 0, host};
  } else {
    address.octets = {0x20, 0x01, 0x0d, 0xb8};
    address.octets.back() = host;
  }
  return address;
}

std::vector<uint8_t> frame_of(const DescribedPacket& packet) {
  PacketBuilder builder;
  builder.ethernet();
  if (packet.vlan_id != 0) builder.vlan(packet.vlan_id);
  if (packet.ether_type != 0) return frame_without_ip(builder, packet);
  const size_t link_octets = builder.build().size();
  packet.version == IpVersion::V4 ? append_ipv4(builder, packet) : append_ipv6(builder, packet);
  append_transport(builder, packet);
  builder.payload(packet.octets - (builder.build().size() - link_octets));
  return builder.build();
}

}  // namespace clerk
