#include "flow/fragments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace clerk {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using Table = DatagramTable<Ipv4Key>;
using Fragments = WaitingFragments<Ipv4Key>;

constexpr uint32_t kStart = 1000;
constexpr TransportKey kPorts{.source_port = 53, .destination_port = 4000, .protocol = 17};

Ipv4Key datagram(uint16_t identification, uint8_t dscp = 0, uint16_t vlan_id = 0) {
  return {.source = {10, 0, 0, 1},
          .destination = {10, 0, 0, 2},
          .tail = {.source_port = 0,
                   .destination_port = identification,
                   .protocol = 17,
                   .dscp = dscp,
                   .vlan_and_datagram = static_cast<uint16_t>(vlan_id | kDatagramBit)}};
}

Fragments fragments(const Ipv4Key& key, uint64_t packets = 1, uint64_t ordinal = 0) {
  return {.key = key,
          .counters = {.octets = packets * 100,
                       .packets = packets,
                       .ordinal = ordinal,
                       .end_second = FlowCounters::kNotEnded}};
}

uint64_t packets_waiting(const Table& table) {
  uint64_t packets = 0;
  uint64_t octets = 0;
  table.add_waiting_to(packets, octets);
  EXPECT_EQ(octets, packets * 100);
  return packets;
}

class DatagramTableTest : public ::testing::Test {
 protected:
  void wait(const Fragments& fragments, uint32_t second = kStart) {
    EXPECT_TRUE(table_.wait(fragments, second));
  }

  // What waited for the first fragment.
  std::vector<Fragments> learn(const Ipv4Key& key, const TransportKey& transport, uint32_t second) {
    std::vector<Fragments> waited;
    table_.learn(key, transport, second, [&](const Fragments& one) { waited.push_back(one); });
    return waited;
  }

  std::vector<Fragments> forget_oldest() {
    std::vector<Fragments> orphans;
    table_.forget_oldest([&](const Fragments& one) { orphans.push_back(one); });
    return orphans;
  }

  std::vector<Fragments> expire(uint32_t second) {
    std::vector<Fragments> orphans;
    table_.expire(second, [&](const Fragments& one) { orphans.push_back(one); });
    return orphans;
  }

  KeyedHash hash_;
  Table table_{hash_};
};

TEST_F(DatagramTableTest, KnowsNothingBeforeTheFirstFragment) {
  EXPECT_EQ(table_.find(datagram(1)), std::nullopt);
  wait(fragments(datagram(1)));
  EXPECT_EQ(table_.find(datagram(1)), std::nullopt);
}

TEST_F(DatagramTableTest, RemembersWhatTheFirstFragmentTold) {
  EXPECT_THAT(learn(datagram(1), kPorts, kStart), IsEmpty());
  EXPECT_EQ(table_.find(datagram(1)), kPorts);
  EXPECT_EQ(table_.find(datagram(2)), std::nullopt);
}

TEST_F(DatagramTableTest, AnotherFirstFragmentBeginsTheTimeAnew) {
  EXPECT_THAT(learn(datagram(1), kPorts, kStart), IsEmpty());
  EXPECT_THAT(learn(datagram(1), kPorts, kStart + 29), IsEmpty());
  EXPECT_THAT(expire(kStart + 29 + Table::kSecondsMax - 1), IsEmpty());
  EXPECT_EQ(table_.find(datagram(1)), kPorts);
  EXPECT_THAT(expire(kStart + 29 + Table::kSecondsMax), IsEmpty());
  EXPECT_TRUE(table_.empty());
}

TEST_F(DatagramTableTest, NeitherDscpNorVlanTellDatagramsApart) {
  EXPECT_THAT(learn(datagram(1, 10, 5), kPorts, kStart), IsEmpty());
  EXPECT_EQ(table_.find(datagram(1, 46, 7)), kPorts);
}

TEST_F(DatagramTableTest, GivesBackWhatWaitedInTheOrderItCame) {
  wait(fragments(datagram(1, 10), 2));
  wait(fragments(datagram(1, 0, 5), 3));
  wait(fragments(datagram(1, 10), 4));
  EXPECT_EQ(packets_waiting(table_), 9U);
  const auto waited = learn(datagram(1), kPorts, kStart);
  ASSERT_THAT(waited, SizeIs(2));
  EXPECT_EQ(waited[0].key, datagram(1, 10));
  EXPECT_EQ(waited[0].counters.packets, 6U);
  EXPECT_EQ(waited[1].key, datagram(1, 0, 5));
  EXPECT_EQ(waited[1].counters.packets, 3U);
  EXPECT_EQ(packets_waiting(table_), 0U);
  EXPECT_THAT(learn(datagram(1), kPorts, kStart), IsEmpty());
}

TEST_F(DatagramTableTest, RefusesASeventeenthKindOfFragmentOfADatagram) {
  for (uint8_t dscp = 0; dscp < 16; ++dscp)
    wait(fragments(datagram(1, dscp)));
  EXPECT_FALSE(table_.wait(fragments(datagram(1, 16)), kStart));
  wait(fragments(datagram(1, 15)));
  wait(fragments(datagram(2, 16)));
  EXPECT_EQ(packets_waiting(table_), 18U);
}

TEST_F(DatagramTableTest, ForgetsADatagram30SecondsBehindItsFirstSight) {
  wait(fragments(datagram(1)), kStart);
  wait(fragments(datagram(2)), kStart + 1);
  wait(fragments(datagram(1)), kStart + 20);
  EXPECT_THAT(expire(kStart + 29), IsEmpty());
  const auto orphans = expire(kStart + 30);
  ASSERT_THAT(orphans, SizeIs(1));
  EXPECT_EQ(orphans[0].counters.packets, 2U);
  EXPECT_THAT(expire(kStart + 30), IsEmpty());
  EXPECT_THAT(expire(kStart + 31), SizeIs(1));
  EXPECT_TRUE(table_.empty());
}

TEST_F(DatagramTableTest, ADatagramWithPortsLeavesNoOrphans) {
  EXPECT_THAT(learn(datagram(1), kPorts, kStart), IsEmpty());
  EXPECT_THAT(expire(kStart + 29), IsEmpty());
  EXPECT_EQ(table_.find(datagram(1)), kPorts);
  EXPECT_THAT(expire(kStart + 30), IsEmpty());
  EXPECT_EQ(table_.find(datagram(1)), std::nullopt);
}

TEST_F(DatagramTableTest, IsFullWithAsManyDatagramsAsItsBound) {
  for (uint32_t i = 0; i < Table::kDatagramsMax; ++i) {
    EXPECT_FALSE(table_.full());
    EXPECT_THAT(learn(datagram(static_cast<uint16_t>(i)), kPorts, kStart), IsEmpty());
  }
  EXPECT_TRUE(table_.full());
  EXPECT_THAT(forget_oldest(), IsEmpty());
  EXPECT_FALSE(table_.full());
  EXPECT_EQ(table_.find(datagram(0)), std::nullopt);
  EXPECT_EQ(table_.find(datagram(1)), kPorts);
}

TEST_F(DatagramTableTest, IsFullWithAsManyWaitingCountsAsItsBound) {
  constexpr uint32_t kPerDatagram = 16;
  for (uint32_t i = 0; i < Table::kDatagramsMax; ++i) {
    EXPECT_FALSE(table_.full());
    wait(fragments(datagram(static_cast<uint16_t>(i / kPerDatagram), i % kPerDatagram)));
  }
  EXPECT_TRUE(table_.full());
  EXPECT_THAT(learn(datagram(5), kPorts, kStart), SizeIs(kPerDatagram));
  EXPECT_FALSE(table_.full());
  for (uint8_t dscp = 0; dscp < kPerDatagram; ++dscp)
    wait(fragments(datagram(UINT16_MAX, dscp)));
  EXPECT_TRUE(table_.full());
  EXPECT_THAT(forget_oldest(), SizeIs(kPerDatagram));
  EXPECT_FALSE(table_.full());
}

}  // namespace
}  // namespace clerk
