#include "sink/record_text.h"

#include <fmt/compile.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <utility>

#include "base/time.h"

namespace clerk {
namespace {

using ipfix::Value;

static_assert(kMacAddressTextOctets < kIpAddressTextMax);
using AddressText = std::array<char, kIpAddressTextMax>;

std::string_view format(const MacAddress& address, AddressText& buffer) {
  std::array<char, kMacAddressTextOctets> text;
  format_mac_address(address, text);
  std::ranges::copy(text, buffer.begin());
  return {buffer.data(), text.size()};
}

// A number of the record. Addresses and times are text and do not come here.
uint64_t number_of(Value value, const FlowRecord& record) {
  switch (value) {
    case Value::SourcePort: return record.source_port;
    case Value::DestinationPort: return record.destination_port;
    case Value::Protocol: return record.protocol;
    case Value::TcpFlags: return record.tcp_flags;
    case Value::IcmpTypeCode: return record.icmp_type_code;
    case Value::SourceAs: return record.source_as;
    case Value::DestinationAs: return record.destination_as;
    case Value::Octets: return record.octets;
    case Value::Packets: return record.packets;
    case Value::Tos: return record.tos;
    case Value::EndReason: return std::to_underlying(record.end_reason);
    case Value::VlanId: return record.vlan_id;
    case Value::EtherType: return record.ether_type;
    case Value::SourceAddress:
    case Value::DestinationAddress:
    case Value::SourceMac:
    case Value::DestinationMac:
    case Value::FlowStart:
    case Value::FlowEnd: break;
  }
  std::unreachable();
}

// The text of an address or time in the caller's buffer; empty for numbers.
std::string_view text_of(Value value, const FlowRecord& record, AddressText& address,
                         std::array<char, kTimeTextSize>& time) {
  switch (value) {
    case Value::SourceAddress: return format_address(record.source, address);
    case Value::DestinationAddress: return format_address(record.destination, address);
    case Value::SourceMac: return format(record.source_mac, address);
    case Value::DestinationMac: return format(record.destination_mac, address);
    case Value::FlowStart: return format_time(record.first_ns, time);
    case Value::FlowEnd: return format_time(record.last_ns, time);
    default: return {};
  }
}

// The columns of the header that does not change, without the line's end.
void append_columns(fmt::memory_buffer& to, const FlowRecord& record) {
  const bool ip = !record.without_ip;
  std::array<char, kTimeTextSize> start;
  std::array<char, kTimeTextSize> end;
  AddressText source;
  AddressText destination;
  fmt::format_to(
      std::back_inserter(to), FMT_COMPILE("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}"),
      format_time(record.first_ns, start), format_time(record.last_ns, end),
      ip ? format_address(record.source, source) : format(record.source_mac, source),
      ip ? format_address(record.destination, destination)
         : format(record.destination_mac, destination),
      record.source_port, record.destination_port, record.protocol, record.tos,
      record.icmp_type_code, record.tcp_flags, record.vlan_id, record.source_as,
      record.destination_as, record.octets, record.packets, std::to_underlying(record.end_reason));
}

}  // namespace

std::string csv_header_with_ether_type() {
  const std::string_view columns = kCsvHeader.substr(0, kCsvHeader.size() - 1);
  return fmt::format("{},ethernetType\n", columns);
}

void append_csv(fmt::memory_buffer& to, const FlowRecord& record) {
  append_columns(to, record);
  to.push_back('\n');
}

void append_csv_with_ether_type(fmt::memory_buffer& to, const FlowRecord& record) {
  append_columns(to, record);
  to.push_back(',');
  if (record.without_ip)
    fmt::format_to(std::back_inserter(to), FMT_COMPILE("{}"), record.ether_type);
  to.push_back('\n');
}

void append_json(fmt::memory_buffer& to, const FlowRecord& record, ipfix::FieldList fields) {
  AddressText address;
  std::array<char, kTimeTextSize> time;
  char separator = '{';
  for (const ipfix::Field& field : fields) {
    const std::string_view text = text_of(field.value, record, address, time);
    if (text.empty()) {
      fmt::format_to(std::back_inserter(to), FMT_COMPILE("{}\"{}\":{}"), separator,
                     field.element.name, number_of(field.value, record));
    } else {
      fmt::format_to(std::back_inserter(to), FMT_COMPILE("{}\"{}\":\"{}\""), separator,
                     field.element.name, text);
    }
    separator = ',';
  }
  to.append(std::string_view("}\n"));
}

}  // namespace clerk
