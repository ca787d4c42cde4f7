// MaxMind databases for tests, octet by octet (https://maxmind.github.io/MaxMind-DB/):
//
//   search tree | 16 zeros | data section | marker | metadata
//
//   MmdbBuilder({.record_bits = 28}).add(prefix, 24, mmdb::asn_entry(64496)).build()
//
// A value is its octets in the data section; the functions of `mmdb` make them, and a test that
// wants damage writes others.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ip_address.h"

namespace clerk {

namespace mmdb {

using Value = std::vector<uint8_t>;

Value text(std::string_view text);
Value uint16(uint16_t number);
Value uint32(uint32_t number);
Value uint64(uint64_t number);
Value map(const std::vector<std::pair<std::string, Value>>& pairs);
Value array(const std::vector<Value>& elements);
Value pointer(uint32_t offset);  // in its section; at most 2047

// An entry as GeoLite2-ASN has it.
Value asn_entry(uint32_t asn);

}  // namespace mmdb

struct MmdbFormat {
  unsigned record_bits = 24;  // 24, 28 or 32
  IpVersion version = IpVersion::V6;
  std::string database_type = "GeoLite2-ASN";
  mmdb::Value languages = mmdb::array({mmdb::text("en")});
  bool alias_ipv4 = false;  // ::ffff:0:0/96, 2001::/32 and 2002::/16 lead to the tree of ::/96
};

class MmdbBuilder {
 public:
  explicit MmdbBuilder(MmdbFormat format = {}) : format_(std::move(format)), nodes_(1) {}

  // The entry of a prefix of `bits` bits; it replaces what was in there. In a database of IPv6 an
  // IPv4 prefix lies in ::/96.
  MmdbBuilder& add(const IpAddress& prefix, unsigned bits, const mmdb::Value& entry);

  // Lets one side (0 or 1) of a node lead to any node: a loop, for instance. Node 0 is the root.
  MmdbBuilder& lead(uint32_t node, unsigned side, uint32_t to);
  // The same with a record that is written as it is.
  MmdbBuilder& set_record(uint32_t node, unsigned side, uint32_t record);

  [[nodiscard]] std::vector<uint8_t> build() const;

 private:
  enum class Kind : uint8_t { Empty, Node, Entry, Raw };
  struct Record {
    Kind kind = Kind::Empty;
    uint32_t value = 0;  // a node, or an offset in the data section
  };
  using Node = std::array<Record, 2>;
  using Bits = std::vector<bool>;

  Bits bits_of(const IpAddress& prefix, unsigned bits) const;
  Record& record_of(const Bits& prefix);
  uint32_t offset_of(const mmdb::Value& entry);
  void add_aliases();
  [[nodiscard]] uint32_t on_wire(const Record& record) const;
  [[nodiscard]] mmdb::Value metadata() const;
  void put_node(const Node& node, std::vector<uint8_t>& file) const;

  MmdbFormat format_;
  std::vector<Node> nodes_;
  mmdb::Value data_;
  std::map<mmdb::Value, uint32_t> offsets_;  // each value is written once
};

}  // namespace clerk
