#include "sink/ipfix_file_sink.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "ipfix/ipfix_test_support.h"
#include "sink/sink_test_support.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

std::vector<FlowRecord> random_records(size_t count) {
  ipfix::RandomRecords random;
  std::vector<FlowRecord> records;
  while (records.size() < count)
    records.push_back(random.next(IpVersion::V4));
  return records;
}

TEST(IpfixFileSink, WritesMessagesThatDecodeToTheRecords) {
  constexpr size_t kRecords = 5000;
  const TempDirectory directory;
  const std::string path = directory.path_of("flows.ipfix");
  const auto records = random_records(kRecords);
  const auto sink = IpfixFileSink::create("file", path, {.observation_domain = 3}).value();
  sink->add(records, 1000);
  sink->flush(1000);

  const auto messages = IpfixReader().read_file(read_octets(path));
  ASSERT_TRUE(messages) << messages.error().message;
  EXPECT_EQ(sink->counts().messages_sent, messages->size());
  EXPECT_EQ(sink->counts().records_sent, kRecords);
  auto wanted = records.begin();
  for (const IpfixMessage& message : *messages) {
    EXPECT_EQ(message.observation_domain, 3U);
    for (const IpfixRecord& record : message.records)
      ipfix::expect_decoded(record, *wanted++);
  }
  EXPECT_EQ(wanted, records.end());
}

TEST(IpfixFileSink, WritesTheTemplatesOnce) {
  const TempDirectory directory;
  const std::string path = directory.path_of("flows.ipfix");
  const auto sink = IpfixFileSink::create("file", path, {}).value();
  for (uint32_t second = 1000; second < 1100; ++second)
    sink->flush(second);
  const auto messages = IpfixReader().read_file(read_octets(path)).value();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].templates, 2U);
}

TEST(IpfixFileSink, CountsEveryRecordAsSentOrLostAtAFlush) {
  const TempDirectory directory;
  const auto sink = IpfixFileSink::create("file", directory.path_of("flows.ipfix"), {}).value();
  sink->add(random_records(3), 1000);
  EXPECT_EQ(sink->counts().records_sent, 0U);
  sink->flush(1000);
  EXPECT_EQ(sink->counts().records_sent, 3U);
  EXPECT_EQ(sink->counts().records_lost, 0U);
  EXPECT_FALSE(sink->failure());
}

TEST(IpfixFileSink, CountsRecordsAsLostOnAFullDeviceAndTellsWhy) {
  const auto sink = IpfixFileSink::create("file", "/dev/full", {}).value();
  for (const size_t count : {3U, 5000U, 4U}) {
    sink->add(random_records(count), 1000);
    sink->flush(1000);
  }
  EXPECT_EQ(sink->counts().records_sent, 0U);
  EXPECT_EQ(sink->counts().records_lost, 5007U);
  ASSERT_TRUE(sink->failure());
  EXPECT_EQ(sink->failure()->message, errno_text(ENOSPC));
}

TEST(IpfixFileSink, NamesTheFlagWhenTheFileCannotBeCreated) {
  const TempDirectory directory;
  const auto sink = IpfixFileSink::create("file:x", directory.path_of("missing/flows"), {});
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().message, "--collector file:x: " + errno_text(ENOENT));
}

}  // namespace
}  // namespace clerk
