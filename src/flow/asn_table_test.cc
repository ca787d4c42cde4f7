#include "flow/asn_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "flow/asn_test_support.h"

namespace clerk {
namespace {

// The obvious way.
uint32_t search(const std::vector<AsnRange>& ranges, const IpAddress& address) {
  const AddressNumber number = number_of(address);
  for (const auto& [first, last, asn] : ranges) {
    if (first.version == address.version && number_of(first) <= number &&
        number <= number_of(last)) {
      return asn;
    }
  }
  return 0;
}

AsnRange range(const std::string& first, const std::string& last, uint32_t asn) {
  return {.first = address(first), .last = address(last), .asn = asn};
}

// At the ends of every range, beside them, and at the ends of the address spaces.
void expect_same_answers(const std::vector<AsnRange>& ranges) {
  const AsnTable table(ranges);
  EXPECT_EQ(table.ranges(), ranges.size());
  std::vector<IpAddress> probes{address("0.0.0.0"), address("255.255.255.255"), address("::"),
                                address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")};
  for (const AsnRange& range : ranges) {
    const AddressNumber first = number_of(range.first);
    const AddressNumber last = number_of(range.last);
    for (const AddressNumber number :
         {first - 1, first, first + (last - first) / 2, last, last + 1})
      probes.push_back(address_from(range.first.version, number));
  }
  for (const IpAddress& probe : probes)
    ASSERT_EQ(table.find(probe), search(ranges, probe)) << to_string(probe);
}

TEST(AsnTable, KnowsNothingWhenEmpty) {
  expect_same_answers({});
  EXPECT_EQ(AsnTable().ranges(), 0U);
}

TEST(AsnTable, HoldsAWholeAddressSpaceInOneRange) {
  expect_same_answers({range("0.0.0.0", "255.255.255.255", 1),
                       range("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 2)});
}

TEST(AsnTable, KeepsTheVersionsApart) {
  const AsnTable table({range("1.2.3.4", "1.2.3.4", 7), range("::5", "::6", 8)});
  EXPECT_EQ(table.find(address("1.2.3.4")), 7U);
  EXPECT_EQ(table.find(address("::102:304")), 0U);
  EXPECT_EQ(table.find(address("::5")), 8U);
  EXPECT_EQ(table.find(address("0.0.0.5")), 0U);
}

TEST(AsnTable, HoldsTheFirstAndTheLastAddress) {
  expect_same_answers({range("0.0.0.0", "0.0.0.0", 1),
                       range("255.255.255.255", "255.255.255.255", 2), range("::", "::", 3),
                       range("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                             "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 4)});
}

TEST(AsnTable, TellsAdjacentRangesApartAndJoinsThoseOfOneAs) {
  expect_same_answers({range("10.0.0.0", "10.0.0.255", 1), range("10.0.1.0", "10.0.1.255", 2),
                       range("10.0.2.0", "10.0.2.0", 2), range("10.0.2.1", "10.0.2.1", 1),
                       range("10.0.2.2", "10.0.255.255", 4294967295)});
}

TEST(AsnTable, TakesTheAsNumberZeroForNone) {
  expect_same_answers({range("10.0.0.0", "10.0.0.255", 1), range("10.0.1.0", "10.0.1.255", 0),
                       range("10.0.2.0", "10.0.2.255", 1), range("2001:db8::", "2001:db8::", 0)});
}

TEST(AsnTable, TakesRangesInAnyOrder) {
  expect_same_answers({range("2001:db8::", "2001:db8::ffff", 1), range("10.0.0.0", "10.0.0.9", 2),
                       range("9.0.0.0", "9.255.255.255", 3), range("2001:db7::", "2001:db7::", 4)});
}

TEST(AsnTableDeathTest, RefusesRangesThatOverlap) {
  EXPECT_DEATH(AsnTable({range("10.0.0.0", "10.0.0.255", 1), range("10.0.0.255", "10.0.1.0", 2)}),
               "check failed");
}

// `count` single addresses, every `spacing`th from `first` on, and the addresses between them.
void expect_single_addresses(const IpAddress& first, uint32_t count, uint32_t spacing) {
  const auto at = [&first](uint64_t i) {
    return address_from(first.version, number_of(first) + i);
  };
  std::vector<AsnRange> ranges;
  for (uint32_t i = 0; i < count; ++i) {
    const IpAddress single = at(uint64_t{i} * spacing);
    ranges.push_back({.first = single, .last = single, .asn = 1 + i});
  }
  const AsnTable table(ranges);
  for (uint32_t i = 0; i < count * spacing; ++i)
    ASSERT_EQ(table.find(at(i)), i % spacing == 0 ? 1 + i / spacing : 0) << to_string(at(i));
  EXPECT_EQ(table.find(at(uint64_t{count} * spacing)), 0U);
}

// Sizes around those of groups and their powers.
TEST(AsnTable, FindsEveryOneOfManySingleAddresses) {
  for (const uint32_t count : {1U, 7U, 8U, 9U, 15U, 16U, 17U, 127U, 128U, 129U, 2047U, 4097U}) {
    for (const uint32_t spacing : {1U, 2U, 3U}) {
      for (const char* first : {"0.0.0.0", "10.20.0.0", "::", "2001:db8::", "2001:db8::ffff:ff00"})
        expect_single_addresses(address(first), count, spacing);
    }
  }
}

// Disjoint ranges between random addresses, of which many share their first `shared_bits` bits.
std::vector<AsnRange> random_ranges(Dice& dice, IpVersion version, int shared_bits) {
  const AddressNumber mask = low_bits(address_bits(version) - shared_bits);
  const AddressNumber base = random_number(dice) & low_bits(address_bits(version)) & ~mask;
  std::vector<AddressNumber> ends;
  for (uint64_t i = 2 * (1 + dice.below(200)); i > 0; --i)
    ends.push_back(base | (random_number(dice) & mask));
  std::ranges::sort(ends);
  std::vector<AsnRange> ranges;
  for (size_t i = 0; i < ends.size(); i += 2) {
    if (!ranges.empty() && number_of(ranges.back().last) >= ends[i]) continue;
    ranges.push_back({.first = address_from(version, ends[i]),
                      .last = address_from(version, ends[i + 1]),
                      .asn = static_cast<uint32_t>(dice.below(5))});
  }
  return ranges;
}

TEST(AsnTable, AnswersAsALinearSearchDoes) {
  Dice dice(1);
  for (int round = 0; round < 200; ++round) {
    const int shared_v4 = dice.one_of({0, 8, 16, 22, 28});
    const int shared_v6 = dice.one_of({0, 3, 16, 63, 64, 65, 100, 122});
    std::vector<AsnRange> ranges = random_ranges(dice, IpVersion::V4, shared_v4);
    std::ranges::copy(random_ranges(dice, IpVersion::V6, shared_v6), std::back_inserter(ranges));
    expect_same_answers(ranges);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(AsnTable, CountsItsOctets) {
  constexpr uint32_t kRanges = 100'000;
  std::vector<AsnRange> ranges;
  for (uint32_t i = 0; i < kRanges; ++i) {
    const IpAddress at = address_from(IpVersion::V4, AddressNumber{i} * 4);
    ranges.push_back({.first = at, .last = at, .asn = 1 + i});
  }
  const size_t octets = AsnTable(ranges).octets();
  EXPECT_GE(octets, kRanges * 2 * 8);
  EXPECT_LE(octets, kRanges * 2 * 9 + 4096);
}

}  // namespace
}  // namespace clerk
