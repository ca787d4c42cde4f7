#include "flow/asn_db.h"

#include <gtest/gtest.h>
#include <maxminddb.h>
#include <netinet/in.h>

#include <cstring>
#include <string>
#include <vector>

#include "flow/asn_test_support.h"
#include "testing/mmdb_builder.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

AsnTable parse(const MmdbBuilder& builder) {
  auto table = parse_asn_db(builder.build());
  EXPECT_TRUE(table) << table.error().message;
  return table ? *std::move(table) : AsnTable();
}

std::string error_of(const std::vector<uint8_t>& file) {
  const auto table = parse_asn_db(file);
  EXPECT_FALSE(table);
  return table ? "" : table.error().message;
}

uint32_t find(const AsnTable& table, const std::string& text) { return table.find(address(text)); }

// What libmaxminddb itself answers.
class Lookup {
 public:
  explicit Lookup(const std::vector<uint8_t>& file) : file_(file) {
    EXPECT_EQ(::MMDB_open(file_.path().c_str(), MMDB_MODE_MMAP, &mmdb_), MMDB_SUCCESS);
  }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup() { ::MMDB_close(&mmdb_); }

  [[nodiscard]] uint32_t find(const IpAddress& address) const {
    const sockaddr_storage where = socket_address(address);
    int error = MMDB_SUCCESS;
    MMDB_lookup_result_s found =
        ::MMDB_lookup_sockaddr(&mmdb_, reinterpret_cast<const sockaddr*>(&where), &error);
    if (error == MMDB_IPV6_LOOKUP_IN_IPV4_DATABASE_ERROR) return 0;
    EXPECT_EQ(error, MMDB_SUCCESS);
    if (!found.found_entry) return 0;
    const char* const path[] = {"autonomous_system_number", nullptr};
    MMDB_entry_data_s value{};
    const int status = ::MMDB_aget_value(&found.entry, &value, path);
    return status == MMDB_SUCCESS && value.has_data ? value.uint32 : 0;
  }

 private:
  static sockaddr_storage socket_address(const IpAddress& address) {
    sockaddr_storage storage{};
    if (address.version == IpVersion::V4) {
      sockaddr_in v4{.sin_family = AF_INET};
      std::memcpy(&v4.sin_addr, address.octets.data(), sizeof v4.sin_addr);
      std::memcpy(&storage, &v4, sizeof v4);
    } else {
      sockaddr_in6 v6{.sin6_family = AF_INET6};
      std::memcpy(&v6.sin6_addr, address.octets.data(), sizeof v6.sin6_addr);
      std::memcpy(&storage, &v6, sizeof v6);
    }
    return storage;
  }

  TempFile file_;
  MMDB_s mmdb_{};
};

struct Prefix {
  IpAddress first;
  unsigned bits;
};

// Prefixes that nest in one another, in a few corners of the address space.
Prefix random_prefix(Dice& dice, IpVersion version) {
  const int width = address_bits(version);
  const auto bits = static_cast<unsigned>(1 + dice.below(static_cast<uint64_t>(width)));
  const AddressNumber base = dice.one_of({AddressNumber{0}, AddressNumber{0x2001'0db8} << 96,
                                          AddressNumber{0x2c00} << 112, ~AddressNumber{0}});
  const AddressNumber noise = random_number(dice) & low_bits(static_cast<int>(dice.below(129)));
  const AddressNumber number = (base ^ noise) & ~low_bits(width - static_cast<int>(bits));
  return {.first = address_from(version, number), .bits = bits};
}

// libmaxminddb goes through the aliases of the IPv4 tree, and to it for ::/96; the table does not.
bool leads_to_ipv4(const IpAddress& address) {
  if (address.version == IpVersion::V4) return false;
  const AddressNumber number = number_of(address);
  return number >> 32 == 0 || number >> 32 == 0xffff || number >> 96 == 0x2001'0000 ||
         number >> 112 == 0x2002;
}

void expect_same_answers(Dice& dice, const MmdbFormat& format) {
  MmdbBuilder builder(format);
  std::vector<Prefix> prefixes;
  for (uint64_t i = 1 + dice.below(60); i > 0; --i) {
    const bool v4 = format.version == IpVersion::V4 || dice.one_in(2);
    prefixes.push_back(random_prefix(dice, v4 ? IpVersion::V4 : IpVersion::V6));
    const auto asn = static_cast<uint32_t>(dice.below(6));
    builder.add(prefixes.back().first, prefixes.back().bits, mmdb::asn_entry(asn));
  }
  const AsnTable table = parse(builder);
  const Lookup lookup(builder.build());
  for (const auto& [first, bits] : prefixes) {
    const AddressNumber hosts = low_bits(address_bits(first.version) - static_cast<int>(bits));
    const AddressNumber number = number_of(first);
    for (const AddressNumber at : {number, number - 1, number | hosts, (number | hosts) + 1,
                                   number | (random_number(dice) & hosts), random_number(dice)}) {
      const IpAddress probe = address_from(first.version, at);
      if (leads_to_ipv4(probe)) continue;
      ASSERT_EQ(table.find(probe), lookup.find(probe)) << to_string(probe);
    }
  }
}

TEST(AsnDb, AnswersAsLibmaxminddbDoes) {
  Dice dice(5);
  for (const unsigned record_bits : {24U, 28U, 32U}) {
    for (const IpVersion version : {IpVersion::V4, IpVersion::V6}) {
      for (int round = 0; round < 40 && !HasFatalFailure(); ++round) {
        expect_same_answers(dice, {.record_bits = record_bits,
                                   .version = version,
                                   .alias_ipv4 = version == IpVersion::V6 && dice.one_in(2)});
      }
    }
  }
}

TEST(AsnDb, PassesOverTheAliasesOfTheIpv4Tree) {
  const AsnTable table = parse(MmdbBuilder({.alias_ipv4 = true})
                                   .add(address("10.0.0.0"), 8, mmdb::asn_entry(5))
                                   .add(address("2001:db8::"), 32, mmdb::asn_entry(6)));
  EXPECT_EQ(table.ranges(), 2U);
  EXPECT_EQ(find(table, "10.1.2.3"), 5U);
  EXPECT_EQ(find(table, "2001:db8::1"), 6U);
  for (const char* alias : {"::10.1.2.3", "::ffff:10.1.2.3", "2002:0a01::", "2001:0:0a01::"})
    EXPECT_EQ(find(table, alias), 0U) << alias;
}

TEST(AsnDb, DividesAnEntryThatHoldsAllOfIpv4AndMore) {
  const AsnTable table = parse(MmdbBuilder().add(address("::"), 64, mmdb::asn_entry(9)));
  EXPECT_EQ(find(table, "0.0.0.0"), 9U);
  EXPECT_EQ(find(table, "255.255.255.255"), 9U);
  EXPECT_EQ(find(table, "::1:0:0"), 9U);
  EXPECT_EQ(find(table, "::ffff:ffff:ffff:ffff"), 9U);
  EXPECT_EQ(find(table, "0:0:0:1::"), 0U);
}

TEST(AsnDb, JoinsNeighboursOfOneAs) {
  const AsnTable table = parse(MmdbBuilder()
                                   .add(address("10.0.0.0"), 9, mmdb::asn_entry(5))
                                   .add(address("10.128.0.0"), 9, mmdb::asn_entry(5)));
  EXPECT_EQ(table.ranges(), 1U);
}

TEST(AsnDb, FollowsPointersInEntries) {
  // The number itself, at offset 0 of the data section, and an entry that points to it.
  const AsnTable table =
      parse(MmdbBuilder()
                .add(address("10.0.0.0"), 8, mmdb::asn_entry(77))
                .add(address("11.0.0.0"), 8,
                     mmdb::map({{"country", mmdb::map({{"iso_code", mmdb::text("NL")}})},
                                {"autonomous_system_number", mmdb::pointer(1 + 1 + 24)}})));
  EXPECT_EQ(find(table, "11.0.0.1"), 77U);
}

// As the databases of MaxMind have it: each text is written once.
TEST(AsnDb, FollowsPointersToKeys) {
  mmdb::Value entry = mmdb::pointer(1);  // the key of the first entry
  entry.insert(entry.begin(), 0xe1);     // in a map of one pair
  const mmdb::Value number = mmdb::uint32(78);
  entry.insert(entry.end(), number.begin(), number.end());
  const AsnTable table = parse(MmdbBuilder()
                                   .add(address("10.0.0.0"), 8, mmdb::asn_entry(77))
                                   .add(address("11.0.0.0"), 8, entry));
  EXPECT_EQ(find(table, "11.0.0.1"), 78U);
}

TEST(AsnDb, TakesSmallerNumbersToo) {
  const AsnTable table = parse(MmdbBuilder().add(
      address("10.0.0.0"), 8, mmdb::map({{"autonomous_system_number", mmdb::uint16(700)}})));
  EXPECT_EQ(find(table, "10.0.0.1"), 700U);
}

TEST(AsnDb, RefusesADatabaseOfOtherThings) {
  const auto country = mmdb::map({{"country", mmdb::map({{"iso_code", mmdb::text("NL")}})}});
  const MmdbBuilder builder =
      MmdbBuilder({.database_type = "GeoLite2-Country"}).add(address("10.0.0.0"), 8, country);
  EXPECT_EQ(error_of(builder.build()),
            "no entry has the field autonomous_system_number; this database is of the type "
            "'GeoLite2-Country', take an ASN one");
}

TEST(AsnDb, RefusesAFieldThatIsNoNumber) {
  const auto entry = mmdb::map({{"autonomous_system_number", mmdb::text("AS1")}});
  EXPECT_EQ(error_of(MmdbBuilder().add(address("10.0.0.0"), 8, entry).build()),
            "autonomous_system_number is no number of 32 bits");
}

TEST(AsnDb, RefusesALoopInTheTree) {
  MmdbBuilder builder;
  builder.add(address("8000::"), 8, mmdb::asn_entry(1)).lead(5, 1, 3);
  EXPECT_EQ(error_of(builder.build()), "its search tree has loops or shares nodes");
}

// Every node leads twice to the next one: two to the power of 127 paths.
TEST(AsnDb, RefusesATreeOfSharedNodes) {
  MmdbBuilder builder({.alias_ipv4 = true});
  builder.add(address("8000::"), 128, mmdb::asn_entry(1));
  for (uint32_t node = 1; node < 127; ++node)
    builder.lead(node, 1, node + 1);
  EXPECT_EQ(error_of(builder.build()), "its search tree has loops or shares nodes");
}

TEST(AsnDb, RefusesRecordsThatLeadNowhere) {
  MmdbBuilder builder;
  builder.add(address("8000::"), 8, mmdb::asn_entry(1));
  for (const uint32_t record : {0U, 9U, 0xffffffU}) {
    MmdbBuilder broken = builder;
    broken.set_record(3, 1, record);
    EXPECT_NE(error_of(broken.build()), "") << record;
  }
}

mmdb::Value nested_arrays(size_t depth) {
  mmdb::Value value = mmdb::uint16(1);
  for (size_t i = 0; i < depth; ++i)
    value = mmdb::array({value});
  return value;
}

TEST(AsnDb, RefusesValuesThatNestTooDeeply) {
  const auto deep =
      mmdb::map({{"a", nested_arrays(40)}, {"autonomous_system_number", mmdb::uint32(1)}});
  EXPECT_EQ(error_of(MmdbBuilder().add(address("10.0.0.0"), 8, deep).build()),
            "its values nest too deeply");
  // Deep enough to exhaust the stack of whoever recurses.
  mmdb::Value bottomless{0xe1, 0x41, 'a'};  // a map of one pair, whose key is "a"
  for (size_t i = 0; i < 4'000'000; ++i)
    bottomless.insert(bottomless.end(), {1, 4});
  EXPECT_EQ(error_of(MmdbBuilder().add(address("10.0.0.0"), 8, bottomless).build()),
            "its values nest too deeply");
}

TEST(AsnDb, LooksAtNothingInTheMetadataThatItDoesNotNeed) {
  const MmdbFormat format{.languages = mmdb::array({mmdb::pointer(0), mmdb::uint16(1)})};
  parse(MmdbBuilder(format).add(address("10.0.0.0"), 8, mmdb::asn_entry(1)));
}

TEST(AsnDb, RefusesAPointerToAPointer) {
  const auto entry =
      mmdb::map({{"a", mmdb::pointer(3)}, {"autonomous_system_number", mmdb::pointer(3)}});
  EXPECT_EQ(error_of(MmdbBuilder().add(address("10.0.0.0"), 8, entry).build()),
            "a pointer leads to a pointer");
}

TEST(AsnDb, RefusesWhatIsNoDatabase) {
  EXPECT_EQ(error_of({}), "this is no MaxMind database (.mmdb)");
  EXPECT_EQ(error_of(std::vector<uint8_t>(100'000, 'x')), "this is no MaxMind database (.mmdb)");
}

TEST(AsnDb, RefusesEveryFileThatIsCutShort) {
  const std::vector<uint8_t> file =
      MmdbBuilder().add(address("10.0.0.0"), 8, mmdb::asn_entry(1)).build();
  // What comes later in the metadata is not looked at.
  const size_t needed = std::string(file.begin(), file.end()).find("binary_format_minor_version");
  for (size_t octets = 0; octets + 2 < needed; ++octets)
    ASSERT_NE(error_of({file.begin(), file.begin() + static_cast<ptrdiff_t>(octets)}), "");
}

TEST(AsnDb, SurvivesEveryChangedOctet) {
  const std::vector<uint8_t> file = MmdbBuilder({.alias_ipv4 = true})
                                        .add(address("10.0.0.0"), 8, mmdb::asn_entry(1))
                                        .add(address("2001:db8::"), 32, mmdb::asn_entry(2))
                                        .build();
  for (size_t at = 0; at < file.size(); ++at) {
    for (const uint8_t other : std::initializer_list<uint8_t>{0x01, 0x20, 0x80, 0xff}) {
      std::vector<uint8_t> changed = file;
      changed[at] ^= other;
      const auto table = parse_asn_db(changed);
      EXPECT_TRUE(!table || table->ranges() < 1000);
    }
  }
}

TEST(AsnDb, NamesTheFileThatItCannotLoad) {
  const auto missing = load_asn_db("/nowhere/asn.mmdb");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "/nowhere/asn.mmdb: No such file or directory");
  const TempFile empty({});
  const auto nothing = load_asn_db(empty.path());
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().message, empty.path() + ": this is no MaxMind database (.mmdb)");
}

TEST(AsnDb, LoadsAFile) {
  const TempFile file(MmdbBuilder().add(address("10.0.0.0"), 8, mmdb::asn_entry(5)).build());
  const auto table = load_asn_db(file.path());
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(find(*table, "10.0.0.1"), 5U);
}

}  // namespace
}  // namespace clerk
