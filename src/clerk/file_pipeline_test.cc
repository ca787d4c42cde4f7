#include "clerk/file_pipeline.h"

#include <gtest/gtest.h>

#include "flow/flow_test_support.h"
#include "testing/capture_builder.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

constexpr uint64_t kIdle = 2 * kSecond;
constexpr uint64_t kActive = 5 * kSecond;

std::vector<uint8_t> capture_of(std::span<const DescribedPacket> packets) {
  PcapBuilder builder({.unit = clerk::TimeUnit::Nanoseconds});
  for (const DescribedPacket& packet : packets)
    builder.packet(packet.time_ns, frame_of(packet));
  return builder.build();
}

struct Outcome {
  std::vector<std::string> records;
  std::vector<uint32_t> ticks;
  LedgerCounts counts;
};

// What comes out of these files at these numbers of threads.
Outcome run(const std::vector<std::string>& paths, uint32_t threads, uint32_t flows_max = 100'000,
            uint32_t ledger_threads = 1) {
  const StopRequest stop = StopRequest::create().value();
  const auto source =
      FileSource::open(paths, PacketFilter::create("").value(), kIdle, stop).value();
  const KeyedHash hash;
  Outcome outcome;
  Ledger ledger({flows_max, {kIdle, kActive}, ledger_threads}, hash,
                {.records =
                     [&](std::span<const FlowRecord> records, uint32_t second) {
                       for (const FlowRecord& record : records)
                         outcome.records.push_back(to_text(Released{record, second}));
                     },
                 .tick = [&](uint32_t second) { outcome.ticks.push_back(second); }});
  FilePipeline(*source, ledger, hash, threads, {.non_ip = true}).run();
  outcome.counts = ledger.counts();
  return outcome;
}

void expect_conservation(const LedgerCounts& counts, uint64_t packets) {
  EXPECT_EQ(counts.packets.received, packets);
  EXPECT_EQ(counts.packets.received, counts.packets.metered + counts.packets.ignored_total());
  EXPECT_EQ(counts.packets_exported, counts.packets.metered);
  EXPECT_EQ(counts.octets_exported, counts.packets.octets_metered);
}

void expect_same(const Outcome& many, const Outcome& one) {
  EXPECT_EQ(many.records, one.records);
  EXPECT_EQ(many.ticks, one.ticks);
  expect_conservation(many.counts, one.counts.packets.received);
  EXPECT_EQ(many.counts.clock_jumps, one.counts.clock_jumps);
  EXPECT_EQ(many.counts.clock_restarts, one.counts.clock_restarts);
}

void expect_same_at_any_number_of_threads(const std::vector<std::string>& paths, uint64_t packets,
                                          uint32_t flows_max = 100'000) {
  const Outcome one = run(paths, 1, flows_max);
  expect_conservation(one.counts, packets);
  EXPECT_FALSE(one.records.empty());
  for (const uint32_t threads : {2U, 4U}) {
    SCOPED_TRACE(threads);
    expect_same(run(paths, threads, flows_max), one);
  }
}

class PipelineTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, std::span<const DescribedPacket> packets) {
    return directory_.write(name, capture_of(packets));
  }

  // Packets of a few hundred flows over half a minute, with gaps and late ones.
  std::vector<DescribedPacket> random_packets(size_t count) {
    std::vector<DescribedPacket> packets;
    uint64_t now_ns = 1'700'000'000 * kSecond;
    while (packets.size() < count) {
      now_ns += dice_.one_in(5000) ? dice_.below(10 * kSecond) : dice_.below(2'000'000);
      packets.push_back({.time_ns = now_ns - (dice_.one_in(20) ? dice_.below(kSecond) : 0),
                         .version = dice_.one_of({IpVersion::V4, IpVersion::V6}),
                         .source_host = static_cast<uint8_t>(dice_.below(20)),
                         .protocol = dice_.one_of<uint8_t>({6, 6, 17}),
                         .source_port = static_cast<uint16_t>(dice_.below(10)),
                         .tcp_flags = dice_.one_of<uint8_t>({0x10, 0x10, 0x10, 0x02, 0x11}),
                         .part = dice_.one_in(30) ? DatagramPart::Later : DatagramPart::Whole,
                         .identification = static_cast<uint16_t>(dice_.below(5))});
      if (dice_.one_in(20)) packets.back().ether_type = 0x0806;
    }
    return packets;
  }

  TempDirectory directory_;
  Dice dice_{1};
};

TEST_F(PipelineTest, GivesTheSameRecordsAtAnyNumberOfThreads) {
  const auto packets = random_packets(30'000);
  expect_same_at_any_number_of_threads({write("a.pcap", packets)}, packets.size());
}

TEST_F(PipelineTest, GivesTheSameRecordsAtAnyNumberOfThreadsOfTheLedger) {
  const auto packets = random_packets(30'000);
  const std::vector<std::string> paths{write("a.pcap", packets)};
  const Outcome one = run(paths, 1);
  for (const uint32_t ledger_threads : {2U, 3U}) {
    SCOPED_TRACE(ledger_threads);
    expect_same(run(paths, 2, 100'000, ledger_threads), one);
  }
}

TEST_F(PipelineTest, WhatTheOutputThrowsEndsAllThreads) {
  const std::string path = write("a.pcap", random_packets(30'000));
  for (const uint32_t threads : {1U, 3U}) {
    const StopRequest stop = StopRequest::create().value();
    const auto source =
        FileSource::open({path}, PacketFilter::create("").value(), kIdle, stop).value();
    const KeyedHash hash;
    Ledger ledger(
        {100'000, {kIdle, kActive}}, hash,
        {.records = [](auto, uint32_t) { throw std::bad_alloc(); }, .tick = [](uint32_t) {}});
    EXPECT_THROW(FilePipeline(*source, ledger, hash, threads).run(), std::bad_alloc);
  }
}

TEST_F(PipelineTest, GivesTheSameRecordsAlsoWhenTheLedgerIsFull) {
  const auto packets = random_packets(10'000);
  expect_same_at_any_number_of_threads({write("a.pcap", packets)}, packets.size(), 50);
}

TEST_F(PipelineTest, GivesTheSameRecordsWhenASecondHasMoreFlowsThanATable) {
  std::vector<DescribedPacket> packets;
  packets.reserve(2 * size_t{file_delta().ipv6} + 1);
  for (uint32_t i = 0; i < 2 * file_delta().ipv6; ++i) {
    packets.push_back({.time_ns = 1000 * kSecond + i,
                       .version = i % 4 == 0 ? IpVersion::V4 : IpVersion::V6,
                       .source_host = static_cast<uint8_t>(i >> 8),
                       .source_port = static_cast<uint16_t>(i & 0xff)});
  }
  packets.push_back({.time_ns = 1001 * kSecond});
  expect_same_at_any_number_of_threads({write("a.pcap", packets)}, packets.size());
}

TEST_F(PipelineTest, GivesTheSameRecordsWhenASecondHasMoreFlowsWithoutIpThanATable) {
  std::vector<DescribedPacket> packets;
  packets.reserve(2 * size_t{kDeltaLinkEntries});
  for (uint32_t i = 0; i < 2 * kDeltaLinkEntries; ++i) {
    packets.push_back({.time_ns = 1000 * kSecond + i,
                       .source_host = static_cast<uint8_t>(i >> 8),
                       .destination_host = static_cast<uint8_t>(i),
                       .ether_type = 0x88cc});
  }
  const std::string path = write("a.pcap", packets);
  EXPECT_EQ(run({path}, 2).counts.packets.metered, packets.size());
  expect_same_at_any_number_of_threads({path}, packets.size());
}

TEST_F(PipelineTest, GivesTheSameRecordsWhenASecondHasMorePacketsThanASlice) {
  std::vector<DescribedPacket> packets;
  packets.reserve(2 * Slice::kPacketsMax);
  for (uint32_t i = 0; i < 2 * Slice::kPacketsMax; ++i) {
    packets.push_back({.time_ns = 1000 * kSecond + i, .source_port = static_cast<uint16_t>(i % 7)});
  }
  const auto path = write("a.pcap", packets);
  EXPECT_EQ(run({path}, 2).records.size(), 7U);
  expect_same_at_any_number_of_threads({path}, packets.size());
}

TEST_F(PipelineTest, BeginsAnewWithAnOlderFile) {
  const std::array newer{DescribedPacket{.time_ns = 2000 * kSecond}};
  const std::array older{DescribedPacket{.time_ns = 1000 * kSecond}};
  const std::vector<std::string> paths{write("a.pcap", newer), write("b.pcap", older)};
  const Outcome outcome = run(paths, 1);
  ASSERT_EQ(outcome.records.size(), 2U);
  EXPECT_TRUE(outcome.records[0].starts_with("at 2001: ")) << outcome.records[0];
  EXPECT_TRUE(outcome.records[1].starts_with("at 1001: ")) << outcome.records[1];
  EXPECT_EQ(outcome.counts.clock_restarts, 1U);
  expect_same_at_any_number_of_threads(paths, 2);
}

TEST_F(PipelineTest, CountsAJumpOfTheClock) {
  const std::array packets{DescribedPacket{.time_ns = 1000 * kSecond},
                           DescribedPacket{.time_ns = 1002 * kSecond},
                           DescribedPacket{.time_ns = 4'000'000'000 * kSecond}};
  const Outcome outcome = run({write("a.pcap", packets)}, 1);
  EXPECT_EQ(outcome.counts.clock_jumps, 1U);
  EXPECT_EQ(outcome.records.size(), 3U);
}

TEST_F(PipelineTest, AFileWithoutPacketsYieldsNothing) {
  const Outcome outcome = run({write("a.pcap", {})}, 2);
  EXPECT_TRUE(outcome.records.empty());
  EXPECT_EQ(outcome.counts.packets.received, 0U);
}

}  // namespace
}  // namespace clerk
