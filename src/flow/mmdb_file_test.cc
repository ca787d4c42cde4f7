#include "flow/mmdb_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "flow/asn_test_support.h"
#include "testing/mmdb_builder.h"

namespace clerk {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kPlenty = 1000;

template <typename T>
std::optional<T> found(const Result<std::optional<T>>& result) {
  EXPECT_TRUE(result) << result.error().message;
  return result ? *result : std::nullopt;
}

TEST(MmdbFile, TellsWhatTheMetadataSays) {
  const std::vector<uint8_t> octets =
      MmdbBuilder({.version = IpVersion::V4, .database_type = "Test"})
          .add(address("192.0.0.0"), 2, mmdb::uint16(1))
          .build();
  const auto file = MmdbFile::open(octets, kPlenty);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->version(), IpVersion::V4);
  EXPECT_EQ(file->database_type(), "Test");
  EXPECT_EQ(file->node_count(), 2U);
}

TEST(MmdbFile, ReadsRecordsOfEverySizeToTheirHighestBit) {
  for (const unsigned bits : {24U, 28U, 32U}) {
    const uint32_t largest = UINT32_MAX >> (32 - bits);
    for (const unsigned side : {0U, 1U}) {
      MmdbBuilder builder({.record_bits = bits});
      builder.add(address("ff00::"), 8, mmdb::uint16(1)).set_record(0, side, largest);
      const std::vector<uint8_t> octets = builder.build();
      const auto file = MmdbFile::open(octets, kPlenty);
      ASSERT_TRUE(file) << file.error().message;
      EXPECT_FALSE(file->record(0, side));  // it leads far out of the file
      const auto other = file->record(0, 1 - side);
      ASSERT_TRUE(other) << other.error().message;
      const auto wanted = side == 0 ? MmdbRecord::Kind::Node : MmdbRecord::Kind::Nothing;
      EXPECT_EQ(other->kind, wanted);
    }
  }
}

TEST(MmdbFile, FindsAnEntryAndItsValues) {
  const auto entry = mmdb::map(
      {{"inner", mmdb::map({{"number", mmdb::uint64(1ULL << 40)}})}, {"name", mmdb::text("x")}});
  const std::vector<uint8_t> octets =
      MmdbBuilder({.version = IpVersion::V4}).add(address("128.0.0.0"), 1, entry).build();
  auto file = MmdbFile::open(octets, kPlenty);
  ASSERT_TRUE(file) << file.error().message;
  const auto record = file->record(0, 1);
  ASSERT_TRUE(record && record->kind == MmdbRecord::Kind::Entry);
  MmdbValues& values = file->values();
  const auto inner = found(values.find(record->value, "inner"));
  ASSERT_TRUE(inner);
  const auto number = found(values.find(*inner, "number"));
  ASSERT_TRUE(number);
  EXPECT_EQ(found(values.number(*number)), uint64_t{1} << 40);
  EXPECT_EQ(found(values.text(*number)), std::nullopt);
  const auto name = found(values.find(record->value, "name"));
  ASSERT_TRUE(name);
  EXPECT_EQ(found(values.text(*name)), "x");
  EXPECT_EQ(found(values.number(*name)), std::nullopt);
  EXPECT_EQ(found(values.find(*name, "no map")), std::nullopt);
  EXPECT_EQ(found(values.find(record->value, "absent")), std::nullopt);
}

TEST(MmdbFile, LooksAtNoMoreValuesThanAllowed) {
  const auto entry = mmdb::map(
      {{"many", mmdb::array(std::vector(20, mmdb::uint16(1)))}, {"asn", mmdb::uint32(1)}});
  const std::vector<uint8_t> octets =
      MmdbBuilder({.version = IpVersion::V4}).add(address("128.0.0.0"), 1, entry).build();
  auto file = MmdbFile::open(octets, 30);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(file->values().find(0, "asn"));
  const auto again = file->values().find(0, "asn");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "it has too many values");
}

TEST(MmdbFile, RefusesFormatsThatItDoesNotKnow) {
  MmdbBuilder builder({.version = IpVersion::V4});
  std::vector<uint8_t> octets = builder.build();
  const std::string text(octets.begin(), octets.end());
  const std::string key = "binary_format_major_version";
  octets[text.find(key) + key.size() + 1] = 3;
  const auto file = MmdbFile::open(octets, kPlenty);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("format 3 with records of 24 bits"));
}

}  // namespace
}  // namespace clerk
