#include "sink/record_text.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace clerk {
namespace {

FlowRecord tcp_record() {
  FlowRecord record{.octets = 18446744073709551615U,
                    .packets = 3,
                    .first_ns = 1'700'000'000'123'456'789,
                    .last_ns = 1'700'000'001'000'000'000,
                    .source_as = 64512,
                    .destination_as = 4294967295,
                    .source_port = 49152,
                    .destination_port = 443,
                    .vlan_id = 12,
                    .protocol = 6,
                    .tos = 184,
                    .tcp_flags = 27,
                    .end_reason = EndReason::EndDetected};
  record.source.octets = {192, 0, 2, 1};
  record.destination.octets = {198, 51, 100, 2};
  return record;
}

FlowRecord icmp_v6_record() {
  FlowRecord record{.octets = 104,
                    .packets = 1,
                    .first_ns = 0,
                    .last_ns = 999'999'999,
                    .icmp_type_code = 0x8000,
                    .protocol = 58,
                    .end_reason = EndReason::IdleTimeout};
  record.source = record.destination = {.version = IpVersion::V6, .octets = {0x20, 1, 0xd, 0xb8}};
  record.source.octets[15] = 1;
  return record;
}

FlowRecord arp_record() {
  return {.source_mac = {{0x02, 0, 0x0a, 0xbc, 0xde, 0xff}},
          .destination_mac = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
          .octets = 120,
          .packets = 2,
          .first_ns = 1'700'000'000'123'456'789,
          .last_ns = 1'700'000'001'000'000'000,
          .vlan_id = 7,
          .ether_type = 0x0806,
          .end_reason = EndReason::ForcedEnd,
          .without_ip = true};
}

std::string csv_with_ether_type(const FlowRecord& record) {
  fmt::memory_buffer text;
  append_csv_with_ether_type(text, record);
  return to_string(text);
}

std::string csv(const FlowRecord& record) {
  fmt::memory_buffer text;
  append_csv(text, record);
  return to_string(text);
}

template <FlowKind kKind>
std::string json(const FlowRecord& record, ipfix::TimeUnit unit) {
  fmt::memory_buffer text;
  append_json(text, record, ipfix::default_fields<kKind>(unit));
  return to_string(text);
}

TEST(RecordText, TheCsvHeaderIsFixed) {
  EXPECT_EQ(kCsvHeader,
            "flowStart,flowEnd,sourceAddress,destinationAddress,sourceTransportPort,"
            "destinationTransportPort,protocolIdentifier,ipClassOfService,icmpTypeCode,"
            "tcpControlBits,vlanId,bgpSourceAsNumber,bgpDestinationAsNumber,octetDeltaCount,"
            "packetDeltaCount,flowEndReason\n");
}

TEST(RecordText, ACsvLineHasTheColumnsOfTheHeader) {
  EXPECT_EQ(csv(tcp_record()),
            "2023-11-14T22:13:20.123456789Z,2023-11-14T22:13:21.000000000Z,192.0.2.1,198.51.100.2,"
            "49152,443,6,184,0,27,12,64512,4294967295,18446744073709551615,3,3\n");
  EXPECT_EQ(std::ranges::count(csv(tcp_record()), ','), std::ranges::count(kCsvHeader, ','));
}

TEST(RecordText, ACsvLineOfIcmpV6HasTypeAndCodeInOneNumber) {
  EXPECT_EQ(csv(icmp_v6_record()),
            "1970-01-01T00:00:00.000000000Z,1970-01-01T00:00:00.999999999Z,2001:db8::1,2001:db8::,"
            "0,0,58,0,32768,0,0,0,0,104,1,1\n");
}

TEST(RecordText, WhereThereIsNoIpOneMoreColumnStandsBehindTheOthers) {
  const std::string_view before = kCsvHeader.substr(0, kCsvHeader.size() - 1);
  EXPECT_EQ(csv_header_with_ether_type(), std::string(before) + ",ethernetType\n");
  EXPECT_EQ(csv_with_ether_type(arp_record()),
            "2023-11-14T22:13:20.123456789Z,2023-11-14T22:13:21.000000000Z,02:00:0a:bc:de:ff,"
            "ff:ff:ff:ff:ff:ff,0,0,0,0,0,0,7,0,0,120,2,4,2054\n");
  const std::string line = csv(tcp_record());
  EXPECT_EQ(csv_with_ether_type(tcp_record()), line.substr(0, line.size() - 1) + ",\n");
}

TEST(RecordText, AJsonLineHasTheNamesOfTheTemplateOfFlowsWithoutIp) {
  EXPECT_EQ(json<FlowKind::Link>(arp_record(), ipfix::TimeUnit::Nanoseconds),
            R"({"sourceMacAddress":"02:00:0a:bc:de:ff","destinationMacAddress":)"
            R"("ff:ff:ff:ff:ff:ff","ethernetType":2054,"layer2OctetDeltaCount":120,)"
            R"("packetDeltaCount":2,"flowStartNanoseconds":"2023-11-14T22:13:20.123456789Z",)"
            R"("flowEndNanoseconds":"2023-11-14T22:13:21.000000000Z","flowEndReason":4,)"
            R"("vlanId":7})"
            "\n");
}

TEST(RecordText, AJsonLineHasTheNamesOfTheIpv4Template) {
  EXPECT_EQ(json<FlowKind::Ipv4>(tcp_record(), ipfix::TimeUnit::Nanoseconds),
            R"({"sourceIPv4Address":"192.0.2.1","destinationIPv4Address":"198.51.100.2",)"
            R"("sourceTransportPort":49152,"destinationTransportPort":443,)"
            R"("protocolIdentifier":6,"tcpControlBits":27,"icmpTypeCodeIPv4":0,)"
            R"("bgpSourceAsNumber":64512,"bgpDestinationAsNumber":4294967295,)"
            R"("octetDeltaCount":18446744073709551615,"packetDeltaCount":3,)"
            R"("flowStartNanoseconds":"2023-11-14T22:13:20.123456789Z",)"
            R"("flowEndNanoseconds":"2023-11-14T22:13:21.000000000Z",)"
            R"("ipClassOfService":184,"flowEndReason":3,"vlanId":12})"
            "\n");
}

TEST(RecordText, AJsonLineHasTheNamesOfTheIpv6Template) {
  EXPECT_EQ(json<FlowKind::Ipv6>(icmp_v6_record(), ipfix::TimeUnit::Microseconds),
            R"({"sourceIPv6Address":"2001:db8::1","destinationIPv6Address":"2001:db8::",)"
            R"("sourceTransportPort":0,"destinationTransportPort":0,)"
            R"("protocolIdentifier":58,"tcpControlBits":0,"icmpTypeCodeIPv6":32768,)"
            R"("bgpSourceAsNumber":0,"bgpDestinationAsNumber":0,)"
            R"("octetDeltaCount":104,"packetDeltaCount":1,)"
            R"("flowStartMicroseconds":"1970-01-01T00:00:00.000000000Z",)"
            R"("flowEndMicroseconds":"1970-01-01T00:00:00.999999999Z",)"
            R"("ipClassOfService":0,"flowEndReason":1,"vlanId":0})"
            "\n");
}

TEST(RecordText, TheTimeUnitChangesTheJsonNamesOnly) {
  const std::string text = json<FlowKind::Ipv4>(tcp_record(), ipfix::TimeUnit::Milliseconds);
  EXPECT_NE(text.find(R"("flowStartMilliseconds":"2023-11-14T22:13:20.123456789Z")"),
            std::string::npos);
  EXPECT_NE(text.find(R"("flowEndMilliseconds":"2023-11-14T22:13:21.000000000Z")"),
            std::string::npos);
}

TEST(RecordText, LinesAreAppended) {
  fmt::memory_buffer text;
  append_csv(text, tcp_record());
  append_csv(text, icmp_v6_record());
  EXPECT_EQ(to_string(text), csv(tcp_record()) + csv(icmp_v6_record()));
}

}  // namespace
}  // namespace clerk
