#include "ipfix/message.h"

#include <algorithm>
#include <array>
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
template <Value kValue, uint16_t kOctets, TimeUnit kUnit>
uint8_t* put_field(uint8_t* to, const FlowRecord& record) {
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
    return store_big_endian(to, encode_time(record.first_ns, kUnit));
  if constexpr (kValue == Value::FlowEnd)
    return store_big_endian(to, encode_time(record.last_ns, kUnit));
  if constexpr (kValue == Value::Tos) return store_big_endian(to, record.tos);
  if constexpr (kValue == Value::EndReason)
    return store_big_endian(to, std::to_underlying(record.end_reason));
  if constexpr (kValue == Value::VlanId) return store_big_endian(to, record.vlan_id);
}

// The whole record: its fields one after the other, as the template lists them.
template <FlowKind kKind, TimeUnit kUnit, size_t... kIndex>
uint8_t* put_fields(uint8_t* to, const FlowRecord& record, std::index_sequence<kIndex...>) {
  static constexpr auto kList = default_fields<kKind>(kUnit);
  ((to = put_field<kList[kIndex].value, kList[kIndex].octets, kUnit>(to, record)), ...);
  return to;
}

template <FlowKind kKind, TimeUnit kUnit>
uint8_t* put_record(uint8_t* to, const FlowRecord& record) {
  return put_fields<kKind, kUnit>(to, record, std::make_index_sequence<kFields<kKind>>());
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

DataRun::DataRun(FlowKind kind, TimeUnit unit)
    : kind_(kind),
      encode_(encoder(kind, unit)),
      octets_(std::make_unique_for_overwrite<uint8_t[]>(kRunOctetsMax)),
      end_(octets_.get()) {
  set_message_octets(kMessageOctetsMax);
}

// One for each kind and unit, so that nothing is decided for each record, let alone field.
DataRun::Encoder DataRun::encoder(FlowKind kind, TimeUnit unit) {
  constexpr auto kOfUnits = []<FlowKind kKind>() {
    return std::array<Encoder, 3>{put_record<kKind, TimeUnit::Nanoseconds>,
                                  put_record<kKind, TimeUnit::Microseconds>,
                                  put_record<kKind, TimeUnit::Milliseconds>};
  };
  constexpr std::array kEncoders{kOfUnits.operator()<FlowKind::Ipv4>(),
                                 kOfUnits.operator()<FlowKind::Ipv6>(),
                                 kOfUnits.operator()<FlowKind::Link>()};
  return kEncoders[std::to_underlying(kind)][std::to_underlying(unit)];
}

void DataRun::set_message_octets(size_t octets_max) {
  const size_t records = (octets_max - kEmpty) / record_octets(kind_);
  CHECK(records_ == 0 && records > 0 && octets_max <= kMessageOctetsMax);
  const size_t octets = kEmpty + records * record_octets(kind_);
  const size_t messages = std::min(kRunMessagesMax, kRunOctetsMax / octets);
  message_records_ = static_cast<uint32_t>(records);
  records_max_ = static_cast<uint32_t>(messages * records);
}

// Its headers are written when the run leaves.
void DataRun::begin_message() {
  DCHECK(!is_full());
  end_ += kEmpty;
  message_room_ = message_records_;
}

MessageRun DataRun::finish(const MessageHeader& header) {
  const size_t message_octets = kEmpty + size_t{message_records_} * record_octets(kind_);
  MessageRun run{{octets_.get(), end_}, message_octets, message_records_, records_};
  MessageHeader own = header;
  for (uint8_t* message = octets_.get(); message < end_; message += message_octets) {
    const size_t octets = std::min(message_octets, static_cast<size_t>(end_ - message));
    write_headers(message, octets, template_id(kind_), own);
    own.sequence += message_records_;
  }
  end_ = octets_.get();
  message_room_ = 0;
  records_ = 0;
  return run;
}

TemplateMessage::TemplateMessage(TimeUnit unit, std::span<const FlowKind> kinds) {
  uint8_t* to = octets_.data() + kMessageHeaderOctets + kSetHeaderOctets;
  for (const FlowKind kind : kinds)
    to = put_template(to, kind, unit);
  size_ = static_cast<size_t>(to - octets_.data());
  CHECK(size_ <= octets_.size());
}

MessageRun TemplateMessage::finish(const MessageHeader& header) {
  write_headers(octets_.data(), size_, kTemplateSetId, header);
  return {std::span(octets_).first(size_), size_, 0, 0};
}

}  // namespace clerk::ipfix
