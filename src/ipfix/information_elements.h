// The Information Elements that clerk exports, by their IANA registration, and how a Flow Record's
// values are encoded as them. Everything else (templates, record sizes, the encoder, JSON keys) is
// derived from the field lists in template.h, which name these.
#pragma once

#include <cstdint>
#include <string_view>

namespace clerk::ipfix {

struct InformationElement {
  uint16_t id;
  std::string_view name;
};

namespace element {
inline constexpr InformationElement kOctetDeltaCount{1, "octetDeltaCount"};
inline constexpr InformationElement kPacketDeltaCount{2, "packetDeltaCount"};
inline constexpr InformationElement kProtocolIdentifier{4, "protocolIdentifier"};
inline constexpr InformationElement kIpClassOfService{5, "ipClassOfService"};
inline constexpr InformationElement kTcpControlBits{6, "tcpControlBits"};
inline constexpr InformationElement kSourceTransportPort{7, "sourceTransportPort"};
inline constexpr InformationElement kSourceIpv4Address{8, "sourceIPv4Address"};
inline constexpr InformationElement kDestinationTransportPort{11, "destinationTransportPort"};
inline constexpr InformationElement kDestinationIpv4Address{12, "destinationIPv4Address"};
inline constexpr InformationElement kBgpSourceAsNumber{16, "bgpSourceAsNumber"};
inline constexpr InformationElement kBgpDestinationAsNumber{17, "bgpDestinationAsNumber"};
inline constexpr InformationElement kSourceIpv6Address{27, "sourceIPv6Address"};
inline constexpr InformationElement kDestinationIpv6Address{28, "destinationIPv6Address"};
inline constexpr InformationElement kIcmpTypeCodeIpv4{32, "icmpTypeCodeIPv4"};
inline constexpr InformationElement kSourceMacAddress{56, "sourceMacAddress"};
inline constexpr InformationElement kVlanId{58, "vlanId"};
inline constexpr InformationElement kDestinationMacAddress{80, "destinationMacAddress"};
inline constexpr InformationElement kFlowEndReason{136, "flowEndReason"};
inline constexpr InformationElement kIcmpTypeCodeIpv6{139, "icmpTypeCodeIPv6"};
inline constexpr InformationElement kFlowStartMilliseconds{152, "flowStartMilliseconds"};
inline constexpr InformationElement kFlowEndMilliseconds{153, "flowEndMilliseconds"};
inline constexpr InformationElement kFlowStartMicroseconds{154, "flowStartMicroseconds"};
inline constexpr InformationElement kFlowEndMicroseconds{155, "flowEndMicroseconds"};
inline constexpr InformationElement kFlowStartNanoseconds{156, "flowStartNanoseconds"};
inline constexpr InformationElement kFlowEndNanoseconds{157, "flowEndNanoseconds"};
inline constexpr InformationElement kEthernetType{256, "ethernetType"};
inline constexpr InformationElement kLayer2OctetDeltaCount{352, "layer2OctetDeltaCount"};
}  // namespace element

}  // namespace clerk::ipfix
