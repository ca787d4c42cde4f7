#include "clerk/counts_text.h"

#include <fmt/format.h>

#include <array>
#include <concepts>
#include <iterator>

#include "base/time.h"
#include "clerk/flow_words.h"

namespace clerk {
namespace {

constexpr size_t kLargestShown = 5;

class Line {
 public:
  template <typename T>
  Line& always(std::string_view name, const T& value) {
    if (!text_.empty()) text_ += ' ';
    fmt::format_to(std::back_inserter(text_), "{}={}", name, value);
    return *this;
  }
  template <std::integral T>
  Line& if_any(std::string_view name, T value) {
    return value != 0 ? always(name, value) : *this;
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

struct Scaled {
  std::string number;
  std::string_view prefix;
};

// 1234567 as "1.23" and "M".
Scaled scaled(double value) {
  constexpr std::array<std::string_view, 5> kPrefixes{"", "k", "M", "G", "T"};
  size_t prefix = 0;
  while (value >= 1000 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  return {fmt::format("{:.{}f}", value, prefix == 0 ? 0 : 2), kPrefixes[prefix]};
}

// "1.23 M octets", "755 octets".
std::string count_of(uint64_t value, std::string_view unit) {
  const auto [number, prefix] = scaled(static_cast<double>(value));
  return fmt::format("{}{}{} {}", number, prefix.empty() ? "" : " ", prefix, unit);
}

// "1.23 Mbit/s", "755 bit/s".
std::string rate_of(double value, std::string_view unit) {
  const auto [number, prefix] = scaled(value);
  return fmt::format("{} {}{}/s", number, prefix, unit);
}

// What a frame without IP carries.
std::string ether_type_name(uint16_t number) {
  constexpr uint16_t kArp = 0x0806;
  constexpr uint16_t kLldp = 0x88cc;
  switch (number) {
    case 0: return "no EtherType";
    case kArp: return "ARP";
    case kLldp: return "LLDP";
    default: return fmt::format("EtherType {:#06x}", number);
  }
}

// "TCP 192.0.2.1:5000 > 192.0.2.2:443".
std::string describe(const FlowRecord& flow) {
  if (flow.without_ip) {
    return fmt::format("{} {} > {}", ether_type_name(flow.ether_type), to_string(flow.source_mac),
                       to_string(flow.destination_mac));
  }
  return fmt::format("{} {} > {}", protocol_name(flow.protocol),
                     endpoint(flow.source, flow.source_port),
                     endpoint(flow.destination, flow.destination_port));
}

void append_period(std::string& to, const LedgerCounts& counts,
                   const LargestFlows::Period& period) {
  std::array<char, kTimeTextSize> start;
  std::array<char, kTimeTextSize> end;
  const double seconds = static_cast<double>(period.last_ns - period.first_ns) /
                         static_cast<double>(kNanosecondsPerSecond);
  fmt::format_to(std::back_inserter(to), "\n  {} to {}, {:.3f} s\n",
                 format_time(period.first_ns, start), format_time(period.last_ns, end), seconds);
  fmt::format_to(std::back_inserter(to), "  {} and {} in {} flow records",
                 count_of(counts.packets.metered, "packets"),
                 count_of(counts.packets.octets_metered, "octets"), counts.records_exported);
  if (seconds > 0) {
    fmt::format_to(
        std::back_inserter(to), ": {}, {}",
        rate_of(static_cast<double>(counts.packets.metered) / seconds, "packet"),
        rate_of(static_cast<double>(counts.packets.octets_metered) * 8 / seconds, "bit"));
  }
  to += '\n';
}

void append_largest(std::string& to, const LargestFlows& flows) {
  const auto largest = flows.largest(kLargestShown);
  if (largest.empty()) return;
  to += flows.is_approximate()
            ? "\n  The largest flows (there were many: at least these figures):\n"
            : "\n  The largest flows:\n";
  for (const FlowRecord& flow : largest) {
    fmt::format_to(std::back_inserter(to), "    {:>15} {:>16}  {}\n",
                   count_of(flow.octets, "octets"), count_of(flow.packets, "packets"),
                   describe(flow));
  }
}

void append_ignored(std::string& to, const PacketCounts& packets) {
  if (packets.ignored_total() == 0) return;
  to += "\n  Not in any flow:\n";
  for (size_t i = 0; i < packets.ignored.size(); ++i) {
    if (packets.ignored[i] == 0) continue;
    const auto stop = static_cast<Stop>(i);
    fmt::format_to(std::back_inserter(to), "    {:>16}  {} ({})\n",
                   count_of(packets.ignored[i], "packets"), name_of(stop), explain(stop));
  }
}

void append_super_packets(std::string& to, const PacketCounts& packets) {
  if (packets.super_packets == 0) return;
  fmt::format_to(
      std::back_inserter(to),
      "\n  {} longer than the link carries (super_packets): merged before they were captured, so "
      "that packets and\n  octets are fewer than on the wire. On the capturing port: ethtool -K "
      "eth1 "
      "gro off lro off tso off gso off\n  rx-gro-hw off; on a link with jumbo frames: --mtu 9000\n",
      count_of(packets.super_packets, "packets"));
}

// A sum of drops some of which are not known is none: what is known of it goes by another name.
void append_drops(Line& line, const SourceCounts& source) {
  if (source.drops_unknown == 0) {
    line.always("packets_dropped", source.dropped);
  } else {
    line.always("packets_dropped", "unknown").if_any("packets_dropped_at_least", source.dropped);
  }
}

void append_source(Line& line, const SourceCounts& source) {
  line.if_any("blocks_stale", source.blocks_stale)
      .if_any("blocks_torn", source.blocks_torn)
      .if_any("blocks_losing", source.blocks_losing)
      .if_any("blocks_missed", source.blocks_missed)
      .if_any("source_outages", source.outages)
      .if_any("source_outage_ms", source.outage_ms);
}

}  // namespace

std::string format_counts(const LedgerCounts& counts, const SinkCounts& sinks) {
  const PacketCounts& packets = counts.packets;
  Line line;
  line.always("packets_received", packets.received).always("packets_metered", packets.metered);
  append_drops(line, packets.source);
  for (size_t i = 0; i < packets.ignored.size(); ++i) {
    line.if_any(fmt::format("ignored_{}", name_of(static_cast<Stop>(i))), packets.ignored[i]);
  }
  line.always("octets_metered", packets.octets_metered)
      .always("flows_created", counts.flows_created)
      .always("records_exported", counts.records_exported)
      .always("packets_exported", counts.packets_exported)
      .always("octets_exported", counts.octets_exported)
      .always("send_errors", sinks.send_errors)
      .if_any("records_lost", sinks.records_lost)
      .if_any("packets_filtered", packets.filtered)
      .if_any("tcp_flags_missing", packets.tcp_flags_missing)
      .if_any("packets_decapsulated", packets.decapsulated)
      .if_any("super_packets", packets.super_packets)
      .if_any("fragments_orphaned", counts.fragments_orphaned)
      .if_any("clock_jumps", counts.clock_jumps)
      .if_any("clock_restarts", counts.clock_restarts);
  append_source(line, packets.source);
  return line.take();
}

std::string format_summary(const LedgerCounts& counts, const LargestFlows& flows) {
  std::string text;
  if (flows.period()) append_period(text, counts, *flows.period());
  append_largest(text, flows);
  append_ignored(text, counts.packets);
  append_super_packets(text, counts.packets);
  return text;
}

}  // namespace clerk
