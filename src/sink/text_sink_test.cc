#include "sink/text_sink.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "sink/sink_test_support.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

std::array<FlowRecord, 3> records() {
  const FlowRecord ipv4{.packets = 1};
  FlowRecord ipv6{.packets = 2};
  ipv6.source.version = ipv6.destination.version = IpVersion::V6;
  const FlowRecord link{
      .source_mac = {{2}}, .destination_mac = {{4}}, .packets = 3, .without_ip = true};
  return {ipv4, ipv6, link};
}

std::unique_ptr<Sink> create(const std::string& path, TextFormat format) {
  auto sink = TextSink::create("text:" + path, path, format, ipfix::TimeUnit::Milliseconds);
  EXPECT_TRUE(sink);
  return *std::move(sink);
}

TEST(TextSink, WritesAHeaderAndALineForEachRecord) {
  const TempDirectory directory;
  const std::string path = directory.path_of("flows.csv");
  const auto sink = create(path, TextFormat::Csv);
  sink->add(records(), 1000);
  sink->flush(1000);
  fmt::memory_buffer wanted;
  wanted.append(kCsvHeader);
  for (const FlowRecord& record : records())
    append_csv(wanted, record);
  EXPECT_EQ(read_text(path), to_string(wanted));
}

TEST(TextSink, WritesTheColumnOfEtherTypesOnRequest) {
  const TempDirectory directory;
  const std::string path = directory.path_of("flows.csv");
  const auto sink = create(path, TextFormat::CsvWithEtherType);
  sink->add(records(), 1000);
  sink->flush(1000);
  fmt::memory_buffer wanted;
  wanted.append(csv_header_with_ether_type());
  for (const FlowRecord& record : records())
    append_csv_with_ether_type(wanted, record);
  EXPECT_EQ(read_text(path), to_string(wanted));
}

TEST(TextSink, WritesTheHeaderAlsoWithoutARecord) {
  const TempDirectory directory;
  const std::string path = directory.path_of("flows.csv");
  create(path, TextFormat::Csv)->flush(1000);
  EXPECT_EQ(read_text(path), kCsvHeader);
}

TEST(TextSink, WritesAnObjectOfItsTemplateForEachRecord) {
  const TempDirectory directory;
  const std::string path = directory.path_of("flows.json");
  const auto sink = create(path, TextFormat::Json);
  sink->add(records(), 1000);
  sink->flush(1000);
  constexpr auto kUnit = ipfix::TimeUnit::Milliseconds;
  fmt::memory_buffer wanted;
  append_json(wanted, records()[0], ipfix::default_fields<FlowKind::Ipv4>(kUnit));
  append_json(wanted, records()[1], ipfix::default_fields<FlowKind::Ipv6>(kUnit));
  append_json(wanted, records()[2], ipfix::default_fields<FlowKind::Link>(kUnit));
  EXPECT_EQ(read_text(path), to_string(wanted));
}

TEST(TextSink, CountsRecordsAsSentOnceTheyAreFlushed) {
  const TempDirectory directory;
  const auto sink = create(directory.path_of("flows.csv"), TextFormat::Csv);
  sink->add(records(), 1000);
  EXPECT_EQ(sink->counts().records_sent, 0U);
  sink->flush(1000);
  sink->flush(1001);
  EXPECT_EQ(sink->counts().records_sent, records().size());
  EXPECT_EQ(sink->counts().records_lost, 0U);
  EXPECT_EQ(sink->counts().messages_sent, 0U);
  EXPECT_FALSE(sink->failure());
}

TEST(TextSink, CountsRecordsAsLostOnAFullDeviceAndTellsWhy) {
  const auto sink = create("/dev/full", TextFormat::Csv);
  for (uint32_t second = 1000; second < 1003; ++second) {
    sink->add(records(), second);
    sink->flush(second);
  }
  EXPECT_EQ(sink->counts().records_sent, 0U);
  EXPECT_EQ(sink->counts().records_lost, 3 * records().size());
  ASSERT_TRUE(sink->failure());
  EXPECT_EQ(sink->failure()->message, errno_text(ENOSPC));
}

TEST(TextSink, NamesTheFlagWhenTheFileCannotBeCreated) {
  const TempDirectory directory;
  const std::string path = directory.path_of("missing/flows.csv");
  const auto sink =
      TextSink::create("csv:" + path, path, TextFormat::Csv, ipfix::TimeUnit::Nanoseconds);
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().message, "--collector csv:" + path + ": " + errno_text(ENOENT));
}

}  // namespace
}  // namespace clerk
