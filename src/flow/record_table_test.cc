#include "flow/record_table.h"

#include <gtest/gtest.h>

#include <bit>
#include <list>
#include <map>

#include "flow/flow_test_support.h"

namespace clerk {
namespace {

Ipv4Key ipv4_key(uint16_t number) {
  return {.source = {10, 0, 0, 1}, .destination = {10, 0, 0, 2}, .tail = {.source_port = number}};
}

Ipv6Key ipv6_key(uint16_t number) {
  Ipv6Key key{.source = {0x20, 1}, .destination = {0x20, 2}, .tail = {.destination_port = 1}};
  key.source[2] = static_cast<uint8_t>(number >> 8);  // in the octets that IPv4 keys do not have
  key.source[3] = static_cast<uint8_t>(number);
  return key;
}

LinkKey link_key(uint16_t number) {
  return {.source = {2, 0, 0, 0, 0, 1}, .destination = {2, 0, 0, 0, 0, 2}, .vlan_id = number};
}

FlowCounters counters_of(uint64_t packets) { return {.packets = packets, .marks = 0}; }

TEST(RecordTable, KeepsKeyAndCountersOfEachKind) {
  RecordTable table(4, 60);
  const uint32_t ipv4 = table.open(ipv4_key(7), counters_of(1));
  const uint32_t ipv6 = table.open(ipv6_key(7), counters_of(2));
  const uint32_t link = table.open(link_key(7), counters_of(3));
  EXPECT_EQ(table.kind(ipv4), FlowKind::Ipv4);
  EXPECT_EQ(table.kind(ipv6), FlowKind::Ipv6);
  EXPECT_EQ(table.kind(link), FlowKind::Link);
  EXPECT_EQ(table.key<Ipv4Key>(ipv4), ipv4_key(7));
  EXPECT_EQ(table.key<Ipv6Key>(ipv6), ipv6_key(7));
  EXPECT_EQ(table.key<LinkKey>(link), link_key(7));
  EXPECT_EQ(table.counters(ipv4).packets, 1U);
  EXPECT_EQ(table.counters(ipv6).packets, 2U);
  EXPECT_EQ(table.counters(link).packets, 3U);
  EXPECT_EQ(table.held(), 3U);
}

TEST(RecordTable, TellsKeysApartByAnyOfTheirOctetsAndByKind) {
  RecordTable table(4, 60);
  const uint32_t ipv4 = table.open(ipv4_key(7), counters_of(1));
  const uint32_t ipv6 = table.open(ipv6_key(7), counters_of(2));
  EXPECT_TRUE(table.has_key(ipv4, ipv4_key(7)));
  EXPECT_FALSE(table.has_key(ipv4, ipv4_key(8)));
  EXPECT_TRUE(table.has_key(ipv6, ipv6_key(7)));
  EXPECT_FALSE(table.has_key(ipv6, ipv6_key(8)));
  EXPECT_FALSE(table.has_key(ipv4, ipv6_key(7)));
  EXPECT_FALSE(table.has_key(ipv6, ipv4_key(7)));
}

TEST(RecordTable, TellsAnIpv6KeyApartFromTheIpv4KeyThatItEndsLike) {
  const Ipv4Key ipv4 = ipv4_key(7);
  Ipv6Key ipv6{.tail = ipv4.tail};
  std::ranges::copy(ipv4.source, ipv6.destination.begin() + 8);
  std::ranges::copy(ipv4.destination, ipv6.destination.begin() + 12);
  RecordTable table(2, 60);
  EXPECT_FALSE(table.has_key(table.open(ipv6, counters_of(1)), ipv4));
  EXPECT_FALSE(table.has_key(table.open(ipv4, counters_of(1)), ipv6));
}

TEST(RecordTable, TellsALinkKeyApartFromTheIpv4KeyOfTheSameOctets) {
  const LinkKey link = link_key(7);
  const auto ipv4 = std::bit_cast<Ipv4Key>(link);
  RecordTable table(2, 60);
  EXPECT_FALSE(table.has_key(table.open(link, counters_of(1)), ipv4));
  EXPECT_FALSE(table.has_key(table.open(ipv4, counters_of(1)), link));
}

TEST(RecordTable, ARecordUsedAgainIsOfItsNewKind) {
  RecordTable table(1, 60);
  table.close(table.open(ipv6_key(1), counters_of(1)));
  const uint32_t record = table.open(ipv4_key(2), counters_of(1));
  EXPECT_EQ(table.kind(record), FlowKind::Ipv4);
  EXPECT_EQ(table.key<Ipv4Key>(record), ipv4_key(2));
}

TEST(RecordTable, UsesTheMemoryOfClosedRecordsFirst) {
  RecordTable table(100, 60);
  const uint32_t record = table.open(ipv4_key(1), counters_of(1));
  table.close(record);
  EXPECT_EQ(table.open(ipv4_key(2), counters_of(1)), record);
}

TEST(RecordTable, HoldsWhatAMapHoldsInTheOrderOfOpening) {
  constexpr uint32_t kCapacity = 30;
  Dice dice(1);
  RecordTable table(kCapacity, 60);
  std::map<uint32_t, uint16_t> numbers;  // record to the number in its key
  std::list<uint32_t> order;
  for (int i = 0; i < 20'000; ++i) {
    if (order.size() == kCapacity || (!order.empty() && dice.one_in(2))) {
      const auto at = std::next(order.begin(), static_cast<ptrdiff_t>(dice.below(order.size())));
      table.close(*at);
      numbers.erase(*at);
      order.erase(at);
    } else {
      const auto number = static_cast<uint16_t>(dice.below(UINT16_MAX));
      const uint32_t record = number % 2 == 0 ? table.open(ipv4_key(number), counters_of(number))
                                              : table.open(ipv6_key(number), counters_of(number));
      ASSERT_TRUE(numbers.emplace(record, number).second);
      order.push_back(record);
    }
    ASSERT_EQ(table.held(), order.size());
    uint32_t at = table.oldest();
    for (const uint32_t record : order) {
      ASSERT_EQ(at, record);
      const uint16_t number = numbers.at(record);
      ASSERT_EQ(table.counters(record).packets, number);
      ASSERT_TRUE(number % 2 == 0 ? table.has_key(record, ipv4_key(number))
                                  : table.has_key(record, ipv6_key(number)));
      at = table.next(at);
    }
    ASSERT_EQ(at, RecordTable::kNone);
  }
}

}  // namespace
}  // namespace clerk
