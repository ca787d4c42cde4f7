#include "capture/block.h"

#include <linux/if_ether.h>

#include "base/prefetch.h"
#include "base/time.h"

namespace clerk {
namespace {

constexpr uint16_t kVlanIdMask = 0x0fff;

// A packet without its link header has the type that the kernel says.
LinkType link_type_of(uint16_t ether_type) {
  switch (ether_type) {
    case ETH_P_IP: return LinkType::Ipv4;
    case ETH_P_IPV6: return LinkType::Ipv6;
    default: return LinkType::NotIp;
  }
}

void cut_link_header(const testimony::RingPacket& from, Packet& packet) {
  packet.data += from.network_offset;
  packet.captured_octets -= from.network_offset;
  packet.wire_octets -= std::min(from.network_offset, packet.wire_octets);
  packet.link_type = link_type_of(from.ether_type);
}

// Has the packets some way behind this one on their way from memory; the kernel wrote them from
// another core. A small one takes two to three lines with its header.
CLERK_ALWAYS_INLINE void prefetch_behind(const uint8_t* packet) {
  constexpr size_t kAheadOctets = 1024;
  constexpr size_t kLineOctets = 64;
  for (size_t line = 0; line < 3; ++line)
    prefetch_for_read(packet + kAheadOctets + line * kLineOctets);
}

}  // namespace

std::span<const Packet> BlockReader::next(std::span<Packet> packets) {
  size_t filled = 0;
  testimony::RingPacket from;
  while (filled < packets.size() && walker_.next(from)) {
    prefetch_behind(from.data);
    Packet& packet = packets[filled++];
    packet = {.data = from.data,
              .time_ns = from.second * kNanosecondsPerSecond + from.nanosecond,
              .captured_octets = from.captured_octets,
              .wire_octets = from.wire_octets};
    if (from.has_vlan) packet.stripped_vlan_id = from.vlan_tci & kVlanIdMask;
    if (link_ == RingLink::Network) cut_link_header(from, packet);
  }
  return packets.first(filled);
}

}  // namespace clerk
