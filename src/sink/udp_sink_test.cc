#include "sink/udp_sink.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <set>

#include "ipfix/ipfix_test_support.h"
#include "sink/sink_test_support.h"

namespace clerk {
namespace {

constexpr UdpOptions kUnpaced{.session = {.observation_domain = 9}};

std::unique_ptr<Sink> create(const std::string& port, const UdpOptions& options = kUnpaced) {
  auto sink = UdpSink::create("udp://test", "127.0.0.1", port, options);
  EXPECT_TRUE(sink) << sink.error().message;
  return *std::move(sink);
}

std::vector<FlowRecord> random_records(size_t count) {
  ipfix::RandomRecords random;
  std::vector<FlowRecord> records;
  while (records.size() < count)
    records.push_back(random.next(IpVersion::V6));
  return records;
}

std::vector<IpfixMessage> decode(const std::vector<TestCollector::Datagram>& datagrams) {
  IpfixReader reader;
  std::vector<IpfixMessage> messages;
  for (const auto& datagram : datagrams) {
    auto message = reader.read(datagram.octets);
    EXPECT_TRUE(message) << message.error().message;
    if (message) messages.push_back(*std::move(message));
  }
  return messages;
}

TEST(UdpSink, SendsMessagesThatDecodeToTheRecords) {
  TestCollector collector;
  const auto sink = create(collector.port_text());
  const auto records = random_records(100);
  sink->add(records, 1000);
  sink->flush(1000);

  const auto messages = decode(collector.receive());
  auto wanted = records.begin();
  for (const IpfixMessage& message : messages) {
    EXPECT_LE(message.octets, 1400U);
    EXPECT_EQ(message.observation_domain, 9U);
    for (const IpfixRecord& record : message.records)
      ipfix::expect_decoded(record, *wanted++);
  }
  EXPECT_EQ(wanted, records.end());
  EXPECT_EQ(sink->counts().messages_sent, messages.size());
  EXPECT_EQ(sink->counts().records_sent, records.size());
  EXPECT_EQ(sink->counts().records_lost, 0U);
  EXPECT_EQ(sink->counts().send_errors, 0U);
}

TEST(UdpSink, SendsEverythingFromOnePort) {
  TestCollector collector;
  const auto sink = create(collector.port_text());
  for (uint32_t second = 1000; second < 1100; ++second) {
    sink->add(random_records(1), second);
    sink->flush(second);
  }
  std::set<uint16_t> ports;
  for (const auto& datagram : collector.receive())
    ports.insert(datagram.source_port);
  EXPECT_EQ(ports.size(), 1U);
}

TEST(UdpSink, RepeatsTheTemplates) {
  TestCollector collector;
  const auto sink = create(collector.port_text());
  for (const uint32_t second : {1000U, 1029U, 1030U})
    sink->flush(second);
  EXPECT_EQ(decode(collector.receive()).size(), 2U);
}

TEST(UdpSink, AnnouncesTheTemplateOfFlowsWithoutIpEachTime) {
  TestCollector collector;
  const auto sink = create(collector.port_text(), {.session = {.non_ip = true}});
  for (const uint32_t second : {1000U, 1030U})
    sink->flush(second);
  for (const IpfixMessage& message : decode(collector.receive()))
    EXPECT_EQ(message.templates, 3U);
}

TEST(UdpSink, GoesOnWhileNobodyListensAndReachesACollectorThatComesLater) {
  constexpr uint32_t kSeconds = 20;
  spdlog::set_level(spdlog::level::off);
  const uint16_t port = TestCollector().port();  // closed again at once
  const auto sink = create(std::to_string(port));
  for (uint32_t second = 1000; second < 1000 + kSeconds; ++second) {
    sink->add(random_records(1), second);
    sink->flush(second);
  }
  const SinkCounts counts = sink->counts();
  EXPECT_GT(counts.send_errors, 0U);  // ECONNREFUSED, which the kernel tells at the next send
  EXPECT_EQ(counts.records_sent + counts.records_lost, kSeconds);
  EXPECT_FALSE(sink->failure());

  TestCollector late(port);
  sink->add(random_records(1), 1000 + kSeconds);
  sink->flush(1000 + kSeconds);
  const auto messages = decode(late.receive());
  ASSERT_GE(messages.size(), 2U);
  EXPECT_EQ(messages[0].templates, 2U);  // at once, not half a minute behind the last ones
  EXPECT_EQ(messages[1].sequence, kSeconds);
  spdlog::set_level(spdlog::level::info);
}

TEST(UdpSink, PacesRecords) {
  TestCollector collector;
  const auto sink = create(collector.port_text(), {.pace = {10'000}});
  const auto start = std::chrono::steady_clock::now();
  sink->add(random_records(2000), 1000);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(150));
}

TEST(UdpSink, NamesTheFlagWhenAHostCannotBeResolved) {
  const std::string host(300, 'x');  // longer than a name may be: refused without asking anyone
  const auto sink = UdpSink::create("udp://far", host, "4739", kUnpaced);
  ASSERT_FALSE(sink);
  EXPECT_TRUE(sink.error().message.starts_with("--collector udp://far: cannot resolve xxx"))
      << sink.error().message;
}

}  // namespace
}  // namespace clerk
