// Which AS number an address belongs to: ranges of addresses, frozen into flat arrays.
//
// A step is where the answer changes: the first address of a range, or the first one behind it. The
// steps of one IP version lie sorted in groups of 16 (IPv6: 8), with their AS numbers beside them.
// Above them lie the first steps of the groups, in groups again, and so on, up to one group; a
// search goes down and compares with one whole group a level:
//
//   level 1   [0 ............... 0a40.. .............. 3f.. .............]
//   level 0   [0 0a00.. 0a01.. ...] [0a40.. 0a41.. ...] ... [3f.. ... pad pad]
//       asn   [0  64496  64497 ...] [ 64499     0  ...] ... [  0  ...   0   0]
//
// So the cost of a search follows the number of ranges alone and not how they lie, which is up to
// their author; no branch depends on the address, and of the levels only the lowest is too large
// for a core's cache. Immutable: any number of threads may search. Built from asn_csv.h or
// asn_db.h, used by enrich.h.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "flow/address_number.h"

namespace clerk {

struct AsnRange {
  IpAddress first;
  IpAddress last;  // inclusive, of the same IP version, not before `first`
  uint32_t asn = 0;

  friend bool operator==(const AsnRange&, const AsnRange&) = default;
};

// The steps of one IP version. Number is an unsigned type that holds its addresses.
template <typename Number>
class AsnSteps {
 public:
  // From `first` on the answer is `asn`.
  struct Step {
    Number first;
    uint32_t asn;
  };

  // In the order of the addresses; the first step is at 0.
  explicit AsnSteps(const std::vector<Step>& steps);

  [[nodiscard]] uint32_t find(Number address) const {
    if (address == kLastAddress) return asn_of_last_;  // would find the padding
    size_t group = 0;
    for (size_t level = levels_.size(); level-- > 0;)
      group = group * kGroup + last_at_or_before(levels_[level][group], address);
    const Leaf& leaf = leaves_[group];
    __builtin_prefetch(&leaf.asns);  // is fetched while the steps are compared
    return leaf.asns[last_at_or_before(leaf.steps, address)];
  }

  [[nodiscard]] size_t octets() const;

 private:
  // As measured: for IPv4 a group is one cache line, for IPv6 two.
  static constexpr size_t kGroup = sizeof(Number) == sizeof(uint32_t) ? 16 : 8;
  static constexpr Number kLastAddress = static_cast<Number>(~Number{0});

  using Steps = std::array<Number, kGroup>;
  struct alignas(64) Leaf {
    Steps steps;
    std::array<uint32_t, kGroup> asns;
  };

  // The place of the last step that is not behind `address`; the first one is not.
  static size_t last_at_or_before(const Steps& steps, Number address) {
    uint32_t not_behind = 0;
    for (const Number step : steps)
      not_behind += step <= address ? 1 : 0;
    return not_behind - 1;
  }

  void add_levels(std::vector<Number> firsts);

  std::vector<Leaf> leaves_;
  std::vector<std::vector<Steps>> levels_;  // above the leaves, the lowest one first
  uint32_t asn_of_last_;
};

class AsnTable {
 public:
  // Knows no address.
  AsnTable() : AsnTable(std::vector<AsnRange>{}) {}

  // The ranges must be disjoint; they may come in any order. One with the AS number 0 is as good as
  // none.
  explicit AsnTable(std::vector<AsnRange> ranges);

  // The AS number of the range that holds the address; 0 when there is none.
  [[nodiscard]] uint32_t find(const IpAddress& address) const {
    const AddressNumber number = number_of(address);
    return address.version == IpVersion::V4 ? ipv4_.find(static_cast<uint32_t>(number))
                                            : ipv6_.find(number);
  }

  // How many ranges it was built from.
  [[nodiscard]] size_t ranges() const { return ranges_; }
  // What it occupies.
  [[nodiscard]] size_t octets() const { return sizeof *this + ipv4_.octets() + ipv6_.octets(); }

 private:
  size_t ranges_;  // the first member: the ranges are sorted for the other two
  AsnSteps<uint32_t> ipv4_;
  AsnSteps<AddressNumber> ipv6_;
};

}  // namespace clerk
