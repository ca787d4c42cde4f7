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

template <typename Address>
uint8_t* put_address(uint8_t* to, const Address& address, uint16_t octets) {
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
  if constexpr (kValue == Value::SourceMac) return put_address(to, record.source_mac, kOctets);
  if constexpr (kValue == Value::DestinationMac)
    return put_address(to, record.destination_mac, kOctets);
  if constexpr (kValue == Value::EtherType) return store_big_endian(to, record.ether_type);
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
template <FlowKind kKind, size_t... kIndex>
uint8_t* put_fields(uint8_t* to, const FlowRecord& record, TimeUnit unit,
                    std::index_sequence<kIndex...>) {
  static constexpr auto kList = default_fields<kKind>(TimeUnit::Nanoseconds);
  ((to = put_field<kList[kIndex].value, kList[kIndex].octets>(to, record, unit)), ...);
  return to;
}

template <FlowKind kKind>
uint8_t* put_record(uint8_t* to, const FlowRecord& record, TimeUnit unit) {
  return put_fields<kKind>(to, record, unit, std::make_index_sequence<kFields<kKind>>());
}

uint8_t* put_record(uint8_t* to, FlowKind kind, const FlowRecord& record, TimeUnit unit) {
  switch (kind) {
    case FlowKind::Ipv4: return put_record<FlowKind::Ipv4>(to, record, unit);
    case FlowKind::Ipv6: return put_record<FlowKind::Ipv6>(to, record, unit);
    case FlowKind::Link: return put_record<FlowKind::Link>(to, record, unit);
  }
  std::unreachable();
}

template <FlowKind kKind>
uint8_t* put_template(uint8_t* to, TimeUnit unit) {
  const auto fields = default_fields<kKind>(unit);
  to = store_big_endian(to, template_id(kKind));
  to = store_big_endian(to, static_cast<uint16_t>(fields.size()));
  for (const Field& field : fields) {
    to = store_big_endian(to, field.element.id);
    to = store_big_endian(to, field.octets);
  }
  return to;
}

uint8_t* put_template(uint8_t* to, FlowKind kind, TimeUnit unit) {
  switch (kind) {
    case FlowKind::Ipv4: return put_template<FlowKind::Ipv4>(to, unit);
    case FlowKind::Ipv6: return put_template<FlowKind::Ipv6>(to, unit);
    case FlowKind::Link: return put_template<FlowKind::Link>(to, unit);
  }
  std::unreachable();
}

}  // namespace

void DataMessage::add(const FlowRecord& record) {
  DCHECK(record.kind() == kind_ && !is_full(kMessageOctetsMax));
  uint8_t* to = octets_.data() + size_;
  size_ += static_cast<size_t>(put_record(to, kind_, record, unit_) - to);
  ++records_;
}

std::span<const uint8_t> DataMessage::finish(const MessageHeader& header) {
  write_headers(octets_.data(), size_, template_id(kind_), header);
  records_ = 0;
  return {octets_.data(), std::exchange(size_, kEmpty)};
}

TemplateMessage::TemplateMessage(TimeUnit unit, std::span<const FlowKind> kinds) {
  uint8_t* to = octets_.data() + kMessageHeaderOctets + kSetHeaderOctets;
  for (const FlowKind kind : kinds)
    to = put_template(to, kind, unit);
  size_ = static_cast<size_t>(to - octets_.data());
  CHECK(size_ <= octets_.size());
}

std::span<const uint8_t> TemplateMessage::finish(const MessageHeader& header) {
  write_headers(octets_.data(), size_, kTemplateSetId, header);
  return std::span(octets_).first(size_);
}

}  // namespace clerk::ipfix
