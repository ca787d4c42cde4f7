#include "clerk/flow_words.h"

#include <gtest/gtest.h>

namespace clerk {
namespace {

TEST(FlowWords, ProtocolsHaveOneNameThatIsWritten) {
  EXPECT_EQ(protocol_name(6), "TCP");
  EXPECT_EQ(protocol_name(58), "ICMPv6");
  EXPECT_EQ(protocol_name(200), "protocol 200");
}

TEST(FlowWords, ProtocolsAreFoundByNameHoweverItIsWritten) {
  EXPECT_EQ(find_protocol("tcp"), 6);
  EXPECT_EQ(find_protocol("UDP"), 17);
  for (const char* name : {"icmp6", "icmpv6", "ICMPv6", "ipv6-icmp"})
    EXPECT_EQ(find_protocol(name), 58) << name;
  for (const char* name : {"udplite", "udp-lite", "UDP-Lite"})
    EXPECT_EQ(find_protocol(name), 136) << name;
  EXPECT_EQ(find_protocol("icmp"), 1);
  EXPECT_EQ(find_protocol("sctp"), 132);
  EXPECT_EQ(find_protocol("dccp"), 33);
  EXPECT_EQ(find_protocol("gre"), 47);
  EXPECT_EQ(find_protocol("esp"), 50);
}

TEST(FlowWords, ProtocolsAreFoundByNumber) {
  EXPECT_EQ(find_protocol("0"), 0);
  EXPECT_EQ(find_protocol("255"), 255);
  for (const char* text : {"256", "-1", "6x", "", "protocol 200", "nothing"})
    EXPECT_EQ(find_protocol(text), std::nullopt) << text;
}

TEST(FlowWords, EveryNameThatIsWrittenIsFound) {
  for (unsigned number = 0; number < 256; ++number) {
    const auto protocol = static_cast<uint8_t>(number);
    const std::string name = protocol_name(protocol);
    const bool has_name = !name.starts_with("protocol ");
    EXPECT_EQ(find_protocol(name), has_name ? std::optional(protocol) : std::nullopt) << name;
  }
}

TEST(FlowWords, EndpointsHaveBracketsWhereAPortCouldBeMistaken) {
  const IpAddress v4{.octets = {10, 0, 0, 1}};
  const IpAddress v6{.version = IpVersion::V6, .octets = {0x20, 0x01, 0x0d, 0xb8}};
  EXPECT_EQ(endpoint(v4, 80), "10.0.0.1:80");
  EXPECT_EQ(endpoint(v4, 0), "10.0.0.1");
  EXPECT_EQ(endpoint(v6, 80), "[2001:db8::]:80");
  EXPECT_EQ(endpoint(v6, 0), "2001:db8::");
}

TEST(FlowWords, EveryEndReasonHasAName) {
  EXPECT_EQ(name_of(EndReason::IdleTimeout), "idle timeout");
  EXPECT_EQ(name_of(EndReason::ActiveTimeout), "active timeout");
  EXPECT_EQ(name_of(EndReason::EndDetected), "end detected");
  EXPECT_EQ(name_of(EndReason::ForcedEnd), "forced end");
  EXPECT_EQ(name_of(EndReason::LackOfResources), "lack of resources");
}

}  // namespace
}  // namespace clerk
