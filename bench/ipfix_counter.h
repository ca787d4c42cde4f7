// Counts what IPFIX messages report (RFC 7011), for the benchmarks' collector. It shares no code
// with clerk, so that a mistake in clerk cannot hide here.
//
//   message  version 10 | length | export time | sequence number | observation domain      16
//   octets set      id | length | records, padding        id 2: templates, 3: options templates,
//   256 and up: data
//
// The caller hands over one message a datagram and keeps its bytes. Templates are remembered for
// each transport session and domain. One thread.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

namespace clerk::bench {

struct IpfixCounts {
  std::uint64_t messages = 0;
  std::uint64_t records = 0;          // Flow Records: Data Records of plain templates
  std::uint64_t options_records = 0;  // Data Records of options templates
  std::uint64_t packets = 0;          // sum of packetDeltaCount over the Flow Records
  std::uint64_t octets = 0;           // sum of octetDeltaCount
  // Flow Records by flowEndReason, 1 to 5; at 0 those with another one.
  std::array<std::uint64_t, 6> end_reasons{};
  std::uint64_t sequence_errors = 0;  // messages whose sequence number was not the one due
  std::uint64_t records_missing = 0;  // how far they were ahead, in Data Records
  std::uint64_t unknown_sets = 0;     // data sets without a template
  std::uint64_t malformed = 0;        // messages with a length or a template that does not fit
};

class IpfixCounter {
 public:
  // `session` tells exporters apart. A malformed message counts up to the place where it breaks.
  void add_message(std::uint64_t session, std::span<const std::uint8_t> message);

  const IpfixCounts& counts() const { return counts_; }

 private:
  using Bytes = std::span<const std::uint8_t>;

  enum class FieldRole : std::uint8_t { Other, Packets, Octets, EndReason };

  struct Field {
    std::uint16_t length;  // 65535: variable, the data says
    FieldRole role;
  };

  struct Template {
    std::vector<Field> fields;
    std::size_t record_octets_min = 0;  // the record's size when no field is variable
    bool is_options = false;
  };

  struct DomainKey {
    std::uint64_t session;
    std::uint32_t domain;
    auto operator<=>(const DomainKey&) const = default;
  };

  struct Domain {
    std::unordered_map<std::uint16_t, Template> templates;
    std::uint32_t sequence_due = 0;
    bool is_sequence_known = true;  // a session starts at 0; an unreadable message makes it unknown
  };

  void check_sequence(Domain& domain, std::uint32_t sequence);
  bool add_set(Domain& domain, std::uint16_t id, Bytes content);
  static bool add_templates(Domain& domain, Bytes content, bool is_options);
  static bool read_template(Bytes& content, std::size_t fields, Template& result);
  bool add_records(Domain& domain, const Template& layout, Bytes content);
  bool add_record(const Template& layout, Bytes& content);
  void add_value(FieldRole role, std::uint64_t value);

  IpfixCounts counts_;
  std::map<DomainKey, Domain> domains_;
};

}  // namespace clerk::bench
