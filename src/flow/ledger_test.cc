#include "flow/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>

#include "flow/ledger_bench_support.h"
#include "flow/ledger_test_support.h"

namespace clerk {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using wire::tcp_flag::kAck;
using wire::tcp_flag::kFin;
using wire::tcp_flag::kRst;
using wire::tcp_flag::kSyn;

INSTANTIATE_TEST_SUITE_P(Threads, LedgerOnThreads, ::testing::Values(1, 3));

TEST_P(LedgerOnThreads, ARecordTellsEverythingAboutItsPackets) {
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {{.time_ns = at(1000.5),
                         .version = IpVersion::V6,
                         .source_host = 3,
                         .destination_host = 4,
                         .protocol = wire::protocol::kTcp,
                         .source_port = 1234,
                         .destination_port = 443,
                         .vlan_id = 12,
                         .tos = 0xb9,
                         .tcp_flags = kSyn,
                         .octets = 80},
                        {.time_ns = at(1000.75),
                         .version = IpVersion::V6,
                         .source_host = 3,
                         .destination_host = 4,
                         .protocol = wire::protocol::kTcp,
                         .source_port = 1234,
                         .destination_port = 443,
                         .vlan_id = 12,
                         .tos = 0xb8,
                         .tcp_flags = kAck,
                         .octets = 1500}});
  ledger.ledger().release_all();
  const auto released = ledger.take();
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(to_text(released[0]),
            "at 1001: 2001:db8::3 1234 > 2001:db8::4 443 protocol 6 type 0 vlan 12 tos 185 flags "
            "0x12: 2 packets 1580 octets 1000500000000 to 1000750000000 reason 4");
}

TEST(Ledger, IcmpTypeAndCodeAreNoPort) {
  TestLedger ledger;
  ledger.merge(kStart, {{.time_ns = at(1000), .protocol = 1, .destination_port = 0x0301}});
  ledger.ledger().release_all();
  const auto released = ledger.take();
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].record.icmp_type_code, 0x0301);
  EXPECT_EQ(released[0].record.destination_port, 0);
}

TEST_P(LedgerOnThreads, AFlowWithoutPacketsIsReportedAtTheIdleTimeout) {
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {udp(at(1000.25)), udp(at(1000.5))});
  ledger.ledger().advance_to(kStart + 30);
  EXPECT_THAT(brief(ledger.take()), IsEmpty());
  ledger.ledger().advance_to(kStart + 31);
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1031: port 1000, 2 packets, reason 1"));
}

TEST_P(LedgerOnThreads, AFlowWhoseIdleTimeoutEndsOnATickIsReportedAtIt) {
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {udp(at(1000))});
  ledger.ledger().advance_to(kStart + 30);
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1030: port 1000, 1 packets, reason 1"));
}

TEST_P(LedgerOnThreads, AFlowThatGoesOnIsReportedAtTheActiveTimeoutAndBeginsAnew) {
  TestLedger ledger(on_threads());
  for (uint32_t second = kStart; second < kStart + 90; ++second) {
    ledger.merge(second, {udp(second * kSecond)});
    ledger.ledger().advance_to(second + 1);
  }
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1060: port 1000, 60 packets, reason 2"));
  ledger.ledger().release_all();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1091: port 1000, 30 packets, reason 4"));
  EXPECT_EQ(ledger.counts().flows_created, 2U);
}

TEST_P(LedgerOnThreads, AFlowThatIsDueForBothTimeoutsIsReportedAsActive) {
  TestLedger ledger(on_threads(options_of(10, 30, 30)));
  ledger.merge(kStart, {udp(at(1000))});
  ledger.ledger().advance_to(kStart + 30);
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1030: port 1000, 1 packets, reason 2"));
}

TEST_P(LedgerOnThreads, AnEndedFlowIsReportedTwoTicksBehindTheDeltaThatEndedIt) {
  for (const uint8_t end : {kFin, kRst}) {
    TestLedger ledger(on_threads());
    ledger.merge(kStart, {tcp(at(1000.5), kAck), tcp(at(1000.75), end)});
    ledger.ledger().advance_to(kStart + 2);
    EXPECT_THAT(brief(ledger.take()), IsEmpty());
    ledger.ledger().advance_to(kStart + 3);
    EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1003: port 1000, 2 packets, reason 3"));
  }
}

TEST_P(LedgerOnThreads, TrailingPacketsFallIntoTheRecordOfTheEndedFlow) {
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {tcp(at(1000.5), kFin | kAck)});
  ledger.ledger().advance_to(kStart + 1);
  ledger.merge(kStart + 1, {tcp(at(1001.5), kAck)});
  ledger.ledger().advance_to(kStart + 2);
  ledger.merge(kStart + 2, {tcp(at(1002.99), kRst)});
  ledger.ledger().advance_to(kStart + 3);
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1003: port 1000, 3 packets, reason 3"));
  EXPECT_EQ(ledger.counts().flows_created, 1U);
}

TEST_P(LedgerOnThreads, ASynOnAnEndedKeyStartsANewFlow) {
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {tcp(at(1000.1), kFin), tcp(at(1000.2), kSyn), tcp(at(1000.3), kAck)});
  ledger.ledger().advance_to(kStart + 3);
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1003: port 1000, 1 packets, reason 3"));
  ledger.ledger().release_all();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1004: port 1000, 2 packets, reason 4"));
}

TEST_P(LedgerOnThreads, ASynOnAKeyThatHasNotEndedJoinsItsFlow) {
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {tcp(at(1000.1), kAck), tcp(at(1000.2), kSyn)});
  ledger.ledger().advance_to(kStart + 1);
  ledger.merge(kStart + 1, {tcp(at(1001.1), kSyn), tcp(at(1001.2), kAck)});
  ledger.ledger().release_all();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1002: port 1000, 4 packets, reason 4"));
}

TEST_P(LedgerOnThreads, ASynThatEndsItsOwnFlowIsFollowedByANewOneHoweverTheDeltasAreCut) {
  const std::array packets{tcp(at(1000.1), kSyn | kRst), tcp(at(1000.2), kSyn)};
  TestLedger together(on_threads());
  together.merge(kStart, packets);
  TestLedger apart(on_threads());
  for (const DescribedPacket& packet : packets)
    apart.merge(kStart, {packet});
  EXPECT_EQ(apart.counts().flows_created, 2U);
  EXPECT_EQ(together.counts().flows_created, 2U);
}

TEST_P(LedgerOnThreads, ARecordWithoutIpTellsEverythingAboutItsFrames) {
  TestLedger ledger(on_threads());
  DescribedPacket packet = arp(at(1000.5), 3);
  packet.vlan_id = 12;
  DescribedPacket later = packet;
  later.time_ns = at(1000.75);
  later.octets = 64;
  ledger.merge(kStart, {packet, later});
  ledger.ledger().release_all();
  const auto released = ledger.take();
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].record.kind(), FlowKind::Link);
  EXPECT_EQ(to_text(released[0]),
            "at 1001: 02:00:00:00:00:03 > 02:00:00:00:00:02 type 0x0806 vlan 12: 2 packets 124 "
            "octets 1000500000000 to 1000750000000 reason 4");
  EXPECT_EQ(ledger.counts().octets_exported, 124U);
}

TEST_P(LedgerOnThreads, FlowsWithoutIpHaveTheTimeoutsOfOthers) {
  TestLedger ledger(on_threads());
  for (uint32_t second = kStart; second < kStart + 90; ++second) {
    ledger.merge(second, {arp(second * kSecond)});
    ledger.ledger().advance_to(second + 1);
  }
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1060: port 0, 60 packets, reason 2"));
  ledger.ledger().advance_to(kStart + 120);
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1119: port 0, 30 packets, reason 1"));
}

TEST_P(LedgerOnThreads, RecordsOfATickLeaveInTheOrderOfTheirFirstPacketsOfBothVersions) {
  TestLedger ledger(on_threads());
  std::vector<DescribedPacket> packets;
  for (uint16_t port = 1; port <= 600; ++port) {
    packets.push_back(udp(at(1000) + port, port));
    if (port % 3 == 0) packets.back().version = IpVersion::V6;
  }
  ledger.merge(kStart, packets);
  ledger.ledger().advance_to(kStart + 40);
  const auto released = ledger.take();
  ASSERT_EQ(released.size(), packets.size());
  for (size_t i = 0; i < released.size(); ++i)
    EXPECT_EQ(released[i].record.source_port, packets[i].source_port);
}

TEST_P(LedgerOnThreads, AStepBackReleasesEverythingAndLetsTheClockBeginAnew) {
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {udp(at(1000))});
  ledger.ledger().restart();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1001: port 1000, 1 packets, reason 4"));
  ledger.merge(10, {udp(at(10))});
  ledger.ledger().advance_to(40);
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 40: port 1000, 1 packets, reason 1"));
  EXPECT_EQ(ledger.counts().clock_restarts, 1U);
}

TEST_P(LedgerOnThreads, AJumpOverALongGapIsQuick) {
  constexpr uint32_t kFar = 4'000'000'000;
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {udp(at(1000)), fragment(at(1000.5), DatagramPart::Later)});
  const auto start = std::chrono::steady_clock::now();
  ledger.ledger().advance_to(kFar);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1030: port 1000, 1 packets, reason 1",
                                                "at 1031: port 0, 1 packets, reason 1"));
  EXPECT_EQ(ledger.ticks().back(), kFar);
  ledger.merge(kFar, {udp(kFar * kSecond)});
  ledger.ledger().release_all();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 4000000001: port 1000, 1 packets, reason 4"));
}

TEST_P(LedgerOnThreads, TheLastSecondsOfTimeEndLikeAnyOther) {
  constexpr uint32_t kEnd = whole_seconds(kTimeEnd);
  TestLedger ledger(on_threads());
  for (uint32_t second = kEnd - 4; second < kEnd; ++second) {
    const uint64_t time_ns = second * kSecond;
    ledger.merge(second, {udp(time_ns), tcp(time_ns, kFin), tcp(time_ns, kSyn),
                          fragment(time_ns, DatagramPart::Later)});
    ledger.ledger().advance_to(second + 1);
  }
  ledger.ledger().release_all();
  EXPECT_EQ(ledger.counts().packets_exported, 16U);
}

TEST_P(LedgerOnThreads, TheTickFollowsTheRecordsOfItsSecond) {
  std::vector<std::string> calls;
  const KeyedHash hash;
  Ledger ledger(
      on_threads(), hash,
      {.records =
           [&](std::span<const FlowRecord> records, uint32_t second) {
             calls.push_back(fmt::format("{} records at {}", records.size(), second));
           },
       .tick = [&](uint32_t second) { calls.push_back(fmt::format("tick {}", second)); }});
  Delta delta({.ipv4 = 1024, .ipv6 = 16});
  fill(delta, hash, kStart, 0, 300);
  ledger.merge(delta);
  ledger.advance_to(kStart + 31);
  EXPECT_THAT(calls, ElementsAre("1 records at 1030", "tick 1030", "256 records at 1031",
                                 "43 records at 1031", "tick 1031", "tick 1031"));
}

TEST_P(LedgerOnThreads, CountsWhatItWasGivenAndWhatItGaveOut) {
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {udp(at(1000), 1), udp(at(1000), 2), udp(at(1000), 1), udp(kTimeEnd)});
  const LedgerCounts& counts = ledger.counts();
  EXPECT_EQ(counts.packets.received, 4U);
  EXPECT_EQ(counts.packets.metered, 3U);
  EXPECT_EQ(counts.packets.ignored[static_cast<size_t>(Stop::BadTime)], 1U);
  EXPECT_EQ(counts.packets.octets_metered, 300U);
  EXPECT_EQ(counts.packets_exported, 0U);
  ledger.ledger().release_all();
  EXPECT_EQ(counts.flows_created, 2U);
  EXPECT_EQ(counts.records_exported, 2U);
  EXPECT_EQ(counts.packets_exported, 3U);
  EXPECT_EQ(counts.octets_exported, 300U);
}

TEST(Ledger, TakesTheLargestDeltasAtAnyNumberOfThreads) {
  for (const uint32_t threads : {1U, 2U, 3U}) {
    LedgerOptions options = test_options();
    options.flows_max = kDeltaCapacityMax.ipv4;
    options.threads = threads;
    const KeyedHash hash;
    std::vector<uint64_t> first_ns;
    Ledger ledger(options, hash,
                  {.records =
                       [&](std::span<const FlowRecord> records, uint32_t) {
                         for (const FlowRecord& record : records)
                           first_ns.push_back(record.first_ns);
                       },
                   .tick = [](uint32_t) {}});
    Delta delta(kDeltaCapacityMax);
    fill(delta, hash, kStart, 0, kDeltaCapacityMax.ipv4);
    ledger.merge(delta);
    EXPECT_EQ(ledger.flows_held(), kDeltaCapacityMax.ipv4);
    ledger.release_all();
    ASSERT_EQ(first_ns.size(), kDeltaCapacityMax.ipv4) << threads;
    for (size_t i = 0; i < first_ns.size(); ++i)
      ASSERT_EQ(first_ns[i], kStart * kSecond + i) << threads;
  }
}

TEST(Ledger, WhatTheOutputThrowsReachesTheCallerAtAnyNumberOfThreads) {
  for (const uint32_t threads : {1U, 3U}) {
    LedgerOptions options = test_options();
    options.threads = threads;
    const KeyedHash hash;
    Ledger ledger(options, hash,
                  {.records = [](auto, uint32_t) { throw std::runtime_error("no room"); },
                   .tick = [](uint32_t) {}});
    Delta delta({.ipv4 = 1024, .ipv6 = 16});
    fill(delta, hash, kStart, 0, 1000);
    ledger.merge(delta);
    EXPECT_THROW(ledger.release_all(), std::runtime_error);
  }
}

TEST(Ledger, AFlowCostsAtMost160Octets) {
  constexpr size_t kFlowOctetsMax = 160;
  for (const uint32_t threads : {1U, 4U}) {
    const size_t constant = Ledger::octets(1, threads);
    for (const uint32_t flows_max : {1000U, 81920U, 81921U, 1'000'000U, 4'194'304U, 1U << 30})
      EXPECT_LE(Ledger::octets(flows_max, threads), kFlowOctetsMax * flows_max + constant)
          << flows_max;
  }
}

}  // namespace
}  // namespace clerk
