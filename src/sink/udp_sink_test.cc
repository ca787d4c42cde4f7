#include "sink/udp_sink.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <span>

#include "base/big_endian.h"
#include "ipfix/ipfix_test_support.h"
#include "sink/sink_test_support.h"
#include "testing/in_network_namespace.h"

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
  records.reserve(count);
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

class UdpSinkOfEachBatching : public ::testing::TestWithParam<UdpBatching> {
 protected:
  static UdpOptions options() {
    return {.session = {.observation_domain = 9}, .batching = GetParam()};
  }
};

INSTANTIATE_TEST_SUITE_P(UdpSink, UdpSinkOfEachBatching,
                         ::testing::Values(UdpBatching::Segmentation, UdpBatching::ManyMessages),
                         [](const auto& batching) {
                           return batching.param == UdpBatching::Segmentation ? "Segmentation"
                                                                              : "ManyMessages";
                         });

size_t records_in(const std::vector<IpfixMessage>& messages) {
  size_t records = 0;
  for (const IpfixMessage& message : messages)
    records += message.records.size();
  return records;
}

uint32_t sequence_of(const TestCollector::Datagram& datagram) {
  return load_big_endian<uint32_t>(&datagram.octets.at(8));
}

TEST_P(UdpSinkOfEachBatching, SendsMessagesThatDecodeToTheRecords) {
  ReadingCollector reading(8 << 20);
  const auto sink = create(reading.collector().port_text(), options());
  const auto records = random_records(5000);
  sink->add(records, 1000);
  sink->flush(1000);

  const auto messages = decode(reading.finish());
  auto wanted = records.begin();
  uint32_t sequence = 0;
  for (const IpfixMessage& message : messages) {
    EXPECT_LE(message.octets, 1400U);
    EXPECT_EQ(message.observation_domain, 9U);
    EXPECT_EQ(message.sequence, sequence);
    sequence += static_cast<uint32_t>(message.records.size());
    for (const IpfixRecord& record : message.records)
      ipfix::expect_decoded(record, *wanted++);
  }
  EXPECT_EQ(wanted, records.end());
  EXPECT_EQ(sink->counts().messages_sent, messages.size());
  EXPECT_EQ(sink->counts().records_sent, records.size());
  EXPECT_EQ(sink->counts().records_lost, 0U);
  EXPECT_EQ(sink->counts().send_errors, 0U);
}

using UdpSinkInNamespace = InNetworkNamespace;

TEST_F(UdpSinkInNamespace, CountsEveryRecordThatNoRouteTakesAsLostAndGoesOnWhenThereIsOne) {
  spdlog::set_level(spdlog::level::off);
  for (const UdpBatching batching : {UdpBatching::Segmentation, UdpBatching::ManyMessages}) {
    set_interface("lo", InterfaceState::Up);
    TestCollector collector(0, 8 << 20);
    const auto sink = create(collector.port_text(), {.batching = batching});
    sink->add(random_records(100), 1000);
    sink->flush(1000);
    remove_address("lo");
    set_interface("lo", InterfaceState::Down);
    sink->add(random_records(100), 1000);
    sink->flush(1000);
    EXPECT_EQ(sink->counts().records_sent, 100U);
    EXPECT_EQ(sink->counts().records_lost, 100U);
    EXPECT_GE(sink->counts().send_errors, 7U);  // one message or more each
    EXPECT_EQ(records_in(decode(collector.receive())), 100U);
    set_interface("lo", InterfaceState::Up);
    sink->add(random_records(50), 1001);
    sink->flush(1001);
    EXPECT_EQ(sequence_of(collector.receive().front()), 200U);  // the gap shows
    EXPECT_EQ(sink->counts().records_sent, 150U);
    EXPECT_EQ(sink->counts().records_lost, 100U);
  }
  spdlog::set_level(spdlog::level::info);
}

TEST_F(UdpSinkInNamespace, MessagesShrinkWithThePathInTheMiddleOfATick) {
  for (const UdpBatching batching : {UdpBatching::Segmentation, UdpBatching::ManyMessages}) {
    set_interface("lo", InterfaceState::Up);
    set_mtu("lo", 1500);
    TestCollector collector(0, 8 << 20);
    const auto sink = create(collector.port_text(), {.batching = batching});
    sink->add(random_records(100), 1000);
    set_mtu("lo", 600);
    sink->add(random_records(100), 1000);
    sink->flush(1000);
    const auto messages = decode(collector.receive());
    for (const IpfixMessage& message : messages)
      EXPECT_LE(message.octets, message.sequence < 100 ? 1400U : 600U - 28);
    EXPECT_EQ(records_in(messages), 200U);
    EXPECT_EQ(sink->counts().send_errors, 0U);
  }
}

// What a live run does at a tick that many flows end at. A collector's buffer takes 20,000 of them.
TEST(UdpSink, ManyRecordsThatAreDueAtOnceOverrunNoCollector) {
  constexpr size_t kRecords = 200'000;
  constexpr size_t kBatch = 256;
  const auto records = random_records(kBatch);
  ReadingCollector reading(2 << 20);
  if (reading.collector().buffer_octets() < 2 << 20) GTEST_SKIP() << "NO BUFFER OF 2 MIB HERE";
  const auto sink =
      create(reading.collector().port_text(), {.pace = {100'000, RecordPace::Kind::Usual}});
  const auto start = std::chrono::steady_clock::now();
  for (size_t waiting = kRecords; waiting > 0; waiting -= std::min(waiting, kBatch)) {
    sink->note_backlog(waiting);
    sink->add(std::span(records).first(std::min(waiting, kBatch)), 1000);
  }
  sink->flush(1000);
  const auto taken = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(records_in(decode(reading.finish())), kRecords);
  EXPECT_EQ(sink->counts().records_sent, kRecords);
  EXPECT_GE(taken, RecordPacer::kSpread - std::chrono::milliseconds(50));
  EXPECT_LT(taken, std::chrono::milliseconds(1900));  // at the usual pace it would be more
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

TEST_P(UdpSinkOfEachBatching, GoesOnWhileNobodyListensAndReachesACollectorThatComesLater) {
  constexpr uint32_t kSeconds = 20;
  spdlog::set_level(spdlog::level::off);
  const uint16_t port = TestCollector().port();  // closed again at once
  const auto sink = create(std::to_string(port), options());
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
  sink->flush(1000);
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
