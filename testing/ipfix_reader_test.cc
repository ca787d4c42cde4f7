#include "testing/ipfix_reader.h"

#include <gtest/gtest.h>

#include <vector>

namespace clerk {
namespace {

using Octets = std::vector<uint8_t>;

// A message of these sets, with the right length.
Octets message(uint8_t sequence, const std::vector<Octets>& sets) {
  Octets all{0, 10, 0, 0, 0, 0, 0, 1, 0, 0, 0, sequence, 0, 0, 0, 2};
  for (const Octets& set : sets)
    all.insert(all.end(), set.begin(), set.end());
  all[2] = static_cast<uint8_t>(all.size() >> 8);
  all[3] = static_cast<uint8_t>(all.size());
  return all;
}

// Template 256: sourceTransportPort in two octets, protocolIdentifier in one.
const Octets kTemplateSet{0, 2, 0, 16, 1, 0, 0, 2, 0, 7, 0, 2, 0, 4, 0, 1};

TEST(IpfixReader, DecodesRecordsByTheirTemplate) {
  IpfixReader reader;
  const auto read =
      reader.read(message(0, {kTemplateSet, {1, 0, 0, 10, 0x12, 0x34, 6, 0x56, 0x78, 17}}));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->export_second, 1U);
  EXPECT_EQ(read->observation_domain, 2U);
  EXPECT_EQ(read->templates, 1U);
  ASSERT_EQ(read->records.size(), 2U);
  EXPECT_EQ(read->records[0].number(7), 0x1234U);
  EXPECT_EQ(read->records[1].number(4), 17U);
  EXPECT_FALSE(read->records[1].has(1));
}

TEST(IpfixReader, RefusesWhatRfc7011Forbids) {
  const auto with = [](Octets octets, size_t at, uint8_t value) {
    octets[at] = value;
    return octets;
  };
  const Octets good = message(0, {kTemplateSet});
  const std::vector<Octets> broken{
      {},
      Octets(good.begin(), good.end() - 1),                     // shorter than it says
      with(good, 1, 9),                                         // NetFlow
      with(good, 17, 1),                                        // a set of an unknown kind
      with(good, 19, 3),                                        // a set shorter than its header
      with(good, 19, 17),                                       // a set longer than the message
      with(good, 20, 0),                                        // template 0
      with(good, 23, 0),                                        // a template without fields
      with(good, 23, 3),                                        // a template cut short
      with(good, 27, 0),                                        // a field without octets
      message(0, {{1, 0, 0, 7, 1, 2, 3}}),                      // no template
      message(0, {kTemplateSet, {1, 0, 0, 6, 1, 2}}),           // no whole record
      message(0, {kTemplateSet, {1, 0, 0, 9, 1, 2, 3, 0, 1}}),  // padding that is not zero
      message(0, {kTemplateSet, {0, 0, 0}}),                    // octets behind the last set
  };
  for (size_t i = 0; i < broken.size(); ++i)
    EXPECT_FALSE(IpfixReader().read(broken[i])) << "message " << i;
  EXPECT_TRUE(IpfixReader().read(good));
}

TEST(IpfixReader, RefusesASequenceNumberThatDoesNotCountTheRecords) {
  const Octets record{1, 0, 0, 7, 1, 2, 3};
  IpfixReader reader;
  EXPECT_TRUE(reader.read(message(5, {kTemplateSet, record})));
  EXPECT_TRUE(reader.read(message(6, {record, record})));
  EXPECT_FALSE(reader.read(message(7, {record})));
  EXPECT_TRUE(reader.read(message(8, {record})));
}

TEST(IpfixReader, ReadsTheMessagesOfAFile) {
  Octets file = message(0, {kTemplateSet});
  const Octets second = message(0, {{1, 0, 0, 7, 1, 2, 3}});
  file.insert(file.end(), second.begin(), second.end());
  const auto messages = IpfixReader().read_file(file);
  ASSERT_TRUE(messages) << messages.error().message;
  EXPECT_EQ(messages->size(), 2U);
  file.pop_back();
  EXPECT_FALSE(IpfixReader().read_file(file));
}

TEST(IpfixReader, ReadsTimesOfEveryUnit) {
  IpfixRecord record;
  record.fields[152] = {0, 0, 0, 0, 0, 0, 0x05, 0xdc};              // 1.5 s
  record.fields[154] = {0x83, 0xaa, 0x7e, 0x81, 0x80, 0, 0, 0};     // the same, since 1900
  record.fields[156] = {0x83, 0xaa, 0x7e, 0x81, 0x80, 0, 0, 0x04};  // and a nanosecond
  EXPECT_EQ(record.time_ns(152), 1'500'000'000U);
  EXPECT_EQ(record.time_ns(154), 1'500'000'000U);
  EXPECT_EQ(record.time_ns(156), 1'500'000'001U);
}

}  // namespace
}  // namespace clerk
