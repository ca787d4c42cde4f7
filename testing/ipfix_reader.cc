#include "testing/ipfix_reader.h"

#include <algorithm>
#include <concepts>

#include "base/big_endian.h"

namespace clerk {
namespace {

using Octets = std::span<const uint8_t>;

constexpr size_t kMessageHeaderOctets = 16;
constexpr size_t kHeaderOctets = 4;  // of a set, of a Template Record, of a Field Specifier
constexpr uint16_t kTemplateSet = 2;
constexpr uint16_t kDataSetsBegin = 256;
constexpr uint64_t kSecondsBefore1970 = 2'208'988'800;

template <std::unsigned_integral T>
T load(Octets octets, size_t at) {
  return load_big_endian<T>(octets.subspan(at, sizeof(T)).data());
}

bool all_zero(Octets octets) {
  return std::ranges::all_of(octets, [](uint8_t octet) { return octet == 0; });
}

}  // namespace

uint64_t IpfixRecord::number(uint16_t element) const {
  uint64_t value = 0;
  for (const uint8_t octet : fields.at(element))
    value = value << 8 | octet;
  return value;
}

IpAddress IpfixRecord::address(uint16_t element) const {
  const std::vector<uint8_t>& octets = fields.at(element);
  return IpAddress::from_wire(octets.size() == 4 ? IpVersion::V4 : IpVersion::V6, octets.data());
}

uint64_t IpfixRecord::time_ns(uint16_t element) const {
  const uint64_t value = number(element);
  if (element == 152 || element == 153) return value * 1'000'000;
  // Seconds since 1900 modulo 2^32, which era 1 continues in 2036.
  const auto seconds = static_cast<uint32_t>((value >> 32) - kSecondsBefore1970);
  const uint64_t fraction = value & UINT32_MAX;
  const uint64_t rest = element == 154 || element == 155
                            ? (fraction * 1'000'000 >> 32) * 1000
                            : (fraction * 1'000'000'000 + (uint64_t{1} << 31)) >> 32;
  return seconds * uint64_t{1'000'000'000} + rest;
}

Result<IpfixMessage> IpfixReader::read(Octets message) {
  if (message.size() < kMessageHeaderOctets) return fail("shorter than a message header");
  if (load<uint16_t>(message, 0) != 10) return fail("version {}", load<uint16_t>(message, 0));
  if (load<uint16_t>(message, 2) != message.size()) {
    return fail("length {} of {} octets", load<uint16_t>(message, 2), message.size());
  }
  IpfixMessage decoded{.export_second = load<uint32_t>(message, 4),
                       .sequence = load<uint32_t>(message, 8),
                       .observation_domain = load<uint32_t>(message, 12),
                       .octets = message.size()};
  Octets left = message.subspan(kMessageHeaderOctets);
  while (!left.empty())
    TRY(read_set(left, decoded));
  TRY(check_sequence(decoded));
  return decoded;
}

Result<std::vector<IpfixMessage>> IpfixReader::read_file(Octets messages) {
  std::vector<IpfixMessage> decoded;
  while (!messages.empty()) {
    if (messages.size() < kMessageHeaderOctets) return fail("ends within a message header");
    const size_t octets = load<uint16_t>(messages, 2);
    if (octets > messages.size()) return fail("ends within a message");
    decoded.push_back(TRY(read(messages.first(octets))));
    messages = messages.subspan(octets);
  }
  return decoded;
}

Result<void> IpfixReader::read_set(Octets& left, IpfixMessage& to) {
  if (left.size() < kHeaderOctets) return fail("{} octets behind the last set", left.size());
  const auto id = load<uint16_t>(left, 0);
  const size_t octets = load<uint16_t>(left, 2);
  if (octets <= kHeaderOctets || octets > left.size()) return fail("a set of {} octets", octets);
  const Octets set = left.subspan(kHeaderOctets, octets - kHeaderOctets);
  left = left.subspan(octets);
  if (id == kTemplateSet) return read_templates(set, to);
  if (id >= kDataSetsBegin) return read_data(id, set, to);
  return fail("set id {}", id);
}

Result<void> IpfixReader::read_templates(Octets set, IpfixMessage& to) {
  while (set.size() >= kHeaderOctets) {
    const auto id = load<uint16_t>(set, 0);
    const size_t fields = load<uint16_t>(set, 2);
    set = set.subspan(kHeaderOctets);
    if (id < kDataSetsBegin || fields == 0) return fail("template {} of {} fields", id, fields);
    if (set.size() < fields * kHeaderOctets) return fail("template {} is cut", id);
    Template known;
    for (size_t i = 0; i < fields; ++i) {
      const size_t at = i * kHeaderOctets;
      known.push_back({load<uint16_t>(set, at), load<uint16_t>(set, at + 2)});
      if (known.back().element >= 0x8000) return fail("an enterprise's element");
      if (known.back().octets == 0 || known.back().octets == UINT16_MAX)
        return fail("element {} of {} octets", known.back().element, known.back().octets);
    }
    set = set.subspan(fields * kHeaderOctets);
    templates_[id] = std::move(known);
    ++to.templates;
  }
  if (!all_zero(set)) return fail("padding that is not zero");
  return {};
}

Result<void> IpfixReader::read_data(uint16_t template_id, Octets set, IpfixMessage& to) {
  const auto known = templates_.find(template_id);
  if (known == templates_.end()) return fail("no template {}", template_id);
  size_t record_octets = 0;
  for (const FieldSpecifier& field : known->second)
    record_octets += field.octets;
  if (set.size() < record_octets) return fail("a set without a record");
  for (; set.size() >= record_octets; set = set.subspan(record_octets)) {
    IpfixRecord record{.template_id = template_id};
    size_t at = 0;
    for (const FieldSpecifier& field : known->second) {
      const Octets value = set.subspan(at, field.octets);
      record.fields[field.element] = {value.begin(), value.end()};
      at += field.octets;
    }
    to.records.push_back(std::move(record));
  }
  if (!all_zero(set)) return fail("padding that is not zero");
  return {};
}

Result<void> IpfixReader::check_sequence(const IpfixMessage& message) {
  if (next_sequence_.value_or(message.sequence) != message.sequence) {
    return fail("sequence number {} instead of {}", message.sequence, *next_sequence_);
  }
  next_sequence_ = message.sequence + static_cast<uint32_t>(message.records.size());
  return {};
}

}  // namespace clerk
