// A MaxMind database (.mmdb) in memory, read in place: the records of its search tree, and the
// values in its data section (https://maxmind.github.io/MaxMind-DB/):
//
//   search tree: nodes of two records | 16 zeros | data section | marker | metadata
//
// A record below the number of nodes leads to a node; equal to it, to nothing; above it, to an
// entry. A value begins with its type and size; maps and arrays hold values, pointers lead to one
// elsewhere in the section.
//
// Not with libmaxminddb, to which the tests compare this: version 1.7.1 (Debian 12) recurses over
// nested values without a limit, multiplies them by pointers in the metadata, does not free what it
// read of metadata that it refuses, and maps the file, so that one cut short meanwhile ends the
// process. Here every octet is looked at inside bounds, and values are counted.
//
// The octets must outlive these objects. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/ip_address.h"

namespace clerk {

// The values of a data section, or of the metadata. Offsets count from its begin. Broken values are
// an error; one of another type than asked for is nothing.
class MmdbValues {
 public:
  // All calls together look at no more than `values_max` values.
  MmdbValues(std::span<const uint8_t> section, uint64_t values_max)
      : section_(section), values_left_(values_max) {}

  // Where the value of `key` is, in the map at `map`.
  Result<std::optional<size_t>> find(size_t map, std::string_view key);
  // An unsigned number of 16, 32 or 64 bits.
  [[nodiscard]] Result<std::optional<uint64_t>> number(size_t at) const;
  [[nodiscard]] Result<std::optional<std::string_view>> text(size_t at) const;

 private:
  enum class Type : uint8_t;

  // What a value begins with.
  struct Head {
    Type type;
    size_t size;    // in octets, in pairs or elements; of a pointer, where it leads
    size_t behind;  // the offset behind the head, where the content is
  };

  [[nodiscard]] Result<Head> head(size_t at) const;
  [[nodiscard]] Result<Head> followed_head(size_t at) const;
  [[nodiscard]] Result<Head> pointer_head(uint8_t control, size_t at) const;
  [[nodiscard]] Result<uint64_t> load(size_t at, size_t octets) const;
  [[nodiscard]] std::string_view text_of(const Head& head) const;
  Result<size_t> behind(size_t at, int depth_left);

  std::span<const uint8_t> section_;
  uint64_t values_left_;
};

struct MmdbRecord {
  enum class Kind : uint8_t { Nothing, Node, Entry };

  Kind kind = Kind::Nothing;
  uint32_t value = 0;  // the number of the node, or the offset of the entry
};

class MmdbFile {
 public:
  // Reads the metadata. At most `values_max` values of the data section will be looked at.
  static Result<MmdbFile> open(std::span<const uint8_t> octets, uint64_t values_max);

  [[nodiscard]] IpVersion version() const { return version_; }  // 6: IPv4 is in ::/96
  [[nodiscard]] std::string_view database_type() const { return database_type_; }
  [[nodiscard]] uint32_t node_count() const { return node_count_; }  // at least 1; 0 is the root

  // The left (0) or the right (1) record of a node.
  [[nodiscard]] Result<MmdbRecord> record(uint32_t node, unsigned side) const;
  MmdbValues& values() { return values_; }

 private:
  struct Metadata;

  MmdbFile(std::span<const uint8_t> octets, const Metadata& metadata, uint64_t values_max);
  static Result<Metadata> read_metadata(std::span<const uint8_t> octets);
  [[nodiscard]] uint32_t load_record(uint32_t node, unsigned side) const;

  IpVersion version_;
  std::string_view database_type_;
  uint32_t node_count_;
  unsigned record_bits_;
  std::span<const uint8_t> tree_;
  size_t data_octets_;
  MmdbValues values_;
};

}  // namespace clerk
