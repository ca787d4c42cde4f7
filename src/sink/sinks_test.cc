#include "sink/sinks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "sink/sink_test_support.h"
#include "testing/ipfix_reader.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

constexpr UdpOptions kOptions{};

std::unique_ptr<Sink> create(const std::string& text) {
  auto sink = create_sink(parse_destination(text).value(), kOptions);
  EXPECT_TRUE(sink) << sink.error().message;
  EXPECT_EQ((*sink)->name(), text);
  return *std::move(sink);
}

TEST(Sinks, GiveEverythingToEachKindOfDestination) {
  const TempDirectory directory;
  TestCollector collector;
  const std::string csv = directory.path_of("flows.csv");
  const std::string json = directory.path_of("flows.json");
  const std::string file = directory.path_of("flows.ipfix");
  Sinks sinks;
  for (const std::string& text :
       {"csv:" + csv, "json:" + json, "file:" + file, "127.0.0.1:" + collector.port_text()})
    sinks.attach(create(text));
  sinks.add(std::array{FlowRecord{}, FlowRecord{}}, 1000);
  sinks.flush(1000);

  EXPECT_EQ(std::ranges::count(read_text(csv), '\n'), 3);
  EXPECT_EQ(std::ranges::count(read_text(json), '\n'), 2);
  EXPECT_EQ(IpfixReader().read_file(read_octets(file))->back().records.size(), 2U);
  EXPECT_EQ(collector.receive().size(), 2U);
  const SinkCounts total = sinks.total();
  EXPECT_EQ(total.records_sent, 8U);
  EXPECT_EQ(total.messages_sent, 4U);
  EXPECT_FALSE(sinks.all_failed());
}

TEST(Sinks, HaveFailedWhenNoneIsLeft) {
  const TempDirectory directory;
  Sinks sinks;
  sinks.attach(create("csv:/dev/full"));
  sinks.attach(create("csv:" + directory.path_of("flows.csv")));
  sinks.flush(1000);
  EXPECT_FALSE(sinks.all_failed());

  Sinks failing;
  failing.attach(create("csv:/dev/full"));
  failing.attach(create("file:/dev/full"));
  failing.add(std::array{FlowRecord{}}, 1000);
  failing.flush(1000);
  EXPECT_TRUE(failing.all_failed());
  EXPECT_EQ(failing.total().records_lost, 2U);
}

}  // namespace
}  // namespace clerk
