#include "ipfix_counter.h"

#include <utility>

namespace clerk::bench {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint16_t kVersion = 10;
constexpr std::size_t kMessageHeaderOctets = 16;
constexpr std::size_t kSetHeaderOctets = 4;
constexpr std::uint16_t kTemplateSet = 2;
constexpr std::uint16_t kOptionsTemplateSet = 3;
constexpr std::uint16_t kDataSetMin = 256;
constexpr std::uint16_t kVariableLength = 65535;
constexpr std::uint16_t kEnterpriseBit = 0x8000;
constexpr std::uint16_t kOctetDeltaCount = 1;
constexpr std::uint16_t kPacketDeltaCount = 2;
constexpr std::uint16_t kFlowEndReason = 136;

// A number of 1 to 8 octets: counters may be exported shorter than they are (RFC 7011,
// section 6.2).
std::uint64_t load(Bytes bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) {
    value = value << 8 | byte;
  }
  return value;
}

std::uint16_t load_u16(Bytes bytes, std::size_t offset) {
  return static_cast<std::uint16_t>(load(bytes.subspan(offset, 2)));
}

std::uint32_t load_u32(Bytes bytes, std::size_t offset) {
  return static_cast<std::uint32_t>(load(bytes.subspan(offset, 4)));
}

Bytes take(Bytes& bytes, std::size_t octets) {
  const Bytes taken = bytes.first(octets);
  bytes = bytes.subspan(octets);
  return taken;
}

// The length of the next variable-length field (RFC 7011, section 7), which is taken off `content`.
bool take_variable_length(Bytes& content, std::size_t& octets) {
  if (content.empty()) return false;
  octets = load(take(content, 1));
  if (octets < 255) return true;
  if (content.size() < 2) return false;
  octets = load(take(content, 2));
  return true;
}

}  // namespace

void IpfixCounter::add_message(std::uint64_t session, Bytes message) {
  ++counts_.messages;
  if (message.size() < kMessageHeaderOctets || load_u16(message, 0) != kVersion ||
      load_u16(message, 2) != message.size()) {
    ++counts_.malformed;
    return;
  }
  Domain& domain = domains_[{session, load_u32(message, 12)}];
  check_sequence(domain, load_u32(message, 8));
  Bytes rest = message.subspan(kMessageHeaderOctets);
  while (!rest.empty()) {
    const std::size_t octets = rest.size() < kSetHeaderOctets ? 0 : load_u16(rest, 2);
    if (octets < kSetHeaderOctets || octets > rest.size() ||
        !add_set(domain, load_u16(rest, 0), rest.first(octets).subspan(kSetHeaderOctets))) {
      ++counts_.malformed;
      domain.is_sequence_known = false;
      return;
    }
    rest = rest.subspan(octets);
  }
}

// The sequence number is the count of Data Records sent before the message, modulo 2^32. A number
// behind the one due is a reordered or doubled message, and nothing is missing for it.
void IpfixCounter::check_sequence(Domain& domain, std::uint32_t sequence) {
  if (domain.is_sequence_known && sequence != domain.sequence_due) {
    ++counts_.sequence_errors;
    const std::uint32_t ahead = sequence - domain.sequence_due;
    if (ahead < 1U << 31) counts_.records_missing += ahead;
  }
  domain.sequence_due = sequence;
  domain.is_sequence_known = true;
}

bool IpfixCounter::add_set(Domain& domain, std::uint16_t id, Bytes content) {
  if (id == kTemplateSet || id == kOptionsTemplateSet) {
    return add_templates(domain, content, id == kOptionsTemplateSet);
  }
  if (id < kDataSetMin) return false;
  const auto layout = domain.templates.find(id);
  if (layout == domain.templates.end()) {
    ++counts_.unknown_sets;
    domain.is_sequence_known = false;
    return true;
  }
  return add_records(domain, layout->second, content);
}

// Less than a template header is padding. A template without fields withdraws its id.
bool IpfixCounter::add_templates(Domain& domain, Bytes content, bool is_options) {
  while (content.size() >= 4) {
    const std::uint16_t id = load_u16(content, 0);
    const std::size_t fields = load_u16(content, 2);
    if (id < kDataSetMin) return false;
    content = content.subspan(4);
    if (fields == 0) {
      domain.templates.erase(id);
      continue;
    }
    if (is_options && content.size() < 2) return false;
    if (is_options)
      take(content, 2);  // the number of scope fields, which are fields like the others here
    Template layout{.is_options = is_options};
    if (!read_template(content, fields, layout)) return false;
    domain.templates[id] = std::move(layout);
  }
  return true;
}

bool IpfixCounter::read_template(Bytes& content, std::size_t fields, Template& result) {
  for (; fields > 0; --fields) {
    if (content.size() < 4) return false;
    const Bytes specifier = take(content, 4);
    const std::uint16_t id = load_u16(specifier, 0);
    const std::uint16_t length = load_u16(specifier, 2);
    if ((id & kEnterpriseBit) != 0) {
      if (content.size() < 4) return false;
      take(content, 4);
    }
    FieldRole role = FieldRole::Other;
    if (id == kPacketDeltaCount) role = FieldRole::Packets;
    if (id == kOctetDeltaCount) role = FieldRole::Octets;
    if (id == kFlowEndReason) role = FieldRole::EndReason;
    if (role != FieldRole::Other && (length < 1 || length > 8)) return false;
    result.fields.push_back({.length = length, .role = role});
    result.record_octets_min += length == kVariableLength ? 1U : length;
  }
  return result.record_octets_min > 0;
}

// Less than the shortest record is padding.
bool IpfixCounter::add_records(Domain& domain, const Template& layout, Bytes content) {
  std::uint64_t& records = layout.is_options ? counts_.options_records : counts_.records;
  while (content.size() >= layout.record_octets_min) {
    if (!add_record(layout, content)) return false;
    ++records;
    ++domain.sequence_due;
  }
  return true;
}

bool IpfixCounter::add_record(const Template& layout, Bytes& content) {
  for (const Field& field : layout.fields) {
    std::size_t octets = field.length;
    if (field.length == kVariableLength && !take_variable_length(content, octets)) return false;
    if (octets > content.size()) return false;
    const Bytes value = take(content, octets);
    if (layout.is_options || field.role == FieldRole::Other) continue;
    add_value(field.role, load(value));
  }
  return true;
}

void IpfixCounter::add_value(FieldRole role, std::uint64_t value) {
  switch (role) {
    case FieldRole::Packets: counts_.packets += value; break;
    case FieldRole::Octets: counts_.octets += value; break;
    case FieldRole::EndReason:
      ++counts_.end_reasons[value < counts_.end_reasons.size() ? value : 0];
      break;
    case FieldRole::Other: break;
  }
}

}  // namespace clerk::bench
