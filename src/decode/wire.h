// The numbers of the headers that the decoder reads: offsets and sizes in octets, and the
// registered values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clerk::wire {

// EtherType (IEEE 802 numbers). Smaller values are lengths (IEEE 802.3).
namespace ether_type {
inline constexpr uint16_t kIpv4 = 0x0800;
inline constexpr uint16_t kIpv6 = 0x86dd;
inline constexpr uint16_t kVlan = 0x8100;         // 802.1Q
inline constexpr uint16_t kServiceVlan = 0x88a8;  // 802.1ad
inline constexpr uint16_t kVlan9100 = 0x9100;     // before 802.1ad: QinQ of several vendors
inline constexpr uint16_t kVlan9200 = 0x9200;
inline constexpr uint16_t kVlan9300 = 0x9300;
inline constexpr uint16_t kMpls = 0x8847;
inline constexpr uint16_t kMplsMulticast = 0x8848;
}  // namespace ether_type

// Ethernet: destination 6 | source 6 | EtherType 2
inline constexpr size_t kEthernetOctets = 14;
inline constexpr size_t kEthernetTypeAt = 12;

// VLAN tag behind its EtherType: priority 3 bits, drop eligible 1 bit, id 12 bits | EtherType 2
inline constexpr size_t kVlanOctets = 4;
inline constexpr uint16_t kVlanIdMask = 0x0fff;

// MPLS label stack entry: label 20 bits, class 3, bottom of stack 1, TTL 8 (RFC 3032)
inline constexpr size_t kMplsOctets = 4;
inline constexpr uint32_t kMplsBottomBit = 0x100;
// Pseudowire control word: its first four bits are 0 (RFC 4385)
inline constexpr size_t kControlWordOctets = 4;

// Linux cooked: packet type 2 | ARPHRD 2 | address length 2 | address 8 | protocol 2
inline constexpr size_t kLinuxCookedOctets = 16;
inline constexpr size_t kLinuxCookedHardwareAt = 2;
inline constexpr size_t kLinuxCookedProtocolAt = 14;
// Linux cooked 2: protocol 2 | reserved 2 | interface 4 | ARPHRD 2 | packet type 1 | address length
// 1 | 8
inline constexpr size_t kLinuxCooked2Octets = 20;
inline constexpr size_t kLinuxCooked2HardwareAt = 8;
inline constexpr size_t kLinuxCooked2ProtocolAt = 0;
// With this ARPHRD the protocol field holds a netlink family instead of an EtherType.
inline constexpr uint16_t kHardwareNetlink = 824;

// IPv4 (RFC 791): version 4 bits, header length 4 bits | ToS 1 | total length 2 | identification 2
// | flags 3 bits, fragment offset 13 bits | TTL 1 | protocol 1 | checksum 2 | source 4 |
// destination 4 | options
inline constexpr size_t kIpv4OctetsMin = 20;
inline constexpr size_t kIpv4TosAt = 1;
inline constexpr size_t kIpv4LengthAt = 2;
inline constexpr size_t kIpv4IdentificationAt = 4;
inline constexpr size_t kIpv4FragmentAt = 6;
inline constexpr size_t kIpv4ProtocolAt = 9;
inline constexpr size_t kIpv4AddressesAt = 12;
inline constexpr uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr uint16_t kIpv4OffsetMask = 0x1fff;

// IPv6 (RFC 8200): version 4 bits, traffic class 8 bits, flow label 20 bits | payload length 2 |
// next header 1 | hop limit 1 | source 16 | destination 16
inline constexpr size_t kIpv6Octets = 40;
inline constexpr size_t kIpv6LengthAt = 4;
inline constexpr size_t kIpv6NextHeaderAt = 6;
inline constexpr size_t kIpv6AddressesAt = 8;

// IPv6 Fragment header: next header 1 | reserved 1 | offset 13 bits, reserved 2, more 1 |
// identification 4
inline constexpr size_t kIpv6FragmentOctets = 8;
inline constexpr uint16_t kIpv6MoreFragments = 0x0001;
inline constexpr uint16_t kIpv6OffsetMask = 0xfff8;

// IP protocol numbers (IANA)
namespace protocol {
inline constexpr uint8_t kHopByHop = 0;
inline constexpr uint8_t kIcmp = 1;
inline constexpr uint8_t kTcp = 6;
inline constexpr uint8_t kUdp = 17;
inline constexpr uint8_t kDccp = 33;
inline constexpr uint8_t kRouting = 43;
inline constexpr uint8_t kFragment = 44;
inline constexpr uint8_t kAuthentication = 51;
inline constexpr uint8_t kIcmpV6 = 58;
inline constexpr uint8_t kNoNextHeader = 59;
inline constexpr uint8_t kDestinationOptions = 60;
inline constexpr uint8_t kSctp = 132;
inline constexpr uint8_t kMobility = 135;
inline constexpr uint8_t kUdpLite = 136;
inline constexpr uint8_t kHostIdentity = 139;
inline constexpr uint8_t kShim6 = 140;
}  // namespace protocol

// TCP (RFC 9293): source port 2 | destination port 2 | sequence 4 | acknowledgement 4 | offset 1 |
// flags 1
inline constexpr size_t kTcpFlagsAt = 13;
namespace tcp_flag {
inline constexpr uint8_t kFin = 0x01;
inline constexpr uint8_t kSyn = 0x02;
inline constexpr uint8_t kRst = 0x04;
inline constexpr uint8_t kPsh = 0x08;
inline constexpr uint8_t kAck = 0x10;
}  // namespace tcp_flag

// Source port 2 | destination port 2, the same for TCP, UDP, UDP-Lite, SCTP and DCCP
inline constexpr size_t kPortsOctets = 4;
// ICMP and ICMPv6: type 1 | code 1
inline constexpr size_t kIcmpTypeCodeOctets = 2;

}  // namespace clerk::wire
