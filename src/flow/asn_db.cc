#include "flow/asn_db.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/quote.h"
#include "base/read_file.h"
#include "flow/mmdb_file.h"

namespace clerk {
namespace {

constexpr std::string_view kField = "autonomous_system_number";

// What a file may cost. A database of the whole Internet's AS numbers has 10 MiB, 1.5 million nodes
// and 90,000 entries of two or three values.
constexpr size_t kFileOctetsMax = size_t{512} << 20;
constexpr uint64_t kValuesMax = uint64_t{1} << 26;
constexpr size_t kEntriesMax = size_t{1} << 22;
constexpr size_t kRangesMax = size_t{1} << 22;

// The AS numbers of a database's entries, each read once.
class Entries {
 public:
  explicit Entries(MmdbValues& values) : values_(&values) {}

  // 0 when the entry has none.
  Result<uint32_t> asn_of(uint32_t entry) {
    const auto known = asn_at_.find(entry);
    if (known != asn_at_.end()) return known->second;
    if (asn_at_.size() == kEntriesMax) return fail("it has more than {} entries", kEntriesMax);
    const auto asn = TRY(read(entry));
    have_field_ = have_field_ || asn.has_value();
    return asn_at_.emplace(entry, asn.value_or(0)).first->second;
  }

  // Whether any entry so far had the field.
  [[nodiscard]] bool have_field() const { return have_field_; }

 private:
  Result<std::optional<uint32_t>> read(uint32_t entry) {
    const auto at = TRY(values_->find(entry, kField));
    if (!at) return std::nullopt;
    const auto asn = TRY(values_->number(*at));
    if (!asn || *asn > UINT32_MAX) return fail("{} is no number of 32 bits", kField);
    return static_cast<uint32_t>(*asn);
  }

  MmdbValues* values_;
  std::unordered_map<uint32_t, uint32_t> asn_at_;  // by the entry's offset
  bool have_field_ = false;
};

// Walks the search tree from left to right, which is the order of the addresses.
class TreeWalk {
 public:
  explicit TreeWalk(MmdbFile& file)
      : file_(&file), entries_(file.values()), visits_left_(file.node_count()) {}

  Result<std::vector<AsnRange>> ranges() {
    ipv4_root_ = TRY(find_ipv4_root());
    std::vector<Place> open{{.record = {.kind = MmdbRecord::Kind::Node, .value = 0}}};
    while (!open.empty()) {
      const Place place = open.back();
      open.pop_back();
      if (place.record.kind == MmdbRecord::Kind::Entry) {
        TRY(take_entry(place));
      } else if (place.record.kind == MmdbRecord::Kind::Node && !is_alias(place)) {
        TRY(open_node(place, open));
      }
    }
    if (!entries_.have_field()) {
      return fail("no entry has the field {}; this database is of the type {}, take an ASN one",
                  kField, quote(file_->database_type()));
    }
    return std::move(ranges_);
  }

 private:
  // A record of the tree and the prefix that it stands for.
  struct Place {
    MmdbRecord record;
    AddressNumber prefix = 0;
    int bits = 0;  // of the prefix
  };

  static constexpr int kIpv4Bits = 96;  // of ::/96

  // The node of ::/96 in a tree of IPv6, if there is one.
  [[nodiscard]] Result<std::optional<uint32_t>> find_ipv4_root() const {
    if (file_->version() == IpVersion::V4) return std::nullopt;
    MmdbRecord record{.kind = MmdbRecord::Kind::Node, .value = 0};
    for (int bits = 0; bits < kIpv4Bits; ++bits) {
      record = TRY(file_->record(record.value, 0));
      if (record.kind != MmdbRecord::Kind::Node) return std::nullopt;
    }
    return record.value;
  }

  // Whether this is the IPv4 subtree, met elsewhere than at ::/96.
  [[nodiscard]] bool is_alias(const Place& place) const {
    return place.record.value == ipv4_root_ && !(place.bits == kIpv4Bits && place.prefix == 0);
  }

  // Leaves the two records of a node in `open`, the left one last.
  Result<void> open_node(const Place& place, std::vector<Place>& open) {
    if (place.bits == address_bits(file_->version())) {
      return fail("its search tree is deeper than an address");
    }
    if (visits_left_-- == 0) return fail("its search tree has loops or shares nodes");
    const int bits = place.bits + 1;
    const AddressNumber right_bit = AddressNumber{1} << (address_bits(file_->version()) - bits);
    open.push_back({.record = TRY(file_->record(place.record.value, 1)),
                    .prefix = place.prefix | right_bit,
                    .bits = bits});
    open.push_back({.record = TRY(file_->record(place.record.value, 0)),
                    .prefix = place.prefix,
                    .bits = bits});
    return {};
  }

  Result<void> take_entry(const Place& place) {
    const uint32_t asn = TRY(entries_.asn_of(place.record.value));
    if (asn == 0) return {};
    if (ranges_.size() >= kRangesMax) return fail("it has more than {} ranges", kRangesMax);
    const int host_bits = address_bits(file_->version()) - place.bits;
    const AddressNumber last = place.prefix | low_bits(host_bits);
    if (file_->version() == IpVersion::V4) {
      add(IpVersion::V4, place.prefix, last, asn);
    } else {
      add_ipv6(place.prefix, last, asn);
    }
    return {};
  }

  // A range of the 128-bit tree: in ::/96, around it, or elsewhere.
  void add_ipv6(AddressNumber first, AddressNumber last, uint32_t asn) {
    constexpr AddressNumber kIpv4Last = UINT32_MAX;
    if (first <= kIpv4Last) add(IpVersion::V4, first, std::min(last, kIpv4Last), asn);
    if (last > kIpv4Last) add(IpVersion::V6, std::max(first, kIpv4Last + 1), last, asn);
  }

  // Joins ranges that follow on one another.
  void add(IpVersion version, AddressNumber first, AddressNumber last, uint32_t asn) {
    if (!ranges_.empty()) {
      AsnRange& before = ranges_.back();
      if (before.last.version == version && before.asn == asn &&
          number_of(before.last) + 1 == first) {
        before.last = address_from(version, last);
        return;
      }
    }
    ranges_.push_back(
        {.first = address_from(version, first), .last = address_from(version, last), .asn = asn});
  }

  MmdbFile* file_;
  Entries entries_;
  std::optional<uint32_t> ipv4_root_;
  // But for the aliases, which are not visited, every node has one place in the tree.
  uint32_t visits_left_;
  std::vector<AsnRange> ranges_;
};

}  // namespace

Result<AsnTable> parse_asn_db(std::span<const uint8_t> octets) {
  MmdbFile file = TRY(MmdbFile::open(octets, kValuesMax));
  return AsnTable(TRY(TreeWalk(file).ranges()));
}

Result<AsnTable> load_asn_db(const std::string& path) {
  const std::string octets = TRY(read_file(path, kFileOctetsMax));
  auto table = parse_asn_db({reinterpret_cast<const uint8_t*>(octets.data()), octets.size()});
  if (!table) return fail("{}: {}", path, table.error().message);
  return table;
}

}  // namespace clerk
