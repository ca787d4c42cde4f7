#include "testing/mmdb_builder.h"

#include "base/check.h"

namespace clerk {
namespace mmdb {
namespace {

enum class Type : uint8_t {
  Pointer = 1,
  Text = 2,
  Uint16 = 5,
  Uint32 = 6,
  Map = 7,
  Uint64 = 9,
  Array = 11,
};

void append(Value& value, const Value& more) {
  value.insert(value.end(), more.begin(), more.end());
}

// The lowest `octets` octets, most significant first.
void append_number(Value& value, uint64_t number, unsigned octets) {
  while (octets-- > 0)
    value.push_back(static_cast<uint8_t>(number >> (8 * octets)));
}

Value head(Type type, size_t size) {
  constexpr uint8_t kLastPlainType = 7;
  CHECK(size < 285);
  const auto number = static_cast<uint8_t>(type);
  const auto size_bits = static_cast<uint8_t>(size < 29 ? size : 29);
  Value value;
  if (number <= kLastPlainType) {
    value = {static_cast<uint8_t>(number << 5 | size_bits)};
  } else {
    value = {size_bits, static_cast<uint8_t>(number - kLastPlainType)};
  }
  if (size >= 29) value.push_back(static_cast<uint8_t>(size - 29));
  return value;
}

Value number(Type type, uint64_t number, unsigned octets) {
  while (octets > 0 && number >> (8 * (octets - 1)) == 0)
    --octets;  // leading zeros are not written
  Value value = head(type, octets);
  append_number(value, number, octets);
  return value;
}

}  // namespace

Value text(std::string_view text) {
  Value value = head(Type::Text, text.size());
  value.insert(value.end(), text.begin(), text.end());
  return value;
}

Value uint16(uint16_t value) { return number(Type::Uint16, value, 2); }
Value uint32(uint32_t value) { return number(Type::Uint32, value, 4); }
Value uint64(uint64_t value) { return number(Type::Uint64, value, 8); }

Value map(const std::vector<std::pair<std::string, Value>>& pairs) {
  Value value = head(Type::Map, pairs.size());
  for (const auto& [key, inner] : pairs) {
    append(value, text(key));
    append(value, inner);
  }
  return value;
}

Value array(const std::vector<Value>& elements) {
  Value value = head(Type::Array, elements.size());
  for (const Value& element : elements)
    append(value, element);
  return value;
}

Value pointer(uint32_t offset) {
  CHECK(offset < 2048);
  return {static_cast<uint8_t>(1U << 5 | offset >> 8), static_cast<uint8_t>(offset)};
}

Value asn_entry(uint32_t asn) {
  return map({{"autonomous_system_number", uint32(asn)},
              {"autonomous_system_organization", text("AS " + std::to_string(asn))}});
}

}  // namespace mmdb

MmdbBuilder::Bits MmdbBuilder::bits_of(const IpAddress& prefix, unsigned bits) const {
  const bool embedded = format_.version == IpVersion::V6 && prefix.version == IpVersion::V4;
  Bits path(embedded ? 96 : 0, false);
  for (unsigned i = 0; i < bits; ++i)
    path.push_back((prefix.octets[i / 8] >> (7 - i % 8) & 1) != 0);
  return path;
}

// The record that stands for the prefix. An entry on the way there is divided.
MmdbBuilder::Record& MmdbBuilder::record_of(const Bits& prefix) {
  CHECK(!prefix.empty());
  uint32_t node = 0;
  for (size_t i = 0; i + 1 < prefix.size(); ++i) {
    const Record before = nodes_[node][prefix[i]];
    if (before.kind != Kind::Node) {
      nodes_[node][prefix[i]] = {Kind::Node, static_cast<uint32_t>(nodes_.size())};
      nodes_.push_back({before, before});
    }
    node = nodes_[node][prefix[i]].value;
  }
  return nodes_[node][prefix.back()];
}

uint32_t MmdbBuilder::offset_of(const mmdb::Value& entry) {
  const auto [at, is_new] = offsets_.try_emplace(entry, static_cast<uint32_t>(data_.size()));
  if (is_new) data_.insert(data_.end(), entry.begin(), entry.end());
  return at->second;
}

MmdbBuilder& MmdbBuilder::add(const IpAddress& prefix, unsigned bits, const mmdb::Value& entry) {
  record_of(bits_of(prefix, bits)) = {Kind::Entry, offset_of(entry)};
  return *this;
}

MmdbBuilder& MmdbBuilder::lead(uint32_t node, unsigned side, uint32_t to) {
  nodes_.at(node).at(side) = {Kind::Node, to};
  return *this;
}

MmdbBuilder& MmdbBuilder::set_record(uint32_t node, unsigned side, uint32_t record) {
  nodes_.at(node).at(side) = {Kind::Raw, record};
  return *this;
}

void MmdbBuilder::add_aliases() {
  const Record ipv4 = record_of(Bits(96, false));
  Bits mapped(80, false);
  mapped.resize(96, true);
  record_of(mapped) = ipv4;
  IpAddress transition{.version = IpVersion::V6, .octets = {0x20, 0x01}};
  record_of(bits_of(transition, 32)) = ipv4;
  transition.octets[1] = 0x02;
  record_of(bits_of(transition, 16)) = ipv4;
}

// A number below that of the nodes is a node, that number is "nothing", and more than it points
// behind the tree.
uint32_t MmdbBuilder::on_wire(const Record& record) const {
  const auto node_count = static_cast<uint32_t>(nodes_.size());
  switch (record.kind) {
    case Kind::Node:
    case Kind::Raw: return record.value;
    case Kind::Entry: return node_count + 16 + record.value;
    case Kind::Empty: break;
  }
  return node_count;
}

void MmdbBuilder::put_node(const Node& node, std::vector<uint8_t>& file) const {
  const uint32_t left = on_wire(node[0]);
  const uint32_t right = on_wire(node[1]);
  const unsigned octets = format_.record_bits / 8;
  mmdb::append_number(file, left, octets);
  if (format_.record_bits == 28)  // their upper four bits share the octet between them
    file.push_back(static_cast<uint8_t>((left >> 24 & 0xf) << 4 | (right >> 24 & 0xf)));
  mmdb::append_number(file, right, octets);
}

mmdb::Value MmdbBuilder::metadata() const {
  constexpr uint64_t kBuildEpoch = 1'700'000'000;
  const auto number = [](size_t value) { return static_cast<uint16_t>(value); };
  return mmdb::map({
      {"node_count", mmdb::uint32(static_cast<uint32_t>(nodes_.size()))},
      {"record_size", mmdb::uint16(number(format_.record_bits))},
      {"ip_version", mmdb::uint16(format_.version == IpVersion::V4 ? 4 : 6)},
      {"database_type", mmdb::text(format_.database_type)},
      {"languages", format_.languages},
      {"binary_format_major_version", mmdb::uint16(2)},
      {"binary_format_minor_version", mmdb::uint16(0)},
      {"build_epoch", mmdb::uint64(kBuildEpoch)},
      {"description", mmdb::map({{"en", mmdb::text("made for a test")}})},
  });
}

std::vector<uint8_t> MmdbBuilder::build() const {
  constexpr std::string_view kMarker = "\xab\xcd\xefMaxMind.com";
  MmdbBuilder complete = *this;
  if (format_.alias_ipv4) complete.add_aliases();
  std::vector<uint8_t> file;
  for (const Node& node : complete.nodes_)
    complete.put_node(node, file);
  file.resize(file.size() + 16);
  mmdb::append(file, data_);
  file.insert(file.end(), kMarker.begin(), kMarker.end());
  mmdb::append(file, complete.metadata());
  return file;
}

}  // namespace clerk
