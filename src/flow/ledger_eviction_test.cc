#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/ledger.h"
#include "flow/ledger_test_support.h"

namespace clerk {
namespace {

using ::testing::ElementsAre;
using wire::tcp_flag::kFin;
using wire::tcp_flag::kRst;

TEST(LedgerEviction, AnEndDetectedComesBeforeEveryOtherReason) {
  TestLedger ledger(options_of(1, 30, 60));
  ledger.merge(kStart, {tcp(at(1000), kFin)});
  ledger.merge(kStart, {udp(at(1000.5), 1)});  // evicts it
  ledger.merge(kStart, {tcp(at(1000.6), kRst)});
  ledger.ledger().release_all();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1001: port 1000, 1 packets, reason 3",
                                                "at 1001: port 1, 1 packets, reason 5",
                                                "at 1001: port 1000, 1 packets, reason 3"));
}

TEST(LedgerEviction, EvictsTheOldestRecordsFirst) {
  TestLedger ledger(options_of(2, 30, 60));
  ledger.merge(kStart, {udp(at(1000.1), 1), udp(at(1000.2), 2), udp(at(1000.3), 3)});
  ledger.merge(kStart, {udp(at(1000.4), 2), udp(at(1000.5), 4)});
  ledger.ledger().advance_to(kStart + 1);
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1001: port 1, 1 packets, reason 5",
                                                "at 1001: port 2, 2 packets, reason 5"));
  ledger.ledger().release_all();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1002: port 3, 1 packets, reason 4",
                                                "at 1002: port 4, 1 packets, reason 4"));
}

TEST(LedgerEviction, EvictsFlowsWithoutIpInTheirTurn) {
  TestLedger ledger(options_of(2, 30, 60));
  ledger.merge(kStart, {udp(at(1000.1), 1), arp(at(1000.2)), udp(at(1000.3), 3), arp(at(1000.4), 4),
                        udp(at(1000.5), 5)});
  ledger.ledger().release_all();
  EXPECT_THAT(
      brief(ledger.take()),
      ElementsAre("at 1001: port 1, 1 packets, reason 5", "at 1001: port 0, 1 packets, reason 5",
                  "at 1001: port 3, 1 packets, reason 5", "at 1001: port 0, 1 packets, reason 4",
                  "at 1001: port 5, 1 packets, reason 4"));
}

TEST(LedgerEviction, EvictsInTheOrderOfFirstPacketsOfBothVersions) {
  TestLedger ledger(options_of(1, 30, 60));
  std::vector<DescribedPacket> packets;
  for (uint16_t port = 1; port <= 6; ++port) {
    packets.push_back(udp(at(1000), port));
    if (port == 1 || port == 4) packets.back().version = IpVersion::V6;
  }
  ledger.merge(kStart, packets);
  ledger.ledger().release_all();
  const auto released = ledger.take();
  ASSERT_EQ(released.size(), packets.size());
  for (size_t i = 0; i < released.size(); ++i)
    EXPECT_EQ(released[i].record.source_port, packets[i].source_port);
}

TEST(LedgerEviction, OnSeveralThreadsMakesRoomBehindEachDelta) {
  LedgerOptions options = options_of(3, 30, 60);
  options.threads = 3;
  TestLedger ledger(options);
  std::vector<DescribedPacket> packets;
  for (uint16_t port = 1; port <= 600; ++port) {
    packets.push_back(udp(at(1000) + port, port));
    if (port % 3 == 0) packets.back().version = IpVersion::V6;
  }
  ledger.merge(kStart, packets);
  EXPECT_EQ(ledger.ledger().flows_held(), 3U);
  ledger.merge(kStart, {udp(at(1000.5), 1), udp(at(1000.5), 599)});
  EXPECT_EQ(ledger.ledger().flows_held(), 3U);
  ledger.ledger().release_all();
  const auto released = ledger.take();
  ASSERT_EQ(released.size(), packets.size() + 1);
  for (size_t i = 0; i < packets.size(); ++i)
    EXPECT_EQ(released[i].record.source_port, packets[i].source_port);
  EXPECT_EQ(brief(released[597]), "at 1001: port 598, 1 packets, reason 5");
  EXPECT_EQ(brief(released[598]), "at 1001: port 599, 2 packets, reason 4");
  EXPECT_EQ(brief(released[600]), "at 1001: port 1, 1 packets, reason 4");
}

}  // namespace
}  // namespace clerk
