#include "clerk/counts_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace clerk {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

uint64_t& ignored(LedgerCounts& counts, Stop stop) {
  return counts.packets.ignored[static_cast<size_t>(stop)];
}

LedgerCounts some_counts() {
  LedgerCounts counts{
      .flows_created = 5, .records_exported = 6, .packets_exported = 70, .octets_exported = 8000};
  counts.packets.received = 100;
  counts.packets.metered = 70;
  counts.packets.octets_metered = 8000;
  return counts;
}

TEST(FinalCounts, AreNamesAndValuesInAFixedOrder) {
  EXPECT_EQ(format_counts(some_counts(), {}),
            "packets_received=100 packets_metered=70 packets_dropped=0 octets_metered=8000 "
            "flows_created=5 records_exported=6 packets_exported=70 octets_exported=8000 "
            "send_errors=0");
}

TEST(FinalCounts, AreAllThereWhenNothingHappened) {
  EXPECT_EQ(format_counts({}, {}),
            "packets_received=0 packets_metered=0 packets_dropped=0 octets_metered=0 "
            "flows_created=0 records_exported=0 packets_exported=0 octets_exported=0 "
            "send_errors=0");
}

TEST(FinalCounts, NameEachCauseThatWasMet) {
  LedgerCounts counts = some_counts();
  ignored(counts, Stop::NonIp) = 1;
  ignored(counts, Stop::LinkType) = 2;
  ignored(counts, Stop::Truncated) = 3;
  ignored(counts, Stop::Malformed) = 4;
  ignored(counts, Stop::DepthLimit) = 5;
  ignored(counts, Stop::BadTime) = 6;
  ignored(counts, Stop::LackOfResources) = 9;
  EXPECT_THAT(format_counts(counts, {}),
              HasSubstr(" packets_dropped=0 ignored_non_ip=1 ignored_link_type=2 "
                        "ignored_truncated=3 ignored_malformed=4 ignored_depth_limit=5 "
                        "ignored_bad_time=6 ignored_lack_of_resources=9 octets_metered="));
}

TEST(FinalCounts, NameRaritiesOnlyWhenTheyHappened) {
  LedgerCounts counts = some_counts();
  counts.packets.filtered = 2;
  counts.packets.tcp_flags_missing = 3;
  counts.packets.super_packets = 9;
  counts.fragments_orphaned = 4;
  counts.clock_jumps = 5;
  counts.clock_restarts = 6;
  EXPECT_THAT(format_counts(counts, {.records_lost = 7, .send_errors = 8}),
              HasSubstr(" send_errors=8 records_lost=7 packets_filtered=2 tcp_flags_missing=3 "
                        "super_packets=9 fragments_orphaned=4 clock_jumps=5 clock_restarts=6"));
}

TEST(FinalCounts, SayThatDropsAreNotKnownAndWhichAre) {
  LedgerCounts counts = some_counts();
  counts.packets.source.drops_unknown = 2;
  EXPECT_THAT(format_counts(counts, {}), HasSubstr(" packets_dropped=unknown octets_metered="));
  counts.packets.source.dropped = 7;
  EXPECT_THAT(format_counts(counts, {}),
              HasSubstr(" packets_dropped=unknown packets_dropped_at_least=7 octets_metered="));
}

TEST(FinalCounts, TellWhatASharedRingDidNotHandOver) {
  LedgerCounts counts = some_counts();
  counts.packets.source = {.blocks_stale = 1,
                           .blocks_torn = 2,
                           .blocks_losing = 3,
                           .blocks_missed = 4,
                           .outages = 5,
                           .outage_ms = 6};
  EXPECT_THAT(format_counts(counts, {}),
              HasSubstr(" send_errors=0 blocks_stale=1 blocks_torn=2 blocks_losing=3 "
                        "blocks_missed=4 source_outages=5 source_outage_ms=6"));
}

FlowRecord tcp_flow() {
  FlowRecord record{.octets = 1'234'567,
                    .packets = 1000,
                    .first_ns = 1'700'000'000'000'000'000,
                    .last_ns = 1'700'000'010'000'000'000,
                    .source_port = 5000,
                    .destination_port = 443,
                    .protocol = 6};
  record.source.octets = {192, 0, 2, 1};
  record.destination.octets = {192, 0, 2, 2};
  return record;
}

TEST(Summary, TellsPeriodRatesAndTheLargestFlows) {
  const KeyedHash hash;
  LargestFlows flows(hash);
  flows.add(std::array{tcp_flow()});
  LedgerCounts counts{.records_exported = 1};
  counts.packets.metered = 1000;
  counts.packets.octets_metered = 1'234'567;
  const std::string text = format_summary(counts, flows);
  EXPECT_THAT(text, HasSubstr("2023-11-14T22:13:20.000000000Z to 2023-11-14T22:13:30.000000000Z, "
                              "10.000 s\n"));
  EXPECT_THAT(text, HasSubstr("1.00 k packets and 1.23 M octets in 1 flow records: 100 packet/s, "
                              "987.65 kbit/s\n"));
  EXPECT_THAT(text, HasSubstr("TCP 192.0.2.1:5000 > 192.0.2.2:443\n"));
  EXPECT_THAT(text, Not(HasSubstr("Not in any flow")));
}

TEST(Summary, HasNoRateForASingleInstant) {
  const KeyedHash hash;
  LargestFlows flows(hash);
  FlowRecord record = tcp_flow();
  record.last_ns = record.first_ns;
  flows.add(std::array{record});
  EXPECT_THAT(format_summary({}, flows), Not(HasSubstr("bit/s")));
}

TEST(Summary, TellsWhatWasIgnoredAndWhatThatMeans) {
  const KeyedHash hash;
  LedgerCounts counts;
  ignored(counts, Stop::Truncated) = 3;
  EXPECT_THAT(format_summary(counts, LargestFlows(hash)),
              HasSubstr("3 packets  truncated (" + std::string(explain(Stop::Truncated)) + ")\n"));
}

TEST(Summary, TellsWhatSuperPacketsAreAndTheWayOut) {
  const KeyedHash hash;
  LedgerCounts counts;
  counts.packets.super_packets = 3;
  const std::string text = format_summary(counts, LargestFlows(hash));
  EXPECT_THAT(text, HasSubstr("3 packets longer than the link carries (super_packets): merged"));
  EXPECT_THAT(text, HasSubstr("gro off"));
  EXPECT_THAT(text, HasSubstr("--mtu 9000"));
}

TEST(Summary, OfNothingIsEmpty) {
  const KeyedHash hash;
  EXPECT_EQ(format_summary({}, LargestFlows(hash)), "");
}

TEST(Summary, WritesIpv6EndpointsInBracketsAndIcmpWithoutPorts) {
  const KeyedHash hash;
  LargestFlows flows(hash);
  FlowRecord udp = tcp_flow();
  udp.protocol = 17;
  udp.source = udp.destination = {.version = IpVersion::V6, .octets = {0x20, 1}};
  FlowRecord icmp = tcp_flow();
  icmp.protocol = 1;
  icmp.source_port = icmp.destination_port = 0;
  flows.add(std::array{udp, icmp});
  const std::string text = format_summary({}, flows);
  EXPECT_THAT(text, HasSubstr("UDP [2001::]:5000 > [2001::]:443\n"));
  EXPECT_THAT(text, HasSubstr("ICMP 192.0.2.1 > 192.0.2.2\n"));
}

TEST(Summary, WritesFlowsWithoutIpByEtherTypeAndMacAddresses) {
  const KeyedHash hash;
  LargestFlows flows(hash);
  const FlowRecord arp{.source_mac = {{2, 0, 0, 0, 0, 1}},
                       .destination_mac = {{2, 0, 0, 0, 0, 2}},
                       .ether_type = 0x0806,
                       .without_ip = true};
  FlowRecord lldp = arp;
  lldp.ether_type = 0x88cc;
  FlowRecord other = arp;
  other.ether_type = 0x0842;
  FlowRecord none = arp;
  none.ether_type = 0;
  flows.add(std::array{arp, lldp, other, none});
  const std::string text = format_summary({}, flows);
  for (const char* name : {"  ARP", "  LLDP", "  EtherType 0x0842", "  no EtherType"})
    EXPECT_THAT(text, HasSubstr(std::string(name) + " 02:00:00:00:00:01 > 02:00:00:00:00:02\n"));
}

}  // namespace
}  // namespace clerk
