// Whether an observer of the ledger hears which record each count went into.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/flow_test_support.h"

namespace clerk {
namespace {

using ::testing::ElementsAre;
using wire::tcp_flag::kAck;
using wire::tcp_flag::kFin;
using wire::tcp_flag::kSyn;

constexpr uint32_t kStart = 1000;
constexpr uint64_t kStartNs = kStart * kSecond;

// What an observer hears, a line each.
class ObservedLedger : public ::testing::Test {
 protected:
  ObservedLedger() : ObservedLedger(test_options()) {}
  explicit ObservedLedger(const LedgerOptions& options) : ledger_(options) {
    ledger_.ledger().tell(observer_);
  }

  std::vector<std::string> heard() { return std::exchange(heard_, {}); }

  std::vector<std::string> heard_;
  LedgerObserver observer_{
      .counted =
          [this](uint64_t ordinal, uint32_t record) {
            heard_.push_back(fmt::format("{} counted in {}", ordinal, record));
          },
      .joined =
          [this](uint64_t ordinal, uint64_t earlier) {
            heard_.push_back(fmt::format("{} joined {}", ordinal, earlier));
          },
      .orphaned =
          [this](uint64_t ordinal) { heard_.push_back(fmt::format("{} orphaned", ordinal)); },
      .released =
          [this](uint32_t record) { heard_.push_back(fmt::format("{} released", record)); }};
  TestLedger ledger_;
};

class ObservedSmallLedger : public ObservedLedger {
 protected:
  ObservedSmallLedger()
      : ObservedLedger(
            {.flows_max = 1, .timeouts = {.idle_ns = 30 * kSecond, .active_ns = 60 * kSecond}}) {}
};

DescribedPacket udp(uint16_t port) { return {.time_ns = kStartNs, .source_port = port}; }

DescribedPacket tcp(uint8_t flags) {
  return {.time_ns = kStartNs, .protocol = wire::protocol::kTcp, .tcp_flags = flags};
}

DescribedPacket fragment(DatagramPart part, uint16_t identification, uint8_t tos = 0) {
  return {.time_ns = kStartNs, .tos = tos, .part = part, .identification = identification};
}

TEST_F(ObservedLedger, HearsWhichRecordEachCountIsAddedTo) {
  ledger_.merge(kStart, {udp(1), udp(2), udp(1)});
  ledger_.merge(kStart, {udp(2), udp(3)});
  EXPECT_THAT(heard(),
              ElementsAre("0 counted in 0", "1 counted in 1", "3 counted in 1", "4 counted in 2"));
}

TEST_F(ObservedLedger, HearsOfBothIpVersions) {
  DescribedPacket packet = udp(1);
  packet.version = IpVersion::V6;
  ledger_.merge(kStart, {udp(1), packet});
  EXPECT_THAT(heard(), ElementsAre("0 counted in 0", "1 counted in 1"));
}

TEST_F(ObservedLedger, HearsOfReleasesInTheirOrder) {
  ledger_.merge(kStart, {udp(1), udp(2)});
  ledger_.ledger().release_all();
  EXPECT_THAT(heard(), ElementsAre("0 counted in 0", "1 counted in 1", "0 released", "1 released"));
  EXPECT_EQ(ledger_.take().size(), 2U);
}

TEST_F(ObservedLedger, HearsThatASynBehindAnEndIsCountedInAnotherRecord) {
  ledger_.merge(kStart, {tcp(kAck), tcp(kFin), tcp(kSyn), tcp(kAck)});
  EXPECT_THAT(heard(), ElementsAre("0 counted in 0", "2 counted in 1"));
  ledger_.ledger().advance_to(kStart + 3);
  EXPECT_THAT(heard(), ElementsAre("0 released"));
}

TEST_F(ObservedSmallLedger, HearsOfAnEvictionBeforeTheRecordIsUsedAgain) {
  ledger_.merge(kStart, {udp(1), udp(2)});
  EXPECT_THAT(heard(), ElementsAre("0 counted in 0", "0 released", "1 counted in 0"));
}

TEST_F(ObservedLedger, HearsOfFragmentsWhenTheirFirstOneCame) {
  ledger_.merge(kStart, {fragment(DatagramPart::Later, 7)});
  EXPECT_THAT(heard(), ElementsAre());
  ledger_.merge(kStart, {fragment(DatagramPart::First, 7)});
  EXPECT_THAT(heard(), ElementsAre("0 counted in 0", "1 counted in 0"));
  ledger_.merge(kStart, {fragment(DatagramPart::Later, 7)});
  EXPECT_THAT(heard(), ElementsAre("2 counted in 0"));
}

TEST_F(ObservedLedger, HearsThatWaitingFragmentsGoOnAsOneCount) {
  ledger_.merge(kStart, {fragment(DatagramPart::Later, 7)});
  ledger_.merge(kStart, {fragment(DatagramPart::Later, 7), fragment(DatagramPart::Later, 7, 0x20)});
  ledger_.merge(kStart, {fragment(DatagramPart::Later, 7)});
  EXPECT_THAT(heard(), ElementsAre("1 joined 0", "3 joined 0"));
  ledger_.merge(kStart, {fragment(DatagramPart::First, 7)});
  EXPECT_THAT(heard(), ElementsAre("0 counted in 0", "2 counted in 1", "4 counted in 0"));
}

TEST_F(ObservedLedger, HearsOfFragmentsWhoseFirstOneNeverCame) {
  ledger_.merge(kStart, {fragment(DatagramPart::Later, 7), fragment(DatagramPart::Later, 8)});
  ledger_.ledger().release_all();
  EXPECT_THAT(heard(), ElementsAre("0 orphaned", "0 counted in 0", "1 orphaned", "1 counted in 0",
                                   "0 released"));
}

TEST_F(ObservedLedger, HearsOfFragmentsThatMayNotWait) {
  std::vector<DescribedPacket> packets;
  packets.reserve(17);
  for (uint8_t dscp = 0; dscp < 17; ++dscp)
    packets.push_back(fragment(DatagramPart::Later, 7, static_cast<uint8_t>(dscp << 2)));
  ledger_.merge(kStart, packets);
  EXPECT_THAT(heard(), ElementsAre("16 orphaned", "16 counted in 0"));
}

}  // namespace
}  // namespace clerk
