// A packet as a test of the later stages describes it: by the values that make its flow, not by its
// octets. frame_of() writes them as Ethernet carries them; what the decoder makes of stranger
// octets is the business of the decoder's own tests.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ip_address.h"
#include "base/mac_address.h"

namespace clerk {

enum class DatagramPart : uint8_t { Whole, First, Later };

struct DescribedPacket {
  uint64_t time_ns = 0;
  IpVersion version = IpVersion::V4;
  uint8_t source_host = 1;  // the last octet of 10.0.0.x, 2001:db8::x or 02:00:00:00:00:x
  uint8_t destination_host = 2;
  uint8_t protocol = 17;
  uint16_t source_port = 1000;
  uint16_t destination_port = 2000;  // of ICMP: type * 256 + code
  uint16_t vlan_id = 0;              // 0: no tag
  uint8_t tos = 0;
  uint8_t tcp_flags = 0;
  uint32_t octets = 100;  // IP length, at least that of the headers; without IP the whole frame
  DatagramPart part = DatagramPart::Whole;
  uint16_t identification = 0;  // of a fragment
  uint16_t ether_type = 0;      // other than 0: a frame without IP, only of hosts and VLAN id
};

// The address that a host number stands for.
IpAddress address_of(IpVersion version, uint8_t host);
MacAddress mac_of(uint8_t host);

// Ethernet, a VLAN tag if there is an id, IP, and a transport header unless it is a later fragment.
std::vector<uint8_t> frame_of(const DescribedPacket& packet);

}  // namespace clerk
