#include "clerk/live_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr LiveSummary::Clock::time_point kStart{};

LedgerCounts ledger_counts(uint64_t each) {
  LedgerCounts counts{.flows_created = each * 5,
                      .records_exported = each * 4,
                      .packets_exported = each * 3,
                      .octets_exported = each * 1000};
  counts.packets.received = each * 10;
  counts.packets.metered = each * 9;
  counts.packets.octets_metered = each * 900;
  counts.packets.ignored[static_cast<size_t>(Stop::NonIp)] = each;
  return counts;
}

TEST(LiveSummary, IsDueAMinuteAfterTheStartAndAfterEachLine) {
  LiveSummary summary(kStart);
  EXPECT_FALSE(summary.is_due(kStart));
  EXPECT_FALSE(summary.is_due(kStart + milliseconds(59'999)));
  EXPECT_TRUE(summary.is_due(kStart + seconds(60)));
  static_cast<void>(summary.line(kStart + seconds(61), {}, 0, {}));
  EXPECT_FALSE(summary.is_due(kStart + seconds(120)));
  EXPECT_TRUE(summary.is_due(kStart + seconds(121)));
}

TEST(LiveSummary, OfNothingHasAllNames) {
  EXPECT_EQ(LiveSummary(kStart).line(kStart + seconds(60), {}, 0, {}),
            "last 60 s: packets_received=0 packets_metered=0 packets_dropped=0 octets_metered=0 "
            "flows_created=0 records_exported=0 packets_exported=0 octets_exported=0 "
            "send_errors=0 flows_held=0 records_queued=0");
}

TEST(LiveSummary, TheFirstLineTellsWhatHappenedSinceTheStart) {
  const ExporterCounts exported{.records_queued = 6, .sinks = {.send_errors = 2}};
  EXPECT_EQ(LiveSummary(kStart).line(kStart + seconds(60), ledger_counts(1), 7, exported),
            "last 60 s: packets_received=10 packets_metered=9 packets_dropped=0 ignored_non_ip=1 "
            "octets_metered=900 flows_created=5 records_exported=4 packets_exported=3 "
            "octets_exported=1000 send_errors=2 flows_held=7 records_queued=6");
}

TEST(LiveSummary, TheNextLineTellsWhatHappenedSinceTheOneBefore) {
  LiveSummary summary(kStart);
  static_cast<void>(summary.line(kStart + seconds(60), ledger_counts(1), 7,
                                 {.records_queued = 6, .sinks = {.send_errors = 2}}));
  EXPECT_EQ(summary.line(kStart + seconds(120), ledger_counts(3), 8,
                         {.records_queued = 5, .sinks = {.records_lost = 4, .send_errors = 3}}),
            "last 60 s: packets_received=20 packets_metered=18 packets_dropped=0 ignored_non_ip=2 "
            "octets_metered=1800 flows_created=10 records_exported=8 packets_exported=6 "
            "octets_exported=2000 send_errors=1 records_lost=4 flows_held=8 records_queued=5");
}

TEST(LiveSummary, WhatDidNotHappenSinceIsLeftOutAgain) {
  LiveSummary summary(kStart);
  const ExporterCounts exported{.sinks = {.records_lost = 4, .send_errors = 3}};
  LedgerCounts counts = ledger_counts(1);
  counts.clock_jumps = 1;
  counts.packets.source.dropped = 5;
  static_cast<void>(summary.line(kStart + seconds(60), counts, 0, exported));
  EXPECT_EQ(summary.line(kStart + seconds(120), counts, 8, exported),
            "last 60 s: packets_received=0 packets_metered=0 packets_dropped=0 octets_metered=0 "
            "flows_created=0 records_exported=0 packets_exported=0 octets_exported=0 "
            "send_errors=0 flows_held=8 records_queued=0");
}

TEST(LiveSummary, DropsAreKnownAgainInTheMinuteBehindTheOneInWhichTheyWereNot) {
  LiveSummary summary(kStart);
  LedgerCounts counts = ledger_counts(1);
  counts.packets.source = {.dropped = 2, .drops_unknown = 60, .blocks_missed = 3};
  EXPECT_THAT(summary.line(kStart + seconds(60), counts, 0, {}),
              HasSubstr(" packets_dropped=unknown packets_dropped_at_least=2 ignored_non_ip=1 "));
  counts.packets.source.dropped = 5;
  counts.packets.source.blocks_missed = 1;
  const std::string line = summary.line(kStart + seconds(120), counts, 0, {});
  EXPECT_THAT(line, HasSubstr(" packets_dropped=3 "));
  EXPECT_THAT(line, HasSubstr(" blocks_missed=-2 ")) << "two came late";
}

TEST(LiveSummary, TellsTheTimeThatPassedInWholeSeconds) {
  LiveSummary summary(kStart);
  EXPECT_TRUE(summary.line(kStart + milliseconds(60'400), {}, 0, {}).starts_with("last 60 s: "));
  EXPECT_TRUE(summary.line(kStart + milliseconds(122'000), {}, 0, {}).starts_with("last 62 s: "));
}

}  // namespace
}  // namespace clerk
