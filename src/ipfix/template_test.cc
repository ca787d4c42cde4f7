#include "ipfix/template.h"

#include <gtest/gtest.h>

#include <vector>

#include "ipfix/message.h"

namespace clerk::ipfix {
namespace {

using Octets = std::vector<uint8_t>;

// The message of both templates of IP, octet by octet, as RFC 7011 sections 3.1, 3.3 and 3.4.1 draw
// it. Only the two time elements depend on the unit.
Octets template_message(uint8_t start_element, uint8_t end_element) {
  return {
      // version 10, length 156, Export Time, sequence number, Observation Domain
      0x00, 0x0a, 0x00, 0x9c, 0x65, 0x53, 0xf1, 0x00, 0x00, 0x00, 0x00, 0x2a, 0x00, 0x00, 0x00,
      0x07,
      // set 2, length 140
      0x00, 0x02, 0x00, 0x8c,
      // template 256, 16 fields
      0x01, 0x00, 0x00, 0x10,        //
      0x00, 8, 0x00, 4,              // sourceIPv4Address
      0x00, 12, 0x00, 4,             // destinationIPv4Address
      0x00, 7, 0x00, 2,              // sourceTransportPort
      0x00, 11, 0x00, 2,             // destinationTransportPort
      0x00, 4, 0x00, 1,              // protocolIdentifier
      0x00, 6, 0x00, 1,              // tcpControlBits
      0x00, 32, 0x00, 2,             // icmpTypeCodeIPv4
      0x00, 16, 0x00, 4,             // bgpSourceAsNumber
      0x00, 17, 0x00, 4,             // bgpDestinationAsNumber
      0x00, 1, 0x00, 8,              // octetDeltaCount
      0x00, 2, 0x00, 8,              // packetDeltaCount
      0x00, start_element, 0x00, 8,  // flowStart...
      0x00, end_element, 0x00, 8,    // flowEnd...
      0x00, 5, 0x00, 1,              // ipClassOfService
      0x00, 136, 0x00, 1,            // flowEndReason
      0x00, 58, 0x00, 2,             // vlanId
      // template 257, 16 fields
      0x01, 0x01, 0x00, 0x10,        //
      0x00, 27, 0x00, 16,            // sourceIPv6Address
      0x00, 28, 0x00, 16,            // destinationIPv6Address
      0x00, 7, 0x00, 2,              //
      0x00, 11, 0x00, 2,             //
      0x00, 4, 0x00, 1,              //
      0x00, 6, 0x00, 1,              //
      0x00, 139, 0x00, 2,            // icmpTypeCodeIPv6
      0x00, 16, 0x00, 4,             //
      0x00, 17, 0x00, 4,             //
      0x00, 1, 0x00, 8,              //
      0x00, 2, 0x00, 8,              //
      0x00, start_element, 0x00, 8,  //
      0x00, end_element, 0x00, 8,    //
      0x00, 5, 0x00, 1,              //
      0x00, 136, 0x00, 1,            //
      0x00, 58, 0x00, 2,             //
  };
}

// The template of flows without IP, which comes behind them.
const Octets kLinkTemplate{
    0x01, 0x02, 0x00, 0x09,  // template 258, 9 fields
    0x00, 56,   0x00, 6,     // sourceMacAddress
    0x00, 80,   0x00, 6,     // destinationMacAddress
    0x01, 0x00, 0x00, 2,     // ethernetType
    0x01, 0x60, 0x00, 8,     // layer2OctetDeltaCount
    0x00, 2,    0x00, 8,     // packetDeltaCount
    0x00, 156,  0x00, 8,     // flowStartNanoseconds
    0x00, 157,  0x00, 8,     // flowEndNanoseconds
    0x00, 136,  0x00, 1,     // flowEndReason
    0x00, 58,   0x00, 2,     // vlanId
};

Octets written(TimeUnit unit, std::span<const FlowKind> kinds = kIpFlowKinds) {
  TemplateMessage message(unit, kinds);
  const auto octets =
      message.finish({.export_second = 0x6553f100, .sequence = 42, .observation_domain = 7}).octets;
  return {octets.begin(), octets.end()};
}

TEST(Template, MessageWithNanosecondsIsThisOctetForOctet) {
  EXPECT_EQ(written(TimeUnit::Nanoseconds), template_message(156, 157));
}

TEST(Template, MessageWithMicrosecondsIsThisOctetForOctet) {
  EXPECT_EQ(written(TimeUnit::Microseconds), template_message(154, 155));
}

TEST(Template, MessageWithMillisecondsIsThisOctetForOctet) {
  EXPECT_EQ(written(TimeUnit::Milliseconds), template_message(152, 153));
}

TEST(Template, MessageOfAllKindsHasTheTemplateOfFlowsWithoutIpBehindTheOthers) {
  Octets wanted = template_message(156, 157);
  wanted.insert(wanted.end(), kLinkTemplate.begin(), kLinkTemplate.end());
  wanted[3] = 0xc4;   // length 196
  wanted[19] = 0xb4;  // set of 180
  EXPECT_EQ(written(TimeUnit::Nanoseconds, kFlowKinds), wanted);
}

TEST(Template, OfFlowsWithoutIpNamesTheElementsAsIanaDoes) {
  std::vector<std::string_view> names;
  for (const Field& field : default_fields<FlowKind::Link>(TimeUnit::Microseconds))
    names.push_back(field.element.name);
  EXPECT_EQ(names, (std::vector<std::string_view>{
                       "sourceMacAddress", "destinationMacAddress", "ethernetType",
                       "layer2OctetDeltaCount", "packetDeltaCount", "flowStartMicroseconds",
                       "flowEndMicroseconds", "flowEndReason", "vlanId"}));
}

TEST(Template, NamesTheElementsAsIanaDoes) {
  const auto ipv4 = default_fields<FlowKind::Ipv4>(TimeUnit::Nanoseconds);
  const auto ipv6 = default_fields<FlowKind::Ipv6>(TimeUnit::Milliseconds);
  EXPECT_EQ(ipv4[0].element.name, "sourceIPv4Address");
  EXPECT_EQ(ipv6[0].element.name, "sourceIPv6Address");
  EXPECT_EQ(ipv4[6].element.name, "icmpTypeCodeIPv4");
  EXPECT_EQ(ipv6[6].element.name, "icmpTypeCodeIPv6");
  EXPECT_EQ(ipv4[11].element.name, "flowStartNanoseconds");
  EXPECT_EQ(ipv6[12].element.name, "flowEndMilliseconds");
}

}  // namespace
}  // namespace clerk::ipfix
