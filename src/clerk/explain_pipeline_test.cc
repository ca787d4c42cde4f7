// Whether a run that explains gives the records of one that does not, and each packet its record.
#include "clerk/explain_pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "clerk/file_pipeline.h"
#include "flow/flow_test_support.h"
#include "testing/capture_builder.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

using ::testing::HasSubstr;

constexpr Timeouts kTimeouts{.idle_ns = 2 * kSecond, .active_ns = 5 * kSecond};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

// The number behind `before`, in a line that has it.
uint64_t number_behind(const std::string& line, std::string_view before) {
  const size_t at = line.find(before);
  EXPECT_NE(at, std::string::npos) << line;
  return std::stoull(line.substr(at + before.size()));
}

struct ExplainedRun {
  std::vector<std::string> records;
  LedgerCounts counts;
  std::string explanation;
};

class ExplainPipelineTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, std::span<const DescribedPacket> packets) {
    PcapBuilder builder({.unit = TimeUnit::Nanoseconds});
    for (const DescribedPacket& packet : packets)
      builder.packet(packet.time_ns, frame_of(packet));
    return directory_.write(name, builder.build());
  }

  // With an explanation when there is an expression.
  ExplainedRun run(const std::vector<std::string>& paths, uint32_t flows_max,
                   std::optional<std::string_view> expression) {
    const StopRequest stop = StopRequest::create().value();
    const auto source =
        FileSource::open(paths, PacketFilter::create("").value(), kTimeouts.idle_ns, stop).value();
    const KeyedHash hash;
    const std::string output = directory_.path() + "/explanation";
    Explainer explainer(parse_explain_expression(expression.value_or("*>*")).value(), paths,
                        OutputFile::create(output).value());
    ExplainedRun outcome;
    Ledger ledger({flows_max, kTimeouts}, hash,
                  {.records =
                       [&](std::span<const FlowRecord> records, uint32_t second) {
                         for (const FlowRecord& record : records)
                           outcome.records.push_back(to_text(Released{record, second}));
                         if (expression) explainer.add(records);
                       },
                   .tick = [&](uint32_t /*second*/) { explainer.flush(); }});
    if (expression) {
      ExplainPipeline(*source, {}, ledger, hash, explainer).run();
      explainer.finish(ledger.counts().packets);
    } else {
      FilePipeline(*source, ledger, hash, 1).run();
    }
    outcome.counts = ledger.counts();
    std::stringstream text;
    text << std::ifstream(output).rdbuf();
    outcome.explanation = text.str();
    return outcome;
  }

  // Packets of a few dozen flows and datagrams, with gaps, ends, late ones, and fragments in any
  // order.
  std::vector<DescribedPacket> random_packets(size_t count) {
    std::vector<DescribedPacket> packets;
    uint64_t now_ns = 1'700'000'000 * kSecond;
    while (packets.size() < count) {
      now_ns += dice_.one_in(2000) ? dice_.below(10 * kSecond) : dice_.below(2'000'000);
      packets.push_back(
          {.time_ns = now_ns - (dice_.one_in(20) ? dice_.below(kSecond) : 0),
           .version = dice_.one_of({IpVersion::V4, IpVersion::V6}),
           .source_host = static_cast<uint8_t>(dice_.below(5)),
           .protocol = dice_.one_of<uint8_t>({6, 6, 17}),
           .source_port = static_cast<uint16_t>(dice_.below(5)),
           .tos = dice_.one_of<uint8_t>({0, 0, 0, 0x20}),
           .tcp_flags = dice_.one_of<uint8_t>({0x10, 0x10, 0x10, 0x02, 0x11}),
           .part = dice_.one_of({DatagramPart::Whole, DatagramPart::Whole, DatagramPart::Whole,
                                 DatagramPart::First, DatagramPart::Later}),
           .identification = static_cast<uint16_t>(dice_.below(30))});
    }
    return packets;
  }

  TempDirectory directory_;
  Dice dice_{1};
};

// Every packet of every record is there, in the record that counted it: packets and octets add up.
void expect_all_told(const ExplainedRun& explained) {
  uint64_t packets = 0;
  uint64_t octets = 0;
  uint64_t all_packets = 0;
  uint64_t place = 0;
  for (const std::string& line : lines_of(explained.explanation)) {
    if (line.find(" octets, 20") != std::string::npos) {  // "  2 packets, 80 octets, 2023-..."
      EXPECT_EQ(packets, 0U);
      EXPECT_EQ(octets, 0U);
      packets = number_behind(line, "  ");
      octets = number_behind(line, ", ");
      all_packets += packets;
      place = 0;
    } else if (line.starts_with("  packet ")) {
      EXPECT_GT(number_behind(line, "  packet "), place) << line;
      place = number_behind(line, "  packet ");
      --packets;
    } else if (line.starts_with("    counted: ")) {
      octets -= number_behind(line, "    counted: ");
    }
  }
  EXPECT_EQ(packets, 0U);
  EXPECT_EQ(octets, 0U);
  EXPECT_EQ(all_packets, explained.counts.packets.metered);
}

TEST_F(ExplainPipelineTest, GivesTheRecordsOfARunThatDoesNotExplain) {
  const std::vector<std::string> paths{write("a.pcap", random_packets(10'000))};
  for (const uint32_t flows_max : {100'000U, 50U, 1U}) {
    const ExplainedRun plain = run(paths, flows_max, std::nullopt);
    const ExplainedRun explained = run(paths, flows_max, "*>*");
    EXPECT_EQ(explained.records, plain.records) << flows_max;
    EXPECT_EQ(explained.counts.packets.received, plain.counts.packets.received);
    EXPECT_GT(explained.counts.fragments_orphaned, 0U);
    expect_all_told(explained);
  }
}

TEST_F(ExplainPipelineTest, GivesTheSameRecordsWhenASecondHasMoreFlowsThanATable) {
  std::vector<DescribedPacket> packets;
  packets.reserve(2 * size_t{file_delta().ipv6});
  for (uint32_t i = 0; i < 2 * file_delta().ipv6; ++i) {
    packets.push_back({.time_ns = 1'700'000'000 * kSecond + i,
                       .version = i % 4 == 0 ? IpVersion::V4 : IpVersion::V6,
                       .source_host = static_cast<uint8_t>(i >> 8),
                       .source_port = static_cast<uint16_t>(i & 0xff)});
  }
  const std::vector<std::string> paths{write("a.pcap", packets)};
  const ExplainedRun explained = run(paths, 1000, "*>*");
  EXPECT_EQ(explained.records, run(paths, 1000, std::nullopt).records);
  expect_all_told(explained);
}

TEST_F(ExplainPipelineTest, TellsOnlyOfTheFlowThatIsAskedFor) {
  const std::array packets{DescribedPacket{.time_ns = 1000 * kSecond, .source_port = 1},
                           DescribedPacket{.time_ns = 1000 * kSecond, .source_port = 2},
                           DescribedPacket{.time_ns = 1001 * kSecond, .source_port = 1}};
  const auto path = write("a.pcap", packets);
  const std::string explanation = run({path}, 10, "10.0.0.1:2>*/udp").explanation;
  EXPECT_THAT(explanation, HasSubstr("record 2: 10.0.0.1:2 > 10.0.0.2:2000 UDP"));
  EXPECT_THAT(explanation, HasSubstr(fmt::format("  packet 2 of {}: ", path)));
  EXPECT_THAT(explanation, HasSubstr("\n1 packet in 1 record match 10.0.0.1:2>*/UDP\n"));
}

TEST_F(ExplainPipelineTest, FragmentsMatchByThePortsOfTheirFirstOne) {
  const auto fragment = [](DatagramPart part, uint16_t port, uint16_t identification) {
    return DescribedPacket{.time_ns = 1000 * kSecond,
                           .source_port = port,
                           .part = part,
                           .identification = identification};
  };
  const std::array packets{fragment(DatagramPart::Later, 0, 7), fragment(DatagramPart::Later, 0, 8),
                           fragment(DatagramPart::First, 5, 8), fragment(DatagramPart::First, 4, 7),
                           fragment(DatagramPart::Later, 0, 9)};
  const auto path = write("a.pcap", packets);
  const std::string of_port_4 = run({path}, 10, "*:4>*").explanation;
  EXPECT_THAT(of_port_4, HasSubstr("packet 1 of"));
  EXPECT_THAT(of_port_4, HasSubstr("packet 4 of"));
  EXPECT_THAT(of_port_4, HasSubstr("\n2 packets in 1 record match"));
  const std::string orphaned = run({path}, 10, "*:0>*:0/udp").explanation;
  EXPECT_THAT(orphaned, HasSubstr("packet 5 of"));
  EXPECT_THAT(orphaned, HasSubstr("    the first fragment never came: counted with port 0\n"));
  EXPECT_THAT(orphaned, HasSubstr("\n1 packet in 1 record match"));
}

TEST_F(ExplainPipelineTest, PacketsAreNumberedInTheirOwnFile) {
  const std::array packets{DescribedPacket{.time_ns = 1000 * kSecond},
                           DescribedPacket{.time_ns = 1000 * kSecond}};
  const std::vector<std::string> paths{write("a.pcap", packets), write("b.pcap", packets)};
  const std::string explanation = run(paths, 10, "*>*").explanation;
  for (const std::string& path : paths) {
    for (const int number : {1, 2})
      EXPECT_THAT(explanation, HasSubstr(fmt::format("  packet {} of {}: ", number, path)));
  }
}

}  // namespace
}  // namespace clerk
