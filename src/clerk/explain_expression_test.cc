#include "clerk/explain_expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace clerk {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

ExplainExpression parse(std::string_view text) {
  const auto parsed = parse_explain_expression(text);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().message;
  return parsed.value_or(ExplainExpression{});
}

// The part of the error that tells one mistake from another.
std::string error_of(std::string_view text) {
  const auto parsed = parse_explain_expression(text);
  if (parsed) return "no error";
  EXPECT_THAT(parsed.error().message, StartsWith("--explain '"));
  EXPECT_THAT(parsed.error().message,
              EndsWith("; write for example '10.0.0.1:1234>10.0.0.2:80/tcp' or "
                       "'[2001:db8::1]:53>*/udp'"));
  return parsed.error().message;
}

IpAddress v4(uint8_t last) { return {.octets = {10, 0, 0, last}}; }
IpAddress v6(uint8_t last) {
  return {.version = IpVersion::V6,
          .octets = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last}};
}

TEST(ExplainExpression, NamesAWholeFlow) {
  const ExplainExpression whole{.source = {v4(1), 1234}, .destination = {v4(2), 80}, .protocol = 6};
  EXPECT_EQ(parse("10.0.0.1:1234>10.0.0.2:80/tcp"), whole);
  EXPECT_EQ(parse("10.0.0.1:1234>10.0.0.2:80/6"), whole);
  EXPECT_EQ(parse(" 10.0.0.1 : 1234 > 10.0.0.2:80 / TCP "), whole);
}

TEST(ExplainExpression, HasBracketsAroundAnIpv6AddressWithAPort) {
  EXPECT_EQ(parse("[2001:db8::1]:53>2001:db8::2/udp"),
            (ExplainExpression{.source = {v6(1), 53}, .destination = {v6(2), {}}, .protocol = 17}));
  EXPECT_EQ(parse("[2001:db8::1]>[2001:db8::2]:*").source, (ExplainExpression::Side{v6(1), {}}));
}

TEST(ExplainExpression, TakesAnyWhereAStarStandsOrNothing) {
  const ExplainExpression any;
  for (const char* text : {"*>*", ">", "*:*>*:*/*", ":>:/", "[]:>[*]"})
    EXPECT_EQ(parse(text), any) << text;
  EXPECT_EQ(parse("*>*/icmp"), (ExplainExpression{.protocol = 1}));
  EXPECT_EQ(parse("10.0.0.1>"), (ExplainExpression{.source = {v4(1), {}}}));
  EXPECT_EQ(parse("*:*>10.0.0.2:80/6"),
            (ExplainExpression{.destination = {v4(2), 80}, .protocol = 6}));
  EXPECT_EQ(parse(":53>"), (ExplainExpression{.source = {{}, 53}}));
}

TEST(ExplainExpression, AnErrorNamesThePartThatIsWrong) {
  EXPECT_THAT(error_of(""), HasSubstr("there is no > between source and destination"));
  EXPECT_THAT(error_of("10.0.0.1:1"), HasSubstr("there is no >"));
  EXPECT_THAT(error_of("10.0.0.1>10.0.0.2>*"), HasSubstr("there is more than one >"));
  EXPECT_THAT(error_of("10.0.0>*"), HasSubstr("source: '10.0.0' is no IPv4 or IPv6 address"));
  EXPECT_THAT(error_of("*>example.org:80"),
              HasSubstr("destination: 'example.org' is no IPv4 or IPv6 address"));
  EXPECT_THAT(error_of("10.0.0.0/8>*"), HasSubstr("source: '10.0.0.0/8' is no IPv4"));
  EXPECT_THAT(error_of("*>2001:db8::g"), HasSubstr("destination: '2001:db8::g' is no IPv4"));
  EXPECT_THAT(error_of("[2001:db8::1>*"), HasSubstr("source: '[2001:db8::1' has no closing"));
  EXPECT_THAT(error_of("*>[2001:db8::1]53"),
              HasSubstr("destination: behind the bracket of '[2001:db8::1]53' may stand a colon"));
  EXPECT_THAT(error_of("[10.0.0.1]:5>*"),
              HasSubstr("source: brackets are for IPv6 addresses, '10.0.0.1' is none"));
  EXPECT_THAT(error_of("10.0.0.1:http>*"), HasSubstr("source: 'http' is no port"));
  EXPECT_THAT(error_of("*>10.0.0.1:65536"), HasSubstr("destination: '65536' is no port"));
  EXPECT_THAT(error_of("*:-1>*"), HasSubstr("source: '-1' is no port"));
  EXPECT_THAT(error_of("*>*/http"), HasSubstr("protocol: 'http' is no name that is known here"));
  EXPECT_THAT(error_of("*>*/256"), HasSubstr("protocol: '256'"));
}

TEST(ExplainExpression, WhatNoPacketCouldMatchIsRefused) {
  EXPECT_THAT(error_of("10.0.0.1>2001:db8::1"),
              HasSubstr("source and destination are not of one IP version"));
  EXPECT_THAT(error_of("10.0.0.1:8>*/icmp"), HasSubstr("ICMP has no ports; leave them out"));
  EXPECT_THAT(error_of("*>*:80/esp"), HasSubstr("ESP has no ports"));
  EXPECT_EQ(parse("*:0>*:0/esp").protocol, 50);
  for (const char* protocol : {"tcp", "udp", "udplite", "sctp", "dccp"})
    EXPECT_EQ(parse(fmt::format("*:1>*:2/{}", protocol)).source.port, 1) << protocol;
}

TEST(ExplainExpression, AControlCharacterIsWrittenSoThatItDoesNothing) {
  EXPECT_THAT(error_of("\x1b[2J>*"), HasSubstr("'\\x1b[2J' is no IPv4"));
}

TEST(ExplainExpression, IsWrittenAsItMayBeReadAgain) {
  for (const char* text : {"*>*", "10.0.0.1:1234>10.0.0.2:80/TCP", "[2001:db8::1]:53>2001:db8::2",
                           "*:53>*/UDP", "*>*/200", "10.0.0.1>*:0/ICMPv6"}) {
    EXPECT_EQ(to_string(parse(text)), text);
  }
}

TEST(ExplainExpression, HasAnotherDirection) {
  EXPECT_EQ(parse("10.0.0.1:1234>10.0.0.2:80/tcp").reversed(),
            parse("10.0.0.2:80>10.0.0.1:1234/tcp"));
}

FlowRecord record() {
  return {.source = v4(1),
          .destination = v4(2),
          .source_port = 1234,
          .destination_port = 80,
          .protocol = 6};
}

TEST(ExplainExpression, MatchesRecordsByEveryPartThatItHas) {
  for (const char* text : {"*>*", "10.0.0.1:1234>10.0.0.2:80/tcp", "*:1234>*", "*>10.0.0.2/tcp"})
    EXPECT_TRUE(parse(text).matches(record())) << text;
  for (const char* text : {"10.0.0.2>*", "*>10.0.0.1", "*:1235>*", "*>*:1234", "*>*/udp",
                           "2001:db8::1>*", "10.0.0.2:80>10.0.0.1:1234/tcp"})
    EXPECT_FALSE(parse(text).matches(record())) << text;
}

// A packet of the record above.
class PacketMatch : public ::testing::Test {
 protected:
  [[nodiscard]] bool matches(const char* text) const { return parse(text).may_match(headers_); }

  std::array<uint8_t, 8> addresses_{10, 0, 0, 1, 10, 0, 0, 2};
  Headers headers_{.addresses = addresses_.data(),
                   .version = IpVersion::V4,
                   .protocol = 6,
                   .source_port = 1234,
                   .destination_port = 80,
                   .fragment = Fragment::Whole};
};

TEST_F(PacketMatch, AsksForAllOfAWholePacket) {
  EXPECT_TRUE(matches("10.0.0.1:1234>10.0.0.2:80/tcp"));
  EXPECT_FALSE(matches("10.0.0.1:1234>10.0.0.2:81/tcp"));
  EXPECT_FALSE(matches("*:1>*"));
  EXPECT_FALSE(matches("*>*/udp"));
  EXPECT_FALSE(matches("10.0.0.9>*"));
}

TEST_F(PacketMatch, AsksOnlyForTheAddressesOfAFragment) {
  for (const Fragment fragment : {Fragment::First, Fragment::Later}) {
    headers_.fragment = fragment;
    EXPECT_TRUE(matches("10.0.0.1:5>10.0.0.2:6/udp"));
    EXPECT_FALSE(matches("10.0.0.2>10.0.0.1"));
  }
}

TEST_F(PacketMatch, TypeAndCodeAreNoPort) {
  headers_.protocol = 1;
  headers_.source_port = 0;
  headers_.destination_port = 0x0800;
  EXPECT_TRUE(matches("*>*:0/icmp"));
  EXPECT_FALSE(matches("*>*:2048"));
}

TEST_F(PacketMatch, KnowsIpv6Addresses) {
  std::array<uint8_t, 32> addresses{};
  std::ranges::copy(v6(1).octets, addresses.begin());
  std::ranges::copy(v6(2).octets, addresses.begin() + 16);
  headers_.addresses = addresses.data();
  headers_.version = IpVersion::V6;
  EXPECT_TRUE(matches("2001:db8::1>2001:db8::2"));
  EXPECT_FALSE(matches("2001:db8::2>2001:db8::1"));
}

}  // namespace
}  // namespace clerk
