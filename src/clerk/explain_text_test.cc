#include "clerk/explain_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/time.h"

namespace clerk {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kTimeNs = 1'700'000'000'500'000'000;

const LayerTrace kTcpLayers{{.name = "Ethernet", .at = 0, .octets = 14, .detail = ""},
                            {.name = "VLAN", .at = 14, .octets = 4, .detail = "id 7"},
                            {.name = "IPv4", .at = 18, .octets = 20, .detail = ""},
                            {.name = "TCP", .at = 38, .octets = 20, .detail = "80 > 1234"}};

Packet packet() { return {.time_ns = kTimeNs, .captured_octets = 58, .wire_octets = 60}; }

Headers tcp_headers() {
  return {.version = IpVersion::V4,
          .protocol = 6,
          .tos = 0xb9,
          .tcp_flags = 0x12,
          .fragment = Fragment::Whole,
          .octets = 40};
}

std::string metered(const Headers& headers) {
  return describe_metered({packet(), "a.pcap", 3}, kTcpLayers, headers);
}

TEST(ExplainText, APacketIsToldByPlaceLayersAndCounts) {
  EXPECT_EQ(metered(tcp_headers()),
            "  packet 3 of a.pcap: 2023-11-14T22:13:20.500000000Z, 60 octets on the wire, 58 "
            "captured\n"
            "    at   0, 14 octets: Ethernet\n"
            "    at  14,  4 octets: VLAN, id 7\n"
            "    at  18, 20 octets: IPv4\n"
            "    at  38, 20 octets: TCP, 80 > 1234\n"
            "    counted: 40 IP octets, ToS 0xb9, TCP flags 0x12 SYN ACK\n");
}

TEST(ExplainText, OnlyTcpHasFlags) {
  Headers headers = tcp_headers();
  headers.tcp_flags_missing = true;
  EXPECT_THAT(metered(headers), HasSubstr("ToS 0xb9, TCP flags cut off\n"));
  headers = tcp_headers();
  headers.tcp_flags = 0;
  EXPECT_THAT(metered(headers), HasSubstr("ToS 0xb9, TCP flags 0x00\n"));
  headers.tcp_flags = 0xff;
  EXPECT_THAT(metered(headers), HasSubstr("0xff FIN SYN RST PSH ACK URG ECE CWR\n"));
  headers.protocol = 17;
  EXPECT_THAT(metered(headers), HasSubstr("40 IP octets, ToS 0xb9\n"));
}

TEST(ExplainText, FragmentsNameTheirDatagram) {
  Headers headers = tcp_headers();
  headers.identification = 0x1234;
  EXPECT_THAT(metered(headers), Not(HasSubstr("datagram")));
  headers.fragment = Fragment::First;
  EXPECT_THAT(metered(headers), HasSubstr("    first fragment of datagram 0x1234\n    counted"));
  EXPECT_THAT(metered(headers), HasSubstr("TCP flags"));
  headers.fragment = Fragment::Later;
  EXPECT_THAT(metered(headers),
              HasSubstr("    later fragment of datagram 0x1234, whose first one has the ports\n"));
  EXPECT_THAT(metered(headers), Not(HasSubstr("TCP flags")));
}

TEST(ExplainText, WhatIsCountedInsideATunnelIsSaidToBe) {
  Headers headers = tcp_headers();
  headers.decapsulated = true;
  EXPECT_THAT(metered(headers), HasSubstr("counted: 40 IP octets inside the tunnel, ToS"));
}

TEST(ExplainText, StdinAndUnusableTimesHaveWords) {
  Packet odd = packet();
  odd.time_ns = kTimeEnd;
  odd.wire_octets = 1;
  EXPECT_THAT(describe_ignored({odd, "-", 1}, {}, Stop::BadTime),
              HasSubstr("  packet 1 of stdin: no usable time, 1 octet on the wire, 58 captured\n"));
}

TEST(ExplainText, APacketThatIsNotMeteredSaysWhy) {
  EXPECT_EQ(describe_ignored({packet(), "a.pcap", 3}, {kTcpLayers[0]}, Stop::Malformed),
            "not metered: malformed\n"
            "  packet 3 of a.pcap: 2023-11-14T22:13:20.500000000Z, 60 octets on the wire, 58 "
            "captured\n"
            "    at   0, 14 octets: Ethernet\n"
            "    " +
                std::string(explain(Stop::Malformed)) + "\n\n");
}

FlowRecord tcp_record() {
  return {.source = {.octets = {10, 0, 0, 1}},
          .destination = {.octets = {10, 0, 0, 2}},
          .octets = 80,
          .packets = 2,
          .first_ns = kTimeNs,
          .last_ns = kTimeNs + 1,
          .source_as = 64500,
          .source_port = 1234,
          .destination_port = 80,
          .vlan_id = 7,
          .protocol = 6,
          .tos = 0xb9,
          .tcp_flags = 0x12,
          .end_reason = EndReason::EndDetected};
}

TEST(ExplainText, ARecordIsToldByKeyCountsAndItsLineOfCsv) {
  EXPECT_EQ(describe_record(tcp_record(), 17),
            "record 17: 10.0.0.1:1234 > 10.0.0.2:80 TCP, DSCP 46, VLAN 7\n"
            "  2 packets, 80 octets, 2023-11-14T22:13:20.500000000Z to "
            "2023-11-14T22:13:20.500000001Z, flowEndReason 3 (end detected)\n"
            "  CSV: 2023-11-14T22:13:20.500000000Z,2023-11-14T22:13:20.500000001Z,10.0.0.1,"
            "10.0.0.2,1234,80,6,185,0,18,7,64500,0,80,2,3\n");
}

TEST(ExplainText, ARecordOfIcmpHasTypeAndCode) {
  FlowRecord record = tcp_record();
  record.protocol = 1;
  record.source_port = record.destination_port = 0;
  record.icmp_type_code = 0x0301;
  record.packets = 1;
  EXPECT_THAT(describe_record(record, 1),
              HasSubstr("10.0.0.1 > 10.0.0.2 ICMP type 3 code 1, DSCP 46, VLAN 7\n  1 packet, "));
  record.source.version = record.destination.version = IpVersion::V6;
  EXPECT_THAT(describe_record(record, 1), HasSubstr("> a00:2:: ICMP, DSCP"));
  record.protocol = 58;
  EXPECT_THAT(describe_record(record, 1), HasSubstr("> a00:2:: ICMPv6 type 3 code 1, DSCP"));
}

TEST(ExplainText, ARecordOfARunWithFlowsWithoutIpHasTheirColumn) {
  EXPECT_EQ(describe_record(tcp_record(), 1, true), [] {
    std::string text = describe_record(tcp_record(), 1);
    text.insert(text.find_last_not_of('\n') + 1, ",");
    return text;
  }());
}

TEST(ExplainText, TheEndSaysWhatWasFound) {
  const auto expression = parse_explain_expression("10.0.0.1:5>*/udp").value();
  EXPECT_EQ(describe_totals(expression, {.packets = 5, .records = 1}, {}),
            "5 packets in 1 record match 10.0.0.1:5>*/UDP\n");
}

TEST(ExplainText, TheEndNamesTheOtherDirectionWhenNothingMatched) {
  const auto expression = parse_explain_expression("10.0.0.1:5>*/udp").value();
  EXPECT_EQ(describe_totals(expression, {}, {}),
            "No packet matches 10.0.0.1:5>*/UDP. A flow is one direction; the other one is "
            "*>10.0.0.1:5/UDP\n");
}

TEST(ExplainText, TheEndSaysWhatIsInNoRecord) {
  const auto expression = parse_explain_expression("*>*").value();
  PacketCounts counts{.received = 10, .metered = 5, .filtered = 1};
  counts.ignored[static_cast<size_t>(Stop::NonIp)] = 3;
  counts.ignored[static_cast<size_t>(Stop::Truncated)] = 2;
  EXPECT_EQ(describe_totals(expression, {.packets = 1, .records = 1, .ignored = 2}, counts),
            fmt::format("1 packet in 1 record match *>*\n"
                        "2 packets between these addresses not metered, whatever the ports: see "
                        "above\n"
                        "Of 10 packets read these are in no record:\n"
                        "  3 non_ip: {}\n"
                        "  2 truncated: {}\n"
                        "1 packet held back by --filter\n",
                        explain(Stop::NonIp), explain(Stop::Truncated)));
}

// An IP header at some offset, of which so many octets were captured.
bool is_between(const char* text, std::string_view layer, size_t at,
                const std::vector<uint8_t>& octets) {
  const Packet captured{.data = octets.data(),
                        .captured_octets = static_cast<uint32_t>(octets.size())};
  return has_addresses({{.name = "Ethernet", .at = 0, .octets = 14, .detail = ""},
                        {.name = layer, .at = at, .octets = 20, .detail = ""}},
                       captured, parse_explain_expression(text).value());
}

TEST(ExplainText, AddressesAreReadOfEveryIpHeaderThatHasThem) {
  std::vector<uint8_t> octets(34);
  octets[26] = 10;
  octets[30] = 11;
  EXPECT_TRUE(is_between("10.0.0.0:1>11.0.0.0:2/tcp", "IPv4", 14, octets));
  EXPECT_FALSE(is_between("11.0.0.0>10.0.0.0", "IPv4", 14, octets));
  EXPECT_FALSE(is_between("*>*", "ARP", 14, octets));
  octets.pop_back();
  EXPECT_FALSE(is_between("*>*", "IPv4", 14, octets));
}

TEST(ExplainText, Ipv6AddressesAreReadToo) {
  std::vector<uint8_t> octets(54);
  octets[22] = 0x20;
  octets[53] = 1;
  EXPECT_TRUE(is_between("2000::>::1", "IPv6", 14, octets));
  EXPECT_FALSE(is_between("::1>2000::", "IPv6", 14, octets));
  octets.pop_back();
  EXPECT_FALSE(is_between("2000::>*", "IPv6", 14, octets));
}

}  // namespace
}  // namespace clerk
