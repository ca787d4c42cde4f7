// The default templates, one for each kind of flow: which fields a Data Record has, in which order,
// and in how many octets.
//
// A field's place in these lists is the single truth: the Template Record, the record's size, its
// encoder and the JSON keys all come from here.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "flow/flow_kind.h"
#include "ipfix/information_elements.h"
#include "ipfix/timestamp.h"

namespace clerk::ipfix {

// A value of a Flow Record that a field carries.
enum class Value : uint8_t {
  SourceAddress,
  DestinationAddress,
  SourceMac,
  DestinationMac,
  EtherType,
  SourcePort,
  DestinationPort,
  Protocol,
  TcpFlags,
  IcmpTypeCode,
  SourceAs,
  DestinationAs,
  Octets,
  Packets,
  FlowStart,
  FlowEnd,
  Tos,
  EndReason,
  VlanId,
};

struct Field {
  Value value;
  InformationElement element;
  uint16_t octets;
};

using FieldList = std::span<const Field>;

struct TimeElements {
  InformationElement start;
  InformationElement end;
};

constexpr TimeElements time_elements(TimeUnit unit) {
  using namespace element;
  switch (unit) {
    case TimeUnit::Nanoseconds: return {kFlowStartNanoseconds, kFlowEndNanoseconds};
    case TimeUnit::Microseconds: return {kFlowStartMicroseconds, kFlowEndMicroseconds};
    case TimeUnit::Milliseconds: return {kFlowStartMilliseconds, kFlowEndMilliseconds};
  }
  std::unreachable();
}

// tcpControlBits is reduced to its low octet (RFC 7011 section 6.2).
template <IpVersion kVersion>
constexpr auto ip_fields(TimeUnit unit) {
  constexpr bool kV4 = kVersion == IpVersion::V4;
  using namespace element;
  const auto [start, end] = time_elements(unit);
  return std::to_array<Field>({
      {Value::SourceAddress, kV4 ? kSourceIpv4Address : kSourceIpv6Address, kV4 ? 4 : 16},
      {Value::DestinationAddress, kV4 ? kDestinationIpv4Address : kDestinationIpv6Address,
       kV4 ? 4 : 16},
      {Value::SourcePort, kSourceTransportPort, 2},
      {Value::DestinationPort, kDestinationTransportPort, 2},
      {Value::Protocol, kProtocolIdentifier, 1},
      {Value::TcpFlags, kTcpControlBits, 1},
      {Value::IcmpTypeCode, kV4 ? kIcmpTypeCodeIpv4 : kIcmpTypeCodeIpv6, 2},
      {Value::SourceAs, kBgpSourceAsNumber, 4},
      {Value::DestinationAs, kBgpDestinationAsNumber, 4},
      {Value::Octets, kOctetDeltaCount, 8},
      {Value::Packets, kPacketDeltaCount, 8},
      {Value::FlowStart, start, 8},
      {Value::FlowEnd, end, 8},
      {Value::Tos, kIpClassOfService, 1},
      {Value::EndReason, kFlowEndReason, 1},
      {Value::VlanId, kVlanId, 2},
  });
}

// octetDeltaCount counts octets of IP; here they are those of the link layer.
constexpr auto link_fields(TimeUnit unit) {
  using namespace element;
  const auto [start, end] = time_elements(unit);
  return std::to_array<Field>({
      {Value::SourceMac, kSourceMacAddress, 6},
      {Value::DestinationMac, kDestinationMacAddress, 6},
      {Value::EtherType, kEthernetType, 2},
      {Value::Octets, kLayer2OctetDeltaCount, 8},
      {Value::Packets, kPacketDeltaCount, 8},
      {Value::FlowStart, start, 8},
      {Value::FlowEnd, end, 8},
      {Value::EndReason, kFlowEndReason, 1},
      {Value::VlanId, kVlanId, 2},
  });
}

template <FlowKind kKind>
constexpr auto default_fields(TimeUnit unit) {
  if constexpr (kKind == FlowKind::Ipv4) return ip_fields<IpVersion::V4>(unit);
  if constexpr (kKind == FlowKind::Ipv6) return ip_fields<IpVersion::V6>(unit);
  if constexpr (kKind == FlowKind::Link) return link_fields(unit);
}

// How many there are, whatever the unit.
template <FlowKind kKind>
inline constexpr size_t kFields = default_fields<kKind>(TimeUnit::Nanoseconds).size();

constexpr uint16_t record_octets(FieldList fields) {
  uint16_t octets = 0;
  for (const Field& field : fields)
    octets = static_cast<uint16_t>(octets + field.octets);
  return octets;
}

// Template ids of data sets begin at 256 (RFC 7011 section 3.4.1).
constexpr uint16_t template_id(FlowKind kind) {
  return static_cast<uint16_t>(256 + std::to_underlying(kind));
}

template <FlowKind kKind>
inline constexpr uint16_t kRecordOctets =
    record_octets(default_fields<kKind>(TimeUnit::Nanoseconds));

constexpr uint16_t record_octets(FlowKind kind) {
  constexpr std::array kOctets{kRecordOctets<FlowKind::Ipv4>, kRecordOctets<FlowKind::Ipv6>,
                               kRecordOctets<FlowKind::Link>};
  return kOctets[std::to_underlying(kind)];
}
static_assert(record_octets(FlowKind::Ipv4) == 60 && record_octets(FlowKind::Ipv6) == 84 &&
              record_octets(FlowKind::Link) == 49);

}  // namespace clerk::ipfix
