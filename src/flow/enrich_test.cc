#include "flow/enrich.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "flow/asn_test_support.h"
#include "testing/mmdb_builder.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<uint8_t> octets_of(const std::string& text) { return {text.begin(), text.end()}; }

FlowRecord record(const std::string& source, const std::string& destination) {
  return {.source = address(source), .destination = address(destination)};
}

uint32_t source_as(const Enricher& enricher, const std::string& source) {
  FlowRecord flow = record(source, source);
  flow.source_as = flow.destination_as = 99;
  enricher.enrich({&flow, 1});
  EXPECT_EQ(flow.source_as, flow.destination_as);
  return flow.source_as;
}

// A file whose content changes, and what is logged meanwhile, "level: text" a line.
class EnricherTest : public ::testing::Test {
 public:
  EnricherTest() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_));
    logger->set_pattern("%l: %v");
    spdlog::set_default_logger(logger);
  }
  ~EnricherTest() override { spdlog::set_default_logger(before_); }

 protected:
  std::string write(const std::string& text) {
    return directory_.write("asns.csv", octets_of(text));
  }
  std::unique_ptr<Enricher> create(const AsnFile& file) {
    auto enricher = Enricher::create(file);
    EXPECT_TRUE(enricher) << enricher.error().message;
    return enricher ? *std::move(enricher) : nullptr;
  }
  std::string take_log() {
    const std::string text = log_.str();
    log_.str("");
    return text;
  }

  TempDirectory directory_;

 private:
  std::shared_ptr<spdlog::logger> before_;
  std::ostringstream log_;
};

TEST_F(EnricherTest, LeavesRecordsAloneWithoutAFile) {
  const auto enricher = create({});
  EXPECT_EQ(source_as(*enricher, "192.0.2.1"), 99U);
  EXPECT_TRUE(enricher->reload());
  EXPECT_EQ(enricher->octets_max(), 0U);
  EXPECT_EQ(take_log(), "");
}

TEST_F(EnricherTest, LooksUpNothingForAFlowWithoutIp) {
  const auto enricher = create({AsnFormat::Csv, write("0.0.0.0,255.255.255.255,1\n")});
  FlowRecord flow{.source_mac = {{10, 0, 0, 1}}, .destination_mac = {}, .without_ip = true};
  enricher->enrich({&flow, 1});
  EXPECT_EQ(flow.source_as, 0U);
  EXPECT_EQ(flow.destination_as, 0U);
}

TEST_F(EnricherTest, LooksUpBothEndsOfEveryRecord) {
  const std::string path = write("192.0.2.0,192.0.2.255,1\n2001:db8::,2001:db8::ff,2\n");
  const auto enricher = create({AsnFormat::Csv, path});
  std::vector<FlowRecord> records{record("192.0.2.1", "198.51.100.1"),
                                  record("2001:db8::1", "2001:db8::2")};
  enricher->enrich(records);
  EXPECT_EQ(records[0].source_as, 1U);
  EXPECT_EQ(records[0].destination_as, 0U);
  EXPECT_EQ(records[1].source_as, 2U);
  EXPECT_EQ(records[1].destination_as, 2U);
  EXPECT_EQ(take_log(), "info: --asns_csv " + path + ": 2 ranges, 1 MiB\n");
  EXPECT_GT(enricher->octets_max(), 0U);
}

TEST_F(EnricherTest, ReadsAMaxMindDatabase) {
  const std::string path = directory_.write(
      "asn.mmdb", MmdbBuilder().add(address("10.0.0.0"), 8, mmdb::asn_entry(5)).build());
  const auto enricher = create({AsnFormat::Database, path});
  EXPECT_EQ(source_as(*enricher, "10.0.0.1"), 5U);
  EXPECT_EQ(take_log(), "info: --asn_db " + path + ": 1 ranges, 1 MiB\n");
}

TEST_F(EnricherTest, NamesTheFlagAndTheFileThatItCannotUse) {
  const auto missing = Enricher::create({AsnFormat::Csv, "/nowhere/asns.csv"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, "--asns_csv /nowhere/asns.csv: No such file or directory");
  const std::string path = write("192.0.2.0,192.0.2.255,1\n");
  const auto no_db = Enricher::create({AsnFormat::Database, path});
  ASSERT_FALSE(no_db);
  EXPECT_EQ(no_db.error().message, "--asn_db " + path + ": this is no MaxMind database (.mmdb)");
  EXPECT_EQ(take_log(), "");
}

TEST_F(EnricherTest, LogsTheFirstSkippedLinesAndCountsTheOthers) {
  std::string text = "192.0.2.0,192.0.2.255,1\n";
  for (int i = 0; i < 25; ++i)
    text += "nonsense\n";
  const std::string path = write(text);
  const auto enricher = create({AsnFormat::Csv, path});
  const std::string log = take_log();
  EXPECT_EQ(std::ranges::count(log, '\n'), 22);
  EXPECT_THAT(log, StartsWith("warning: --asns_csv " + path + ": line 2: has 1 field "));
  EXPECT_THAT(log, AllOf(HasSubstr("warning: --asns_csv " + path + ": line 21: has "),
                         HasSubstr("warning: --asns_csv " + path + ": 5 more lines skipped\n"),
                         HasSubstr("info: --asns_csv " + path + ": 1 ranges, ")));
}

TEST_F(EnricherTest, TakesTheNewTableOnceReloaded) {
  const auto enricher = create({AsnFormat::Csv, write("192.0.2.0,192.0.2.255,1\n")});
  write("192.0.2.0,192.0.2.255,2\n");
  EXPECT_EQ(source_as(*enricher, "192.0.2.1"), 1U);
  EXPECT_TRUE(enricher->reload());
  EXPECT_EQ(source_as(*enricher, "192.0.2.1"), 2U);
}

TEST_F(EnricherTest, KeepsTheOldTableWhenTheFileIsBroken) {
  const std::string path = write("192.0.2.0,192.0.2.255,1\n");
  const auto enricher = create({AsnFormat::Csv, path});
  take_log();
  write("nonsense\n");
  const auto reloaded = enricher->reload();
  ASSERT_FALSE(reloaded);
  EXPECT_THAT(reloaded.error().message,
              StartsWith("--asns_csv " + path + ": there is not one line to use"));
  EXPECT_EQ(source_as(*enricher, "192.0.2.1"), 1U);
  EXPECT_EQ(take_log(),
            "error: " + reloaded.error().message + "; the table read before stays in use\n");
}

TEST_F(EnricherTest, ReloadsWhileRecordsPass) {
  const auto enricher = create({AsnFormat::Csv, write("192.0.2.0,192.0.2.255,1\n")});
  std::atomic<bool> done{false};
  std::thread exporting([&] {
    std::vector<FlowRecord> records(100, record("192.0.2.1", "192.0.2.2"));
    while (!done) {
      enricher->enrich(records);
      for (const FlowRecord& flow : records) {  // a batch is of one table
        ASSERT_EQ(flow.source_as, records.front().source_as);
        ASSERT_EQ(flow.destination_as, records.front().source_as);
        ASSERT_TRUE(flow.source_as == 1 || flow.source_as == 2);
      }
    }
  });
  for (int i = 0; i < 50; ++i) {
    write(i % 2 == 0 ? "192.0.2.0,192.0.2.255,2\n" : "192.0.2.0,192.0.2.255,1\n");
    EXPECT_TRUE(enricher->reload());
    EXPECT_GT(enricher->octets_max(), 0U);
  }
  done = true;
  exporting.join();
}

}  // namespace
}  // namespace clerk
