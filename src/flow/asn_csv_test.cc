#include "flow/asn_csv.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "flow/asn_test_support.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

AsnCsv parse(std::string_view text) {
  auto csv = parse_asn_csv(text);
  EXPECT_TRUE(csv) << csv.error().message;
  return csv ? *std::move(csv) : AsnCsv{};
}

uint32_t find(const AsnCsv& csv, const std::string& text) { return csv.table.find(address(text)); }

TEST(AsnCsv, ReadsBothVersions) {
  const AsnCsv csv = parse(
      "192.0.2.0,192.0.2.255,64496\n"
      "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,4294967295\n");
  EXPECT_THAT(csv.problems, IsEmpty());
  EXPECT_EQ(csv.lines_skipped, 0U);
  EXPECT_EQ(csv.table.ranges(), 2U);
  EXPECT_EQ(find(csv, "192.0.2.77"), 64496U);
  EXPECT_EQ(find(csv, "192.0.3.0"), 0U);
  EXPECT_EQ(find(csv, "2001:db8::1"), 4294967295U);
}

TEST(AsnCsv, TakesEveryWayToWriteIpv4AlsoMixedOnOneLine) {
  const std::vector<std::string> spellings{"", "::", "::ffff:", "0:0:0:0:0:0:", "::FFFF:"};
  for (const std::string& first : spellings) {
    for (const std::string& last : spellings) {
      const AsnCsv csv = parse(fmt::format("{}192.0.2.0,{}192.0.2.255,7", first, last));
      EXPECT_EQ(find(csv, "192.0.2.255"), 7U) << first << " " << last;
      EXPECT_EQ(find(csv, "::ffff:192.0.2.255"), 0U);
    }
  }
}

TEST(AsnCsv, TakesAllOfTheLowest32BitsForIpv4) {
  const AsnCsv csv = parse("::,::ffff:ffff,5\n::1:0:0,::1:0:5,6");
  EXPECT_THAT(csv.problems, IsEmpty());
  EXPECT_EQ(find(csv, "0.0.0.0"), 5U);
  EXPECT_EQ(find(csv, "255.255.255.255"), 5U);
  EXPECT_EQ(find(csv, "::1:0:3"), 6U);
}

TEST(AsnCsv, PassesOverBlanksAndComments) {
  const AsnCsv csv = parse("# made by hand, " + std::string(1000, 'x') +
                           "\r\n\r\n \t\r\n  # too\r\n"
                           "\t192.0.2.0 ,\t192.0.2.9 , 1 \r\n\n"
                           "192.0.2.10,192.0.2.19,2");
  EXPECT_THAT(csv.problems, IsEmpty());
  EXPECT_EQ(find(csv, "192.0.2.9"), 1U);
  EXPECT_EQ(find(csv, "192.0.2.19"), 2U);
}

TEST(AsnCsv, TakesTheAsNumberZeroForNotKnownThoughItClaimsItsAddresses) {
  const AsnCsv csv = parse("192.0.2.0,192.0.2.9,0\n192.0.2.5,192.0.2.19,2");
  EXPECT_EQ(csv.table.ranges(), 1U);
  EXPECT_EQ(find(csv, "192.0.2.5"), 0U);
  EXPECT_THAT(csv.problems, ElementsAre("line 2: overlaps line 1"));
}

struct BadLine {
  std::string line;
  std::string reason;
};

TEST(AsnCsv, SkipsALineThatItCannotUseAndSaysWhy) {
  const std::string two_fields = "has 2 fields instead of three: first address,last address,asn";
  const std::vector<BadLine> bad_lines{
      {"192.0.2.0", "has 1 field instead of three: first address,last address,asn"},
      {"192.0.2.0/24,64496", two_fields},
      {"192.0.2.0,192.0.2.1,1,NL", "has 4 fields instead of three: first address,last address,asn"},
      {"192.0.2,192.0.2.1,1", "'192.0.2' is no IP address"},
      {"192.0.2.0,192.0.2.256,1", "'192.0.2.256' is no IP address"},
      {"192.0.2.00,192.0.2.1,1", "'192.0.2.00' is no IP address"},
      {",192.0.2.1,1", "'' is no IP address"},
      {"fe80::1%eth0,fe80::2,1", "'fe80::1%eth0' is no IP address"},
      {"2001:db8::,2001:db8::g,1", "'2001:db8::g' is no IP address"},
      {"\"192.0.2.0\",192.0.2.1,1", "'\"192.0.2.0\"' is no IP address"},
      {"192.0.2.0,192.0.2.1,\x1b[2J", "'\\x1b[2J' is no AS number (0 to 4294967295)"},
      {"192.0.2.0,192.0.2.1,", "'' is no AS number (0 to 4294967295)"},
      {"192.0.2.0,192.0.2.1,AS1", "'AS1' is no AS number (0 to 4294967295)"},
      {"192.0.2.0,192.0.2.1,-1", "'-1' is no AS number (0 to 4294967295)"},
      {"192.0.2.0,192.0.2.1,+1", "'+1' is no AS number (0 to 4294967295)"},
      {"192.0.2.0,192.0.2.1,1.0", "'1.0' is no AS number (0 to 4294967295)"},
      {"192.0.2.0,192.0.2.1,1 2", "'1 2' is no AS number (0 to 4294967295)"},
      {"192.0.2.0,192.0.2.1,4294967296", "'4294967296' is no AS number (0 to 4294967295)"},
      {"192.0.2.1,192.0.2.0,1", "192.0.2.1 comes behind 192.0.2.0"},
      {"2001:db8::2,2001:db8::1,1", "2001:db8::2 comes behind 2001:db8::1"},
      {"192.0.2.0,2001:db8::,1", "192.0.2.0 and 2001:db8:: are of different IP versions"},
      {"::,2001:db8::,1", ":: and 2001:db8:: are of different IP versions"},
      {"192.0.2.0,192.0.2.1," + std::string(237, '1'), "is longer than 256 octets"},
      {std::string("192.0.2.0\0,192.0.2.1,1", 22), "holds a NUL octet"},
  };
  for (const auto& [line, reason] : bad_lines) {
    const AsnCsv csv = parse("10.0.0.0,10.0.0.0,1\n" + line + "\n10.0.0.1,10.0.0.1,2\n");
    EXPECT_THAT(csv.problems, ElementsAre("line 2: " + reason));
    EXPECT_EQ(csv.lines_skipped, 1U);
    EXPECT_EQ(csv.table.ranges(), 2U);
  }
}

TEST(AsnCsv, FailsWithoutOneLineToUse) {
  for (const std::string text : {"", "\n\n", "# nothing\n"}) {
    const auto csv = parse_asn_csv(text);
    ASSERT_FALSE(csv);
    EXPECT_THAT(csv.error().message, StartsWith("there is not one line to use"));
  }
  const auto csv = parse_asn_csv("network,autonomous_system_number\n");
  ASSERT_FALSE(csv);
  EXPECT_THAT(csv.error().message, HasSubstr("; line 1: has 2 fields instead of three"));
}

TEST(AsnCsv, KeepsTheFirstProblemsInTheOrderOfTheFileAndCountsAll) {
  std::string text = "10.0.0.0,10.0.0.255,1\n";
  for (int i = 0; i < 30; ++i)
    text += "10.0.0.9,10.0.0.10,2\nnonsense\n";
  const AsnCsv csv = parse(text);
  EXPECT_EQ(csv.lines_skipped, 60U);
  ASSERT_EQ(csv.problems.size(), AsnCsv::kProblemsMax);
  for (size_t i = 0; i < csv.problems.size(); ++i)
    EXPECT_THAT(csv.problems[i], StartsWith(fmt::format("line {}: ", i + 2)));
}

TEST(AsnCsv, LetsTheFirstOfOverlappingLinesWinWhateverTheirAddresses) {
  const AsnCsv csv = parse(
      "10.0.0.50,10.0.0.60,1\n"
      "10.0.0.55,10.0.0.90,2\n"  // overlaps 1
      "10.0.0.70,10.0.0.80,3\n"  // overlaps 2 alone, which claims nothing
      "10.0.0.0,10.0.0.255,4\n"  // holds 1 and 3
      "10.0.0.61,10.0.0.69,5\n"  // just between them
      "10.0.0.60,10.0.0.60,6\n"  // the last address of 1
      "2001:db8::,2001:db8::,7\n");
  EXPECT_EQ(csv.table.ranges(), 4U);
  EXPECT_EQ(csv.lines_skipped, 3U);
  EXPECT_EQ(find(csv, "10.0.0.60"), 1U);
  EXPECT_EQ(find(csv, "10.0.0.61"), 5U);
  EXPECT_EQ(find(csv, "10.0.0.75"), 3U);
  EXPECT_EQ(find(csv, "10.0.0.90"), 0U);
  ASSERT_EQ(csv.problems.size(), 3U);
  EXPECT_EQ(csv.problems[0], "line 2: overlaps line 1");
  EXPECT_THAT(csv.problems[1], StartsWith("line 4: overlaps line "));
  EXPECT_EQ(csv.problems[2], "line 6: overlaps line 1");
}

// The obvious way: each line is compared with every earlier one that is used.
std::vector<AsnRange> used_lines(const std::vector<AsnRange>& lines) {
  std::vector<AsnRange> used;
  for (const AsnRange& line : lines) {
    const bool overlaps = std::ranges::any_of(used, [&line](const AsnRange& other) {
      return other.first.version == line.first.version &&
             number_of(other.first) <= number_of(line.last) &&
             number_of(line.first) <= number_of(other.last);
    });
    if (!overlaps) used.push_back(line);
  }
  return used;
}

AsnRange random_line(Dice& dice, uint64_t space, uint64_t length_max) {
  const IpVersion version = dice.one_of({IpVersion::V4, IpVersion::V6});
  const AddressNumber base = version == IpVersion::V4 ? 0 : AddressNumber{0x2001} << 112;
  const AddressNumber first = base + dice.below(space);
  const AddressNumber last = first + dice.below(length_max);
  return {.first = address_from(version, first),
          .last = address_from(version, last),
          .asn = static_cast<uint32_t>(1 + dice.below(1000))};
}

void expect_as_line_by_line(const std::vector<AsnRange>& lines, uint64_t space) {
  std::string text;
  for (const auto& [first, last, asn] : lines)
    text += fmt::format("{},{},{}\n", to_string(first), to_string(last), asn);
  const AsnCsv csv = parse(text);
  const std::vector<AsnRange> used = used_lines(lines);
  ASSERT_EQ(csv.lines_skipped, lines.size() - used.size());
  const AsnTable wanted(used);
  for (uint64_t i = 0; i < 2 * space; ++i) {
    const IpAddress v4 = address_from(IpVersion::V4, i);
    const IpAddress v6 = address_from(IpVersion::V6, (AddressNumber{0x2001} << 112) + i);
    ASSERT_EQ(csv.table.find(v4), wanted.find(v4));
    ASSERT_EQ(csv.table.find(v6), wanted.find(v6));
  }
}

TEST(AsnCsv, SettlesOverlapsAsIfLineByLine) {
  Dice dice(3);
  for (int round = 0; round < 300 && !HasFatalFailure(); ++round) {
    const uint64_t space = dice.one_of<uint64_t>({20, 300, 3000});
    const uint64_t length_max = 1 + dice.below(dice.one_of<uint64_t>({3, 30, 300}));
    std::vector<AsnRange> lines;
    for (uint64_t i = dice.below(100) + 1; i > 0; --i)
      lines.push_back(random_line(dice, space, length_max));
    expect_as_line_by_line(lines, space);
  }
}

TEST(AsnCsv, LoadsAFile) {
  const std::string text = "192.0.2.0,192.0.2.255,64496\nnonsense\n";
  const TempFile file(std::vector<uint8_t>(text.begin(), text.end()));
  const auto csv = load_asn_csv(file.path());
  ASSERT_TRUE(csv) << csv.error().message;
  EXPECT_EQ(csv->table.ranges(), 1U);
  EXPECT_EQ(csv->lines_skipped, 1U);
}

TEST(AsnCsv, NamesTheFileThatItCannotLoad) {
  const auto missing = load_asn_csv("/nowhere/asns.csv");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "/nowhere/asns.csv: No such file or directory");
  const TempFile empty({});
  const auto nothing = load_asn_csv(empty.path());
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().message, StartsWith(empty.path() + ": there is not one line to use"));
}

}  // namespace
}  // namespace clerk
