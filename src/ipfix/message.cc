#include "ipfix/message.h"

#include <cstring>
#include <utility>

#include "base/big_endian.h"
#include "base/check.h"

namespace clerk::ipfix {
namespace {

constexpr uint16_t kVersion = 10;
constexpr uint16_t kTemplateSetId = 2;

void write_headers(uint8_t* message, size_t size, uint16_t set_id, const MessageHeader& header) {
  uint8_t* to = message;
  to = store_big_endian<uint16_t>(to, kVersion);
  to = store_big_endian(to, static_cast<uint16_t>(size));
  to = store_big_endian(to, header.export_second);
  to = store_big_endian(to, header.sequence);
  to = store_big_endian(to, header.observation_domain);
  to = store_big_endian(to, set_id);
  store_big_endian(to, static_cast<uint16_t>(size - kMessageHeaderOctets));
}

uint8_t* put_address(uint8_t* to, const IpAddress& address, uint16_t octets) {
  std::memcpy(to, address.octets.data(), octets);
  return to + octets;
}

// One field of a Data Record. The compiler sees a constant `kField`, so no branch is left of the
// switch.
template <Value kValue, uint16_t kOctets>
uint8_t* put_field(uint8_t* to, const FlowRecord& record, TimeUnit unit) {
  if constexpr (kValue == Value::SourceAddress) return put_address(to, record.source, kOctets);
  if constexpr (kValue == Value::DestinationAddress)
    return put_address(to, record.destination, kOctets);
  if constexpr (kValue == Value::SourcePort) return store_big_endian(to, record.source_port);
  if constexpr (kValue == Value::DestinationPort)
    return store_big_endian(to, record.destination_port);
  if constexpr (kValue == Value::Protocol) return store_big_endian(to, record.protocol);
  if constexpr (kValue == Value::TcpFlags) return store_big_endian(to, record.tcp_flags);
  if constexpr (kValue == Value::IcmpTypeCode) return store_big_endian(to, record.icmp_type_code);
  if constexpr (kValue == Value::SourceAs) return store_big_endian(to, record.source_as);
  if constexpr (kValue == Value::DestinationAs) return store_big_endian(to, record.destination_as);
  if constexpr (kValue == Value::Octets) return store_big_endian(to, record.octets);
  if constexpr (kValue == Value::Packets) return store_big_endian(to, record.packets);
  if constexpr (kValue == Value::FlowStart)
    return store_big_endian(to, encode_time(record.first_ns, unit));
  if constexpr (kValue == Value::FlowEnd)
    return store_big_endian(to, encode_time(record.last_ns, unit));
  if constexpr (kValue == Value::Tos) return store_big_endian(to, record.tos);
  if constexpr (kValue == Value::EndReason)
    return store_big_endian(to, std::to_underlying(record.end_reason));
  if constexpr (kValue == Value::VlanId) return store_big_endian(to, record.vlan_id);
}

// The whole record: its fields one after the other, as the template lists them. The unit changes
// element ids only, never sizes.
template <IpVersion kIpVersion, size_t... kIndex>
uint8_t* put_fields(uint8_t* to, const FlowRecord& record, TimeUnit unit,
                    std::index_sequence<kIndex...>) {
  static constexpr FieldList kList = default_fields<kIpVersion>(TimeUnit::Nanoseconds);
  ((to = put_field<kList[kIndex].value, kList[kIndex].octets>(to, record, unit)), ...);
  return to;
}

template <IpVersion kIpVersion>
uint8_t* put_record(uint8_t* to, const FlowRecord& record, TimeUnit unit) {
  return put_fields<kIpVersion>(to, record, unit, std::make_index_sequence<kFields>());
}

uint8_t* put_template(uint8_t* to, uint16_t id, const FieldList& fields) {
  to = store_big_endian(to, id);
  to = store_big_endian(to, static_cast<uint16_t>(fields.size()));
  for (const Field& field : fields) {
    to = store_big_endian(to, field.element.id);
    to = store_big_endian(to, field.octets);
  }
  return to;
}

}  // namespace

void DataMessage::add(const FlowRecord& record) {
  DCHECK(record.version() == version_ && !is_full(kMessageOctetsMax));
  uint8_t* to = octets_.data() + size_;
  const uint8_t* end = version_ == IpVersion::V4 ? put_record<IpVersion::V4>(to, record, unit_)
                                                 : put_record<IpVersion::V6>(to, record, unit_);
  size_ += static_cast<size_t>(end - to);
  ++records_;
}

std::span<const uint8_t> DataMessage::finish(const MessageHeader& header) {
  write_headers(octets_.data(), size_, template_id(version_), header);
  records_ = 0;
  return {octets_.data(), std::exchange(size_, kEmpty)};
}

TemplateMessage::TemplateMessage(TimeUnit unit) {
  uint8_t* to = octets_.data() + kMessageHeaderOctets + kSetHeaderOctets;
  to = put_template(to, template_id(IpVersion::V4), default_fields<IpVersion::V4>(unit));
  to = put_template(to, template_id(IpVersion::V6), default_fields<IpVersion::V6>(unit));
  CHECK(to == octets_.data() + octets_.size());
}

std::span<const uint8_t> TemplateMessage::finish(const MessageHeader& header) {
  write_headers(octets_.data(), octets_.size(), kTemplateSetId, header);
  return octets_;
}

}  // namespace clerk::ipfix
