// The numbers of the headers that the decoder reads: offsets and sizes in octets, and the
// registered values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clerk::wire {

// EtherType (IEEE 802 numbers). Smaller values are lengths (IEEE 802.3).
namespace ether_type {
inline constexpr uint16_t kMin = 0x0600;
inline constexpr uint16_t kIpv4 = 0x0800;
inline constexpr uint16_t kTransparentEthernet = 0x6558;
inline constexpr uint16_t kIpv6 = 0x86dd;
inline constexpr uint16_t kVlan = 0x8100;         // 802.1Q
inline constexpr uint16_t kServiceVlan = 0x88a8;  // 802.1ad
inline constexpr uint16_t kVlan9100 = 0x9100;     // before 802.1ad: QinQ of several vendors
inline constexpr uint16_t kVlan9200 = 0x9200;
inline constexpr uint16_t kVlan9300 = 0x9300;
inline constexpr uint16_t kMpls = 0x8847;
inline constexpr uint16_t kMplsMulticast = 0x8848;
inline constexpr uint16_t kPppoeSession = 0x8864;
inline constexpr uint16_t kPpp = 0x880b;
inline constexpr uint16_t kErspan = 0x88be;   // types I and II; GRE alone
inline constexpr uint16_t kErspan3 = 0x22eb;  // type III; GRE alone
inline constexpr uint16_t kMacsec = 0x88e5;
inline constexpr uint16_t kBackboneService = 0x88e7;  // 802.1ah
}  // namespace ether_type

// Ethernet: destination 6 | source 6 | EtherType 2, or the length of what follows (IEEE 802.3)
inline constexpr size_t kMacOctets = 6;
inline constexpr size_t kEthernetOctets = 14;
inline constexpr size_t kEthernetTypeAt = 12;
inline constexpr uint16_t kLength8023Max = 1500;

// VLAN tag behind its EtherType: priority 3 bits, drop eligible 1 bit, id 12 bits | EtherType 2
inline constexpr size_t kVlanOctets = 4;
inline constexpr uint16_t kVlanIdMask = 0x0fff;

// 802.1ah behind its EtherType: flags 1 | service id 3; then the customer's Ethernet header
inline constexpr size_t kServiceTagOctets = 4;

// MACsec (IEEE 802.1AE) behind its EtherType: TCI and AN 1 | short length 1 | packet number 4 | SCI
// 8, if there is one; at the end of the frame the integrity check value
inline constexpr size_t kMacsecOctetsMin = 6;
inline constexpr size_t kMacsecSciOctets = 8;
inline constexpr size_t kMacsecIcvOctets = 16;
inline constexpr uint8_t kMacsecHasSci = 0x20;
inline constexpr uint8_t kMacsecEncryptedOrChanged = 0x0c;
inline constexpr uint8_t kMacsecShortLengthMask = 0x3f;

// LLC (IEEE 802.2): DSAP 1 | SSAP 1 | control 1. SNAP behind it: OUI 3 | protocol 2
inline constexpr size_t kLlcOctets = 3;
inline constexpr uint8_t kSapSnap = 0xaa;
inline constexpr uint8_t kSapIp = 0x06;
inline constexpr uint8_t kSapCommandMask = 0xfe;  // the low bit tells commands from responses
inline constexpr uint8_t kUnnumberedInformation = 0x03;
inline constexpr size_t kSnapOctets = 5;
inline constexpr uint32_t kOuiEtherType = 0x000000;
inline constexpr uint32_t kOuiBridgeTunnel = 0x0000f8;
inline constexpr uint32_t kOuiBridged = 0x0080c2;  // RFC 2684, RFC 2427
inline constexpr uint16_t kBridgedEthernetWithFcs = 1;
inline constexpr uint16_t kBridgedEthernet = 7;

// MPLS label stack entry: label 20 bits, class 3, bottom of stack 1, TTL 8 (RFC 3032)
inline constexpr size_t kMplsOctets = 4;
inline constexpr uint32_t kMplsBottomBit = 0x100;
inline constexpr unsigned kMplsLabelShift = 12;
// Pseudowire control word: its first four bits are 0 (RFC 4385)
inline constexpr size_t kControlWordOctets = 4;

// PPPoE (RFC 2516): version and type 1 | code 1 | session 2 | length 2
inline constexpr size_t kPppoeOctets = 6;
inline constexpr size_t kPppoeLengthAt = 4;

// PPP (RFC 1661): protocol 2, or 1 when its low bit is set; over HDLC (RFC 1662) behind ff 03
inline constexpr uint16_t kPppHdlc = 0xff03;
inline constexpr size_t kPppHdlcOctets = 2;
namespace ppp {
inline constexpr uint16_t kIpv4 = 0x0021;
inline constexpr uint16_t kIpv6 = 0x0057;
inline constexpr uint16_t kMpls = 0x0281;
inline constexpr uint16_t kMplsMulticast = 0x0283;
}  // namespace ppp

// Linux cooked: packet type 2 | ARPHRD 2 | address length 2 | address 8 | protocol 2
inline constexpr size_t kLinuxCookedOctets = 16;
inline constexpr size_t kLinuxCookedHardwareAt = 2;
inline constexpr size_t kLinuxCookedAddressAt = 6;
inline constexpr size_t kLinuxCookedProtocolAt = 14;
// Linux cooked 2: protocol 2 | reserved 2 | interface 4 | ARPHRD 2 | packet type 1 | address length
// 1 | 8
inline constexpr size_t kLinuxCooked2Octets = 20;
inline constexpr size_t kLinuxCooked2HardwareAt = 8;
inline constexpr size_t kLinuxCooked2AddressAt = 12;
inline constexpr size_t kLinuxCooked2ProtocolAt = 0;
// With this ARPHRD the protocol field holds a netlink family instead of an EtherType.
inline constexpr uint16_t kHardwareNetlink = 824;
inline constexpr uint16_t kLinuxCookedLlc = 4;  // a protocol that is no EtherType: LLC follows

// BSD's loopback: address family 4. The families of IPv6 differ from system to system.
inline constexpr size_t kLoopbackOctets = 4;
inline constexpr uint32_t kFamilyIpv4 = 2;

// Cisco HDLC: address 1 | control 1 | EtherType 2
inline constexpr size_t kCiscoHdlcOctets = 4;
inline constexpr uint8_t kCiscoHdlcUnicast = 0x0f;
inline constexpr uint8_t kCiscoHdlcMulticast = 0x8f;

// Frame Relay (RFC 2427): address 2 to 4, whose last octet is odd | control 1 | NLPID 1
inline constexpr size_t kFrameRelayAddressMin = 2;
inline constexpr size_t kFrameRelayAddressMax = 4;
namespace nlpid {
inline constexpr uint8_t kPadding = 0x00;
inline constexpr uint8_t kSnap = 0x80;
inline constexpr uint8_t kIpv6 = 0x8e;
inline constexpr uint8_t kIpv4 = 0xcc;
}  // namespace nlpid

// FDDI: frame control 1 | destination 6 | source 6
inline constexpr size_t kFddiOctets = 13;
inline constexpr uint8_t kFddiKindMask = 0x78;
inline constexpr uint8_t kFddiLlc = 0x50;

// ARCNET (RFC 1201, RFC 1051). BSD: source 1 | destination 1 | protocol 1; Linux has an offset 2 in
// front of the protocol. RFC 1201 has a split flag 1 | sequence 2 behind it.
inline constexpr size_t kArcnetProtocolAt = 2;
inline constexpr size_t kArcnetLinuxProtocolAt = 4;
inline constexpr size_t kArcnetSplitOctets = 3;
inline constexpr uint8_t kArcnetException = 0xff;  // a split flag: it comes again, 4 octets later
inline constexpr size_t kArcnetExceptionOctets = 4;
namespace arcnet {
inline constexpr uint8_t kIpv6 = 196;
inline constexpr uint8_t kIpv4 = 212;
inline constexpr uint8_t kIpv4Rfc1051 = 240;
}  // namespace arcnet

// IP over InfiniBand as captured: address 40 | EtherType 2 | reserved 2
inline constexpr size_t kInfinibandOctets = 44;
inline constexpr size_t kInfinibandTypeAt = 40;

// Solaris IPNET: version 1 | family 1 | 22 more
inline constexpr size_t kIpnetOctets = 24;
inline constexpr uint8_t kIpnetIpv4 = 2;
inline constexpr uint8_t kIpnetIpv6 = 26;

// NFLOG: family 1 | version 1 | resource 2; then attributes: length 2 | type 2 | value, padded to 4
inline constexpr size_t kNflogOctets = 4;
inline constexpr size_t kNflogAttributeOctets = 4;
inline constexpr uint16_t kNflogPayload = 9;
inline constexpr uint8_t kNflogIpv4 = 2;
inline constexpr uint8_t kNflogIpv6 = 10;

// PPI: version 1 | flags 1 | length 2 | link type 4, little-endian
inline constexpr size_t kPpiOctets = 8;
// PKTAP: length 4 | record type 4 | link type 4 | more, little-endian
inline constexpr size_t kPktapOctetsMin = 12;
inline constexpr uint32_t kPktapPacket = 1;

// IEEE 802.11: frame control 2 | duration 2 | address 6 | address 6 | address 6 | sequence control
// 2 | address 6, between distribution systems | QoS control 2, of QoS data | HT control 4
inline constexpr size_t kWlanOctets = 24;
inline constexpr size_t kWlanAddress1At = 4;
inline constexpr size_t kWlanAddress2At = 10;
inline constexpr size_t kWlanAddress3At = 16;
inline constexpr size_t kWlanSequenceAt = 22;
inline constexpr size_t kWlanAddress4At = 24;
inline constexpr size_t kWlanQosOctets = 2;
inline constexpr size_t kWlanHtOctets = 4;
namespace wlan {
inline constexpr uint8_t kTypeMask = 0x0c;  // of the first octet
inline constexpr uint8_t kData = 0x08;
inline constexpr uint8_t kNoData = 0x40;
inline constexpr uint8_t kQos = 0x80;
inline constexpr uint8_t kToDs = 0x01;  // of the second octet
inline constexpr uint8_t kFromDs = 0x02;
inline constexpr uint8_t kProtected = 0x40;
inline constexpr uint8_t kOrder = 0x80;
inline constexpr uint8_t kFragmentMask = 0x0f;  // of the sequence control's first octet
inline constexpr uint8_t kAmsdu = 0x80;         // of the QoS control's first octet
}  // namespace wlan

// Radiotap: version 1 | padding 1 | length 2 | present 4, little-endian, more when its highest bit
// is set
inline constexpr size_t kRadiotapOctetsMin = 8;
inline constexpr size_t kRadiotapPresentAt = 4;
namespace radiotap {
inline constexpr uint32_t kHasTime = 1U << 0;  // 8 octets, aligned to 8
inline constexpr uint32_t kHasFlags = 1U << 1;
inline constexpr uint32_t kMorePresent = 1U << 31;
inline constexpr uint8_t kFcsAtEnd = 0x10;
inline constexpr uint8_t kPadded = 0x20;
inline constexpr size_t kFcsOctets = 4;
}  // namespace radiotap

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
inline constexpr uint8_t kIpv4 = 4;
inline constexpr uint8_t kTcp = 6;
inline constexpr uint8_t kUdp = 17;
inline constexpr uint8_t kDccp = 33;
inline constexpr uint8_t kIpv6 = 41;
inline constexpr uint8_t kRouting = 43;
inline constexpr uint8_t kFragment = 44;
inline constexpr uint8_t kGre = 47;
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
// UDP (RFC 768): ports 4 | length 2, with this header | checksum 2
inline constexpr size_t kUdpOctets = 8;
inline constexpr size_t kUdpLengthAt = 4;
// SCTP (RFC 9260): ports 4 | tag 4 | checksum 4. DCCP (RFC 4340), with a short sequence number
inline constexpr size_t kSctpOctets = 12;
inline constexpr size_t kDccpOctetsMin = 12;
// ICMP and ICMPv6: type 1 | code 1
inline constexpr size_t kIcmpTypeCodeOctets = 2;

}  // namespace clerk::wire
