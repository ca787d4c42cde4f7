#include "flow/fragments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>

#include "flow/flow_test_support.h"

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
  explicit DatagramTableTest(uint32_t datagrams_max = Table::kDatagramsMax)
      : table_(hash_, datagrams_max) {}

  void wait(const Fragments& fragments, uint32_t second = kStart) {
    EXPECT_TRUE(table_.wait(fragments, second).has_value());
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
  Table table_;
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

TEST_F(DatagramTableTest, TheFirstFragmentBehindLaterOnesBeginsTheTimeAnew) {
  wait(fragments(datagram(1)), kStart);
  EXPECT_THAT(learn(datagram(1), kPorts, kStart + 29), SizeIs(1));
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

// --- The table against a twin: a list, oldest first, that is searched from its front ---

struct TwinDatagramEntry {
  uint32_t identification;
  uint32_t until;
  std::optional<TransportKey> transport;
  std::vector<std::pair<uint8_t, uint64_t>> waiting;  // DSCP and packets
};

class DatagramTwin {
 public:
  explicit DatagramTwin(size_t datagrams_max) : datagrams_max_(datagrams_max) {}

  [[nodiscard]] bool full() const {
    size_t waiting = 0;
    for (const TwinDatagramEntry& datagram : datagrams_)
      waiting += datagram.waiting.size();
    return datagrams_.size() == datagrams_max_ || waiting == datagrams_max_;
  }

  std::optional<TransportKey> find(uint32_t identification) {
    const auto at = at_of(identification);
    return at == datagrams_.end() ? std::nullopt : at->transport;
  }

  std::vector<std::pair<uint8_t, uint64_t>> learn(uint32_t identification,
                                                  const TransportKey& transport, uint32_t second) {
    auto at = find_or_begin(identification, second);
    datagrams_.splice(datagrams_.end(), datagrams_, at);
    at->until = second + 30;
    at->transport = transport;
    return std::exchange(at->waiting, {});
  }

  bool wait(uint32_t identification, uint8_t dscp, uint64_t packets, uint32_t second) {
    auto& waiting = find_or_begin(identification, second)->waiting;
    for (auto& [other, count] : waiting) {
      if (other != dscp) continue;
      count += packets;
      return true;
    }
    if (waiting.size() == 16) return false;
    waiting.emplace_back(dscp, packets);
    return true;
  }

  std::vector<std::pair<uint8_t, uint64_t>> forget_oldest() {
    auto orphans = std::move(datagrams_.front().waiting);
    datagrams_.pop_front();
    return orphans;
  }

  std::vector<std::pair<uint8_t, uint64_t>> expire(uint32_t second) {
    std::vector<std::pair<uint8_t, uint64_t>> orphans;
    while (!datagrams_.empty() && datagrams_.front().until <= second)
      std::ranges::copy(forget_oldest(), std::back_inserter(orphans));
    return orphans;
  }

 private:
  using Datagrams = std::list<TwinDatagramEntry>;

  Datagrams::iterator at_of(uint32_t identification) {
    return std::ranges::find(datagrams_, identification, &TwinDatagramEntry::identification);
  }
  Datagrams::iterator find_or_begin(uint32_t identification, uint32_t second) {
    const auto at = at_of(identification);
    if (at != datagrams_.end()) return at;
    return datagrams_.insert(datagrams_.end(), {identification, second + 30, {}, {}});
  }

  size_t datagrams_max_;
  Datagrams datagrams_;
};

// What was given out, as the twin tells it.
std::vector<std::pair<uint8_t, uint64_t>> brief(const std::vector<Fragments>& given) {
  std::vector<std::pair<uint8_t, uint64_t>> told;
  told.reserve(given.size());
  for (const Fragments& fragments : given)
    told.emplace_back(fragments.key.tail.dscp, fragments.counters.packets);
  return told;
}

class DatagramTableAndTwin : public DatagramTableTest,
                             public ::testing::WithParamInterface<uint32_t> {
 protected:
  DatagramTableAndTwin() : DatagramTableTest(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Sizes, DatagramTableAndTwin, ::testing::Values(1U, 3U, 20U, 200U));

TEST_P(DatagramTableAndTwin, AgreeOnAnything) {
  Dice dice(GetParam());
  DatagramTwin twin(GetParam());
  uint32_t second = kStart;
  for (int step = 0; step < 20'000; ++step) {
    const auto identification = static_cast<uint16_t>(dice.below(2 * GetParam() + 2));
    const auto dscp = static_cast<uint8_t>(dice.one_in(4) ? dice.below(20) : 0);
    ASSERT_EQ(table_.full(), twin.full());
    while (table_.full())
      ASSERT_EQ(brief(forget_oldest()), twin.forget_oldest());
    ASSERT_EQ(table_.find(datagram(identification, dscp)), twin.find(identification));
    if (dice.one_in(3)) {
      const TransportKey ports{static_cast<uint16_t>(dice.below(9)), 80, 17};
      ASSERT_EQ(brief(learn(datagram(identification, dscp), ports, second)),
                twin.learn(identification, ports, second));
    } else {
      const uint64_t packets = 1 + dice.below(3);
      ASSERT_EQ(table_.wait(fragments(datagram(identification, dscp), packets), second).has_value(),
                twin.wait(identification, dscp, packets, second));
    }
    if (dice.one_in(20)) second += static_cast<uint32_t>(dice.below(12));
    ASSERT_EQ(brief(expire(second)), twin.expire(second));
  }
}

}  // namespace
}  // namespace clerk
