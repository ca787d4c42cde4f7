#include "flow/mmdb_file.h"

#include <algorithm>

#include "base/big_endian.h"

namespace clerk {
namespace {

constexpr int kDepthMax = 32;  // real databases nest to four
constexpr std::string_view kMarker = "\xab\xcd\xefMaxMind.com";
constexpr size_t kMetadataOctetsMax = 128 * 1024;  // the marker is in the last ones
constexpr uint64_t kMetadataValuesMax = 65536;
constexpr uint32_t kSeparatorOctets = 16;  // between the tree and the data section

}  // namespace

enum class MmdbValues::Type : uint8_t {
  Extended = 0,  // the type is in the next octet
  Pointer = 1,
  Text = 2,
  Double = 3,
  Bytes = 4,
  Uint16 = 5,
  Uint32 = 6,
  Map = 7,
  Int32 = 8,
  Uint64 = 9,
  Uint128 = 10,
  Array = 11,
  Boolean = 14,  // its size is its value
  Float = 15,
};

Result<std::optional<size_t>> MmdbValues::find(size_t map, std::string_view key) {
  const Head pairs = TRY(followed_head(map));
  if (pairs.type != Type::Map) return std::nullopt;
  size_t at = pairs.behind;
  for (size_t i = 0; i < pairs.size; ++i) {
    const Head name = TRY(followed_head(at));
    const size_t value = TRY(behind(at, kDepthMax));
    if (name.type == Type::Text && text_of(name) == key) return value;
    at = TRY(behind(value, kDepthMax));
  }
  return std::nullopt;
}

Result<std::optional<uint64_t>> MmdbValues::number(size_t at) const {
  const Head number = TRY(followed_head(at));
  const bool is_number =
      number.type == Type::Uint16 || number.type == Type::Uint32 || number.type == Type::Uint64;
  if (!is_number || number.size > sizeof(uint64_t)) return std::nullopt;
  return TRY(load(number.behind, number.size));
}

Result<std::optional<std::string_view>> MmdbValues::text(size_t at) const {
  const Head text = TRY(followed_head(at));
  if (text.type != Type::Text) return std::nullopt;
  return text_of(text);
}

std::string_view MmdbValues::text_of(const Head& head) const {
  return {reinterpret_cast<const char*>(section_.data() + head.behind), head.size};
}

// The offset behind a value and all that it holds. Pointers are not followed.
Result<size_t> MmdbValues::behind(size_t at, int depth_left) {
  if (depth_left == 0) return fail("its values nest too deeply");
  if (values_left_ == 0) return fail("it has too many values");
  --values_left_;
  const Head value = TRY(head(at));
  if (value.type == Type::Pointer || value.type == Type::Boolean) return value.behind;
  if (value.type != Type::Map && value.type != Type::Array) return value.behind + value.size;
  size_t end = value.behind;
  for (size_t left = value.type == Type::Map ? 2 * value.size : value.size; left > 0; --left)
    end = TRY(behind(end, depth_left - 1));
  return end;
}

Result<MmdbValues::Head> MmdbValues::followed_head(size_t at) const {
  Head value = TRY(head(at));
  if (value.type == Type::Pointer) value = TRY(head(value.size));
  if (value.type == Type::Pointer) return fail("a pointer leads to a pointer");
  return value;
}

//   control   type (3 bits) | size (5 bits)     then, if 0, the type - 7, and the rest of the size
Result<MmdbValues::Head> MmdbValues::head(size_t at) const {
  const auto control = static_cast<uint8_t>(TRY(load(at++, 1)));
  auto type = static_cast<Type>(control >> 5);
  if (type == Type::Pointer) return pointer_head(control, at);
  if (type == Type::Extended) {
    const uint64_t extended = 7 + TRY(load(at++, 1));
    if (extended <= 7 || extended > 15) return fail("a value has an unknown type");
    type = static_cast<Type>(extended);
  }
  constexpr size_t kInlineMax = 28;
  constexpr size_t kBase[] = {0, 29, 285, 65821};  // of a size that takes so many more octets
  size_t size = control & 0x1f;
  if (size > kInlineMax) {
    const size_t octets = size - kInlineMax;
    size = kBase[octets] + TRY(load(at, octets));
    at += octets;
  }
  const bool has_octets = type != Type::Map && type != Type::Array && type != Type::Boolean;
  if (has_octets && size > section_.size() - at) return fail("a value reaches out of its section");
  return Head{.type = type, .size = size, .behind = at};
}

//   control   001 | octets that follow - 1 (2 bits) | the highest bits, unless four follow (3 bits)
Result<MmdbValues::Head> MmdbValues::pointer_head(uint8_t control, size_t at) const {
  constexpr uint64_t kBase[] = {0, 0, 2048, 526336, 0};
  const size_t octets = (control >> 3 & 3U) + 1;
  const uint64_t highest = octets == 4 ? 0 : uint64_t{control & 7U} << (8 * octets);
  const uint64_t target = kBase[octets] + (highest | TRY(load(at, octets)));
  return Head{.type = Type::Pointer, .size = target, .behind = at + octets};
}

Result<uint64_t> MmdbValues::load(size_t at, size_t octets) const {
  if (at > section_.size() || octets > section_.size() - at) {
    return fail("a value reaches out of its section");
  }
  uint64_t number = 0;
  for (const uint8_t octet : section_.subspan(at, octets))
    number = number << 8 | octet;
  return number;
}

struct MmdbFile::Metadata {
  uint64_t format = 0;  // the major version
  uint64_t version = 0;
  uint64_t node_count = 0;
  uint64_t record_bits = 0;
  std::string_view database_type;
  size_t marker = 0;  // where it lies in the file
};

Result<MmdbFile::Metadata> MmdbFile::read_metadata(std::span<const uint8_t> octets) {
  const auto end = octets.last(std::min(octets.size(), kMetadataOctetsMax));
  const auto marker = std::ranges::find_end(end, kMarker, [](uint8_t octet, char wanted) {
    return octet == static_cast<uint8_t>(wanted);
  });
  if (marker.empty()) return fail("this is no MaxMind database (.mmdb)");
  Metadata metadata{.marker = octets.size() - static_cast<size_t>(end.end() - marker.begin())};
  MmdbValues values({marker.end(), end.end()}, kMetadataValuesMax);
  for (const auto& [key, number] : {std::pair{"binary_format_major_version", &metadata.format},
                                    {"ip_version", &metadata.version},
                                    {"node_count", &metadata.node_count},
                                    {"record_size", &metadata.record_bits}}) {
    if (const auto at = TRY(values.find(0, key))) *number = TRY(values.number(*at)).value_or(0);
  }
  if (const auto at = TRY(values.find(0, "database_type")))
    metadata.database_type = TRY(values.text(*at)).value_or("");
  return metadata;
}

Result<MmdbFile> MmdbFile::open(std::span<const uint8_t> octets, uint64_t values_max) {
  const Metadata metadata = TRY(read_metadata(octets));
  const auto& [format, version, node_count, record_bits, type, marker] = metadata;
  if (format != 2 || (version != 4 && version != 6) ||
      (record_bits != 24 && record_bits != 28 && record_bits != 32)) {
    return fail(
        "format {} with records of {} bits for IP version {} is unknown to clerk: it knows format "
        "2, 24, 28 or 32 bits, and IP version 4 or 6",
        format, record_bits, version);
  }
  if (node_count == 0 || node_count > UINT32_MAX ||
      node_count * record_bits / 4 + kSeparatorOctets > marker) {
    return fail("a search tree of {} nodes has no room in it", node_count);
  }
  return MmdbFile(octets, metadata, values_max);
}

MmdbFile::MmdbFile(std::span<const uint8_t> octets, const Metadata& metadata, uint64_t values_max)
    : version_(metadata.version == 4 ? IpVersion::V4 : IpVersion::V6),
      database_type_(metadata.database_type),
      node_count_(static_cast<uint32_t>(metadata.node_count)),
      record_bits_(static_cast<unsigned>(metadata.record_bits)),
      tree_(octets.first(metadata.node_count * metadata.record_bits / 4)),
      data_octets_(metadata.marker - tree_.size() - kSeparatorOctets),
      values_(octets.subspan(tree_.size() + kSeparatorOctets, data_octets_), values_max) {}

Result<MmdbRecord> MmdbFile::record(uint32_t node, unsigned side) const {
  const uint32_t record = load_record(node, side);
  if (record < node_count_) return MmdbRecord{.kind = MmdbRecord::Kind::Node, .value = record};
  if (record == node_count_) return MmdbRecord{};
  const uint32_t behind_tree = record - node_count_;
  if (behind_tree < kSeparatorOctets || behind_tree - kSeparatorOctets >= data_octets_) {
    return fail("its search tree leads out of the file");
  }
  return MmdbRecord{.kind = MmdbRecord::Kind::Entry, .value = behind_tree - kSeparatorOctets};
}

// A node of 28-bit records is left 24 | left's highest 4, right's highest 4 | right 24.
uint32_t MmdbFile::load_record(uint32_t node, unsigned side) const {
  const uint8_t* at = tree_.data() + size_t{node} * record_bits_ / 4;
  if (record_bits_ == 32) return load_big_endian<uint32_t>(at + size_t{4} * side);
  const uint8_t* low = at + (record_bits_ == 24 ? size_t{3} : size_t{4}) * side;
  const uint32_t record = uint32_t{low[0]} << 16 | uint32_t{low[1]} << 8 | low[2];
  if (record_bits_ == 24) return record;
  const uint32_t highest = side == 0 ? at[3] >> 4 : at[3] & 0xf;
  return record | highest << 24;
}

}  // namespace clerk
