#include "clerk/explain_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/time.h"
#include "clerk/flow_words.h"
#include "decode/wire.h"
#include "sink/record_text.h"

namespace clerk {
namespace {

std::string time_text(uint64_t time_ns) {
  std::array<char, kTimeTextSize> buffer;
  return std::string(format_time(time_ns, buffer));
}

std::string count_of(uint64_t value, std::string_view unit) {
  return fmt::format("{} {}{}", value, unit, value == 1 ? "" : "s");
}

std::string_view name_of_file(std::string_view path) { return path == "-" ? "stdin" : path; }

void append_place(std::string& to, const PacketPlace& place) {
  const Packet& packet = place.packet;
  fmt::format_to(std::back_inserter(to), "  packet {} of {}: {}, {} on the wire, {} captured\n",
                 place.number, name_of_file(place.file),
                 packet.time_ns < kTimeEnd ? time_text(packet.time_ns) : "no usable time",
                 count_of(packet.wire_octets, "octet"), packet.captured_octets);
}

void append_layers(std::string& to, const LayerTrace& layers) {
  for (const Layer& layer : layers) {
    fmt::format_to(std::back_inserter(to), "    at {:>3}, {:>2} octets: {}{}{}\n", layer.at,
                   layer.octets, layer.name, layer.detail.empty() ? "" : ", ", layer.detail);
  }
}

std::string flags_text(uint8_t flags) {
  constexpr std::array<std::string_view, 8> kNames{"FIN", "SYN", "RST", "PSH",
                                                   "ACK", "URG", "ECE", "CWR"};
  std::string text = fmt::format("{:#04x}", flags);
  for (size_t bit = 0; bit < kNames.size(); ++bit) {
    if ((flags >> bit & 1) != 0) fmt::format_to(std::back_inserter(text), " {}", kNames[bit]);
  }
  return text;
}

void append_counted(std::string& to, const Headers& headers) {
  fmt::format_to(std::back_inserter(to), "    counted: {}{}, ToS {:#04x}",
                 count_of(headers.octets, "IP octet"),
                 headers.decapsulated ? " inside the tunnel" : "", headers.tos);
  // Whether a later fragment's protocol has flags is no matter: it has no header to take them from.
  if (headers.protocol == wire::protocol::kTcp && headers.fragment != Fragment::Later)
    to += headers.tcp_flags_missing ? ", TCP flags cut off"
                                    : ", TCP flags " + flags_text(headers.tcp_flags);
  to += '\n';
}

void append_fragment(std::string& to, const Headers& headers) {
  if (headers.fragment == Fragment::Whole) return;
  fmt::format_to(std::back_inserter(to), "    {} of datagram {:#x}{}\n",
                 headers.fragment == Fragment::First ? "first fragment" : "later fragment",
                 headers.identification,
                 headers.fragment == Fragment::First ? "" : ", whose first one has the ports");
}

// Where a header of this name has the addresses, and how many octets each.
struct AddressPlace {
  std::string_view layer;
  IpVersion version;
  size_t at;
  size_t octets;
};
constexpr std::array kAddressPlaces{
    AddressPlace{"IPv4", IpVersion::V4, wire::kIpv4AddressesAt, 4},
    AddressPlace{"IPv6", IpVersion::V6, wire::kIpv6AddressesAt, 16},
};

std::string icmp_text(const FlowRecord& record) {
  if (!is_icmp(record.version(), record.protocol)) return "";
  return fmt::format(" type {} code {}", record.icmp_type_code >> 8, record.icmp_type_code & 0xff);
}

void append_ignored(std::string& to, const PacketCounts& counts) {
  if (counts.ignored_total() == 0) return;
  fmt::format_to(std::back_inserter(to), "Of {} read these are in no record:\n",
                 count_of(counts.received, "packet"));
  for (size_t i = 0; i < counts.ignored.size(); ++i) {
    const auto stop = static_cast<Stop>(i);
    if (counts.ignored[i] > 0)
      fmt::format_to(std::back_inserter(to), "  {} {}: {}\n", counts.ignored[i], name_of(stop),
                     explain(stop));
  }
}

}  // namespace

std::string describe_metered(const PacketPlace& place, const LayerTrace& layers,
                             const Headers& headers) {
  std::string text;
  append_place(text, place);
  append_layers(text, layers);
  append_fragment(text, headers);
  append_counted(text, headers);
  return text;
}

std::string describe_ignored(const PacketPlace& place, const LayerTrace& layers, Stop stop) {
  std::string text = fmt::format("not metered: {}\n", name_of(stop));
  append_place(text, place);
  append_layers(text, layers);
  fmt::format_to(std::back_inserter(text), "    {}\n\n", explain(stop));
  return text;
}

std::string describe_record(const FlowRecord& record, uint64_t number, bool non_ip) {
  fmt::memory_buffer csv;
  non_ip ? append_csv_with_ether_type(csv, record) : append_csv(csv, record);
  return fmt::format(
      "record {}: {} > {} {}{}, DSCP {}, VLAN {}\n"
      "  {}, {}, {} to {}, flowEndReason {} ({})\n"
      "  CSV: {}",
      number, endpoint(record.source, record.source_port),
      endpoint(record.destination, record.destination_port), protocol_name(record.protocol),
      icmp_text(record), dscp_of(record.tos), record.vlan_id, count_of(record.packets, "packet"),
      count_of(record.octets, "octet"), time_text(record.first_ns), time_text(record.last_ns),
      std::to_underlying(record.end_reason), name_of(record.end_reason), fmt::to_string(csv));
}

std::string describe_totals(const ExplainExpression& expression, const ExplainTotals& totals,
                            const PacketCounts& counts) {
  std::string text;
  if (totals.packets == 0) {
    const std::string asked = to_string(expression);
    const std::string reversed = to_string(expression.reversed());
    fmt::format_to(std::back_inserter(text), "No packet matches {}", asked);
    if (reversed != asked)
      fmt::format_to(std::back_inserter(text), ". A flow is one direction; the other one is {}",
                     reversed);
    text += '\n';
  } else {
    fmt::format_to(std::back_inserter(text), "{} in {} match {}\n",
                   count_of(totals.packets, "packet"), count_of(totals.records, "record"),
                   to_string(expression));
  }
  if (totals.ignored > 0)
    fmt::format_to(std::back_inserter(text),
                   "{} between these addresses not metered, whatever the ports: see above\n",
                   count_of(totals.ignored, "packet"));
  append_ignored(text, counts);
  if (counts.filtered > 0)
    fmt::format_to(std::back_inserter(text), "{} held back by --filter\n",
                   count_of(counts.filtered, "packet"));
  return text;
}

bool has_addresses(const LayerTrace& layers, const Packet& packet,
                   const ExplainExpression& expression) {
  return std::ranges::any_of(layers, [&](const Layer& layer) {
    const auto* const place = std::ranges::find(kAddressPlaces, layer.name, &AddressPlace::layer);
    if (place == kAddressPlaces.end()) return false;
    const size_t at = layer.at + place->at;
    if (at + 2 * place->octets > packet.captured_octets) return false;
    const auto address = [&](size_t offset) {
      return IpAddress::from_wire(place->version, packet.data + offset);
    };
    return expression.matches_addresses(address(at), address(at + place->octets));
  });
}

}  // namespace clerk
