#include "clerk/largest_flows.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

namespace clerk {
namespace {

constexpr size_t kFlowsMax = 65536;

FlowRecord flow(size_t number, uint64_t octets) {
  FlowRecord record{.octets = octets, .packets = 1, .first_ns = 10, .last_ns = 20, .protocol = 17};
  record.source_port = static_cast<uint16_t>(number);
  record.source.octets[0] = static_cast<uint8_t>(number >> 16);
  return record;
}

class LargestFlowsTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<uint64_t> sizes(size_t count) const {
    std::vector<uint64_t> octets;
    for (const FlowRecord& record : flows_.largest(count))
      octets.push_back(record.octets);
    return octets;
  }

  KeyedHash hash_;
  LargestFlows flows_{hash_};
};

TEST_F(LargestFlowsTest, KnowNothingAtFirst) {
  EXPECT_TRUE(flows_.largest(5).empty());
  EXPECT_FALSE(flows_.period());
  EXPECT_FALSE(flows_.is_approximate());
}

TEST_F(LargestFlowsTest, AddUpTheRecordsOfAFlow) {
  flows_.add(std::array{flow(1, 100), flow(2, 150)});
  flows_.add(std::array{flow(1, 100)});
  const auto largest = flows_.largest(1);
  ASSERT_EQ(largest.size(), 1U);
  EXPECT_EQ(largest[0].source_port, 1);
  EXPECT_EQ(largest[0].octets, 200U);
  EXPECT_EQ(largest[0].packets, 2U);
}

TEST_F(LargestFlowsTest, TellFlowsApartByEveryPartOfTheKey) {
  std::vector<FlowRecord> records(9, flow(1, 100));
  records[1].source.octets[3] = 1;
  records[2].destination.octets[3] = 1;
  records[3].source_port = 2;
  records[4].destination_port = 2;
  records[5].icmp_type_code = 2;
  records[6].vlan_id = 2;
  records[7].protocol = 6;
  records[8].tos = 4;
  flows_.add(records);
  EXPECT_EQ(flows_.largest(100).size(), 9U);
}

TEST_F(LargestFlowsTest, TellFlowsWithoutIpApartByEveryPartOfTheKey) {
  std::vector<FlowRecord> records(
      5, {.source_mac = {{1}}, .destination_mac = {{2}}, .octets = 1, .without_ip = true});
  records[1].source_mac.octets[5] = 1;
  records[2].destination_mac.octets[5] = 1;
  records[3].vlan_id = 2;
  records[4].ether_type = 2;
  FlowRecord ipv4{.octets = 1};
  ipv4.source.octets[0] = 1;
  ipv4.destination.octets[0] = 2;
  records.push_back(ipv4);
  flows_.add(records);
  flows_.add(records);
  EXPECT_EQ(sizes(100), std::vector<uint64_t>(6, 2));
}

TEST_F(LargestFlowsTest, TakeEcnReasonAndTimesForNoDifference) {
  std::vector<FlowRecord> records(4, flow(1, 100));
  records[1].tos = 3;
  records[2].end_reason = EndReason::ForcedEnd;
  records[3].first_ns = 15;
  flows_.add(records);
  EXPECT_EQ(sizes(100), std::vector<uint64_t>{400});
}

TEST_F(LargestFlowsTest, AreInOrderAndNoMoreThanAskedFor) {
  flows_.add(std::array{flow(1, 1), flow(2, 3), flow(3, 2)});
  EXPECT_EQ(sizes(2), (std::vector<uint64_t>{3, 2}));
  EXPECT_EQ(sizes(0), std::vector<uint64_t>{});
  EXPECT_EQ(sizes(5), (std::vector<uint64_t>{3, 2, 1}));
}

TEST_F(LargestFlowsTest, KnowThePeriodOfAllRecords) {
  FlowRecord early = flow(1, 1);
  early.first_ns = 3;
  FlowRecord late = flow(2, 1);
  late.last_ns = 99;
  flows_.add(std::array{flow(3, 1), late, early});
  ASSERT_TRUE(flows_.period());
  EXPECT_EQ(flows_.period()->first_ns, 3U);
  EXPECT_EQ(flows_.period()->last_ns, 99U);
}

TEST_F(LargestFlowsTest, ForgetTheSmallerHalfWhenThereAreTooMany) {
  for (size_t i = 1; i <= kFlowsMax; ++i)
    flows_.add(std::array{flow(i, i)});
  EXPECT_FALSE(flows_.is_approximate());
  EXPECT_EQ(flows_.largest(2 * kFlowsMax).size(), kFlowsMax);
  flows_.add(std::array{flow(kFlowsMax + 1, kFlowsMax + 1)});
  EXPECT_TRUE(flows_.is_approximate());
  const auto left = sizes(2 * kFlowsMax);
  EXPECT_EQ(left.size(), kFlowsMax / 2);
  EXPECT_EQ(left.front(), kFlowsMax + 1);
  EXPECT_EQ(left.back(), kFlowsMax / 2 + 2);
}

TEST_F(LargestFlowsTest, ForgetHalfOfFlowsThatAreAllTheSameSize) {
  for (size_t i = 1; i <= kFlowsMax + 1; ++i)
    flows_.add(std::array{flow(i, 100)});
  EXPECT_EQ(flows_.largest(2 * kFlowsMax).size(), kFlowsMax / 2);
}

TEST_F(LargestFlowsTest, KeepALargeFlowThroughAFloodOfSmallOnes) {
  flows_.add(std::array{flow(0, 1'000'000)});
  for (size_t i = 1; i <= 3 * kFlowsMax; ++i)
    flows_.add(std::array{flow(i, 40)});
  EXPECT_EQ(sizes(1), std::vector<uint64_t>{1'000'000});
  EXPECT_TRUE(flows_.is_approximate());
  EXPECT_LE(flows_.largest(4 * kFlowsMax).size(), kFlowsMax);
}

TEST_F(LargestFlowsTest, AddUpAsAMapDoes) {
  std::mt19937_64 random(1);
  std::map<uint32_t, uint64_t> twin;
  for (int i = 0; i < 20'000; ++i) {
    const auto number = static_cast<uint32_t>(random() % 1000);
    const uint64_t octets = random() % 10'000;
    flows_.add(std::array{flow(number, octets)});
    twin[number] += octets;
  }
  const auto largest = flows_.largest(2000);
  ASSERT_EQ(largest.size(), twin.size());
  for (const FlowRecord& record : largest)
    ASSERT_EQ(record.octets, twin.at(record.source_port));
}

}  // namespace
}  // namespace clerk
