#include "flow/asn_table.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/check.h"

namespace clerk {
namespace {

bool overlap(const AsnRange& before, const AsnRange& behind) {
  return !is_before(before.last, behind.first);
}

std::vector<AsnRange>& check_and_sort(std::vector<AsnRange>& ranges) {
  for (const auto& [first, last, asn] : ranges)
    CHECK(first.version == last.version && !is_before(last, first));
  if (!std::ranges::is_sorted(ranges, is_before, &AsnRange::first))
    std::ranges::sort(ranges, is_before, &AsnRange::first);
  CHECK(std::ranges::adjacent_find(ranges, overlap) == ranges.end());
  return ranges;
}

// The steps of the ranges of one IP version.
template <typename Number>
class StepsOfRanges {
 public:
  using Step = typename AsnSteps<Number>::Step;

  void add(const AsnRange& range) {
    add_step(static_cast<Number>(number_of(range.first)), range.asn);
    const auto behind = static_cast<Number>(number_of(range.last) + 1);
    if (behind != 0) add_step(behind, 0);  // else it ends with the address space
  }

  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

 private:
  void add_step(Number first, uint32_t asn) {
    if (steps_.back().first == first) steps_.pop_back();  // nothing between two ranges
    if (!steps_.empty() && steps_.back().asn == asn) return;
    steps_.push_back({first, asn});
  }

  std::vector<Step> steps_{{0, 0}};
};

template <typename Number>
std::vector<typename AsnSteps<Number>::Step> steps_of(IpVersion version,
                                                      std::span<const AsnRange> ranges) {
  StepsOfRanges<Number> steps;
  for (const AsnRange& range : ranges) {
    if (range.first.version == version) steps.add(range);
  }
  return steps.steps();
}

}  // namespace

template <typename Number>
AsnSteps<Number>::AsnSteps(const std::vector<Step>& steps)
    : leaves_((steps.size() + kGroup - 1) / kGroup), asn_of_last_(steps.back().asn) {
  for (size_t i = 0; i < leaves_.size() * kGroup; ++i) {
    Leaf& leaf = leaves_[i / kGroup];
    leaf.steps[i % kGroup] = i < steps.size() ? steps[i].first : kLastAddress;
    leaf.asns[i % kGroup] = i < steps.size() ? steps[i].asn : asn_of_last_;
  }
  std::vector<Number> firsts;
  firsts.reserve(leaves_.size());
  for (const Leaf& leaf : leaves_)
    firsts.push_back(leaf.steps.front());
  add_levels(std::move(firsts));
}

// `firsts` are those of the groups of the level below.
template <typename Number>
void AsnSteps<Number>::add_levels(std::vector<Number> firsts) {
  while (firsts.size() > 1) {
    std::vector<Steps>& level = levels_.emplace_back((firsts.size() + kGroup - 1) / kGroup);
    firsts.resize(level.size() * kGroup, kLastAddress);
    for (size_t i = 0; i < firsts.size(); ++i)
      level[i / kGroup][i % kGroup] = firsts[i];
    firsts.resize(level.size());
    for (size_t group = 0; group < level.size(); ++group)
      firsts[group] = level[group].front();
  }
}

template <typename Number>
size_t AsnSteps<Number>::octets() const {
  size_t octets = leaves_.capacity() * sizeof(Leaf);
  for (const auto& level : levels_)
    octets += sizeof level + level.capacity() * sizeof(Steps);
  return octets;
}

template class AsnSteps<uint32_t>;
template class AsnSteps<AddressNumber>;

AsnTable::AsnTable(std::vector<AsnRange> ranges)
    : ranges_(check_and_sort(ranges).size()),
      ipv4_(steps_of<uint32_t>(IpVersion::V4, ranges)),
      ipv6_(steps_of<AddressNumber>(IpVersion::V6, ranges)) {}

}  // namespace clerk
