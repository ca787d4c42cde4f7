// A packet as a line for people:
//
//   2023-11-14T22:13:20.000000001Z 0 wire 1514 captured 256 vlan 7 IPv4 192.0.2.1:53 >
//   192.0.2.2:1024 UDP
//
// that is time, part of the ring, octets, VLAN ids from the outermost on, EtherType and, where the
// packet has them, IP addresses, ports and protocol. What was cut off is left out.
#pragma once

#include <cstdint>
#include <string>

#include "testimony/client.h"

namespace testimony_dump {

// Without the end of the line.
std::string text_of(const testimony::RingPacket& packet, testimony::Link link, uint32_t part);

}  // namespace testimony_dump
