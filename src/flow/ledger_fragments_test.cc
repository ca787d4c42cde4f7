#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/ledger.h"
#include "flow/ledger_test_support.h"

namespace clerk {
namespace {

using ::testing::ElementsAre;

using LedgerFragments = LedgerOnThreads;
INSTANTIATE_TEST_SUITE_P(Threads, LedgerFragments, ::testing::Values(1, 3));

TEST_P(LedgerFragments, AFlowFragmentedAndWholeIsOneRecord) {
  TestLedger ledger(on_threads());
  ledger.merge(
      kStart, {fragment(at(1000.1), DatagramPart::Later), fragment(at(1000.2), DatagramPart::First),
               fragment(at(1000.3), DatagramPart::Later), udp(at(1000.4))});
  ledger.ledger().release_all();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1001: port 1000, 4 packets, reason 4"));
}

TEST_P(LedgerFragments, FragmentsFindTheirFirstOneAcrossDeltas) {
  TestLedger ledger(on_threads());
  ledger.merge(kStart, {fragment(at(1000), DatagramPart::Later)});
  ledger.ledger().advance_to(kStart + 20);
  ledger.merge(kStart + 20, {fragment(at(1020), DatagramPart::First)});
  ledger.ledger().advance_to(kStart + 29);
  ledger.merge(kStart + 29, {fragment(at(1029), DatagramPart::Later)});
  ledger.ledger().release_all();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1030: port 1000, 3 packets, reason 4"));
  EXPECT_EQ(ledger.counts().fragments_orphaned, 0U);
}

TEST_P(LedgerFragments, FragmentsWithoutTheirFirstOneGetPortZeroAndAreCounted) {
  TestLedger ledger(on_threads(options_of(10, 30, 60)));
  ledger.merge(kStart, {fragment(at(1000), DatagramPart::Later, 1),
                        fragment(at(1000.5), DatagramPart::Later, 2)});
  ledger.ledger().advance_to(kStart + 29);
  EXPECT_EQ(ledger.counts().fragments_orphaned, 0U);
  ledger.ledger().advance_to(kStart + 31);
  EXPECT_EQ(ledger.counts().fragments_orphaned, 2U);
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1031: port 0, 2 packets, reason 1"));
}

TEST_P(LedgerFragments, TwoDatagramsOfOneIdentificationKeepTheirOwnPorts) {
  DescribedPacket other = fragment(at(1000.3), DatagramPart::First);
  other.source_port = 5;
  TestLedger ledger(on_threads());
  ledger.merge(
      kStart, {fragment(at(1000.1), DatagramPart::First), fragment(at(1000.2), DatagramPart::Later),
               other, fragment(at(1000.4), DatagramPart::Later)});
  ledger.ledger().release_all();
  EXPECT_THAT(brief(ledger.take()), ElementsAre("at 1001: port 1000, 2 packets, reason 4",
                                                "at 1001: port 5, 2 packets, reason 4"));
}

TEST_P(LedgerFragments, ALaterFragmentGoesToTheDatagramSeenBeforeItHoweverTheDeltasAreCut) {
  DescribedPacket reused = fragment(at(1000.3), DatagramPart::First);
  reused.source_port = 5;
  const std::array packets{fragment(at(1000.2), DatagramPart::Later), reused};
  TestLedger together(on_threads());
  TestLedger apart(on_threads());
  for (TestLedger* ledger : {&together, &apart})
    ledger->merge(kStart, {fragment(at(1000.1), DatagramPart::First)});
  together.merge(kStart, packets);
  for (const DescribedPacket& packet : packets)
    apart.merge(kStart, {packet});
  for (TestLedger* ledger : {&together, &apart})
    ledger->ledger().release_all();
  EXPECT_EQ(brief(together.take()), brief(apart.take()));
}

TEST_P(LedgerFragments, TwoFirstFragmentsAreRememberedAsLongWhetherOrNotOneDeltaHasBoth) {
  const std::array packets{fragment(at(1020.1), DatagramPart::First),
                           fragment(at(1020.2), DatagramPart::First)};
  TestLedger together(on_threads());
  TestLedger apart(on_threads());
  for (TestLedger* ledger : {&together, &apart}) {
    ledger->merge(kStart, {fragment(at(1000.1), DatagramPart::Later)});
    ledger->ledger().advance_to(kStart + 20);
  }
  together.merge(kStart + 20, packets);
  for (const DescribedPacket& packet : packets)
    apart.merge(kStart + 20, {packet});
  for (TestLedger* ledger : {&together, &apart}) {
    ledger->ledger().advance_to(kStart + 40);
    ledger->merge(kStart + 40, {fragment(at(1040), DatagramPart::Later)});
    ledger->ledger().release_all();
  }
  EXPECT_EQ(brief(together.take()), brief(apart.take()));
  EXPECT_EQ(together.counts().fragments_orphaned, 0U);
  EXPECT_EQ(apart.counts().fragments_orphaned, 0U);
}

TEST_P(LedgerFragments, AFullTableOfDatagramsForgetsTheOldest) {
  TestLedger ledger(on_threads());
  const uint64_t datagrams = DatagramTable<Ipv4Key>::kDatagramsMax + 2;
  for (uint64_t i = 0; i < datagrams; ++i) {
    DescribedPacket packet = fragment(at(1000) + i, DatagramPart::Later);
    packet.identification = static_cast<uint16_t>(i);
    packet.source_host = static_cast<uint8_t>(i >> 16);
    ledger.merge(kStart, {packet});
  }
  EXPECT_EQ(ledger.counts().fragments_orphaned, 2U);
}

}  // namespace
}  // namespace clerk
