// The two default templates, one for each IP version: which fields a Data Record has, in which
// order, and in how many octets.
//
// A field's place in these lists is the single truth: the Template Record, the record's size, its
// encoder and the JSON keys all come from here.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/ip_address.h"
#include "ipfix/information_elements.h"
#include "ipfix/timestamp.h"

namespace clerk::ipfix {

// A value of a Flow Record that a field carries.
enum class Value : uint8_t {
  SourceAddress,
  DestinationAddress,
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

inline constexpr size_t kFields = 16;
using FieldList = std::array<Field, kFields>;

// tcpControlBits is reduced to its low octet (RFC 7011 section 6.2).
template <IpVersion kVersion>
constexpr FieldList default_fields(TimeUnit unit) {
  constexpr bool kV4 = kVersion == IpVersion::V4;
  using namespace element;
  const bool ns = unit == TimeUnit::Nanoseconds;
  const bool us = unit == TimeUnit::Microseconds;
  const auto start = ns   ? kFlowStartNanoseconds
                     : us ? kFlowStartMicroseconds
                          : kFlowStartMilliseconds;
  const auto end = ns ? kFlowEndNanoseconds : us ? kFlowEndMicroseconds : kFlowEndMilliseconds;
  return {{
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
  }};
}

constexpr uint16_t record_octets(const FieldList& fields) {
  uint16_t octets = 0;
  for (const Field& field : fields)
    octets = static_cast<uint16_t>(octets + field.octets);
  return octets;
}

// Template ids of data sets begin at 256 (RFC 7011 section 3.4.1).
constexpr uint16_t template_id(IpVersion version) { return version == IpVersion::V4 ? 256 : 257; }

template <IpVersion kVersion>
inline constexpr uint16_t kRecordOctets =
    record_octets(default_fields<kVersion>(TimeUnit::Nanoseconds));

constexpr uint16_t record_octets(IpVersion version) {
  return version == IpVersion::V4 ? kRecordOctets<IpVersion::V4> : kRecordOctets<IpVersion::V6>;
}
static_assert(record_octets(IpVersion::V4) == 60 && record_octets(IpVersion::V6) == 84);

}  // namespace clerk::ipfix
