#include "ipfix/message.h"

#include <gtest/gtest.h>

#include <vector>

#include "ipfix/ipfix_test_support.h"

namespace clerk::ipfix {
namespace {

using Octets = std::vector<uint8_t>;

constexpr MessageHeader kHeader{
    .export_second = 0x01020304, .sequence = 0x05060708, .observation_domain = 0x090a0b0c};

Octets finish(DataMessage& message) {
  const auto octets = message.finish(kHeader);
  return {octets.begin(), octets.end()};
}

FlowRecord counting_record(IpVersion version) {
  FlowRecord record{.octets = 0x0102030405060708,
                    .packets = 0x1112131415161718,
                    .first_ns = kNanosecondsPerSecond,
                    .last_ns = 2 * kNanosecondsPerSecond,
                    .source_as = 0x21222324,
                    .destination_as = 0x31323334,
                    .source_port = 0x4142,
                    .destination_port = 0x5152,
                    .icmp_type_code = 0x6162,
                    .vlan_id = 0x0fff,
                    .protocol = 0x71,
                    .tos = 0x81,
                    .tcp_flags = 0x91,
                    .end_reason = EndReason::LackOfResources};
  record.source.version = record.destination.version = version;
  for (size_t i = 0; i < (version == IpVersion::V4 ? 4U : 16U); ++i) {
    record.source.octets[i] = static_cast<uint8_t>(0xa0 + i);
    record.destination.octets[i] = static_cast<uint8_t>(0xb0 + i);
  }
  return record;
}

// Header, one Data Set and one record of milliseconds, octet by octet.
Octets expected_message(const Octets& head, const Octets& addresses) {
  const Octets rest{0x41, 0x42, 0x51, 0x52, 0x71, 0x91, 0x61, 0x62,  //
                    0x21, 0x22, 0x23, 0x24, 0x31, 0x32, 0x33, 0x34,  //
                    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,  //
                    0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,  //
                    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xe8,  //
                    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0xd0, 0x81, 0x05, 0x0f, 0xff};
  Octets all = head;
  all.insert(all.end(), addresses.begin(), addresses.end());
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

TEST(DataMessage, OfOneIpv4RecordIsThisOctetForOctet) {
  DataMessage message(FlowKind::Ipv4, TimeUnit::Milliseconds);
  message.add(counting_record(IpVersion::V4));
  EXPECT_EQ(finish(message), expected_message({0x00, 0x0a, 0x00, 80, 1,  2,  3,    4,    5,    6,
                                               7,    8,    9,    10, 11, 12, 0x01, 0x00, 0x00, 64},
                                              {0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xb1, 0xb2, 0xb3}));
}

TEST(DataMessage, OfOneIpv6RecordIsThisOctetForOctet) {
  DataMessage message(FlowKind::Ipv6, TimeUnit::Milliseconds);
  message.add(counting_record(IpVersion::V6));
  Octets addresses;
  for (const int first : {0xa0, 0xb0}) {
    for (int i = 0; i < 16; ++i)
      addresses.push_back(static_cast<uint8_t>(first + i));
  }
  EXPECT_EQ(finish(message), expected_message({0x00, 0x0a, 0x00, 104, 1,  2,  3,    4,    5,    6,
                                               7,    8,    9,    10,  11, 12, 0x01, 0x01, 0x00, 88},
                                              addresses));
}

TEST(DataMessage, OfOneRecordWithoutIpIsThisOctetForOctet) {
  DataMessage message(FlowKind::Link, TimeUnit::Milliseconds);
  message.add({.source_mac = {{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5}},
               .destination_mac = {{0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5}},
               .octets = 0x0102030405060708,
               .packets = 0x1112131415161718,
               .first_ns = kNanosecondsPerSecond,
               .last_ns = 2 * kNanosecondsPerSecond,
               .vlan_id = 0x0fff,
               .ether_type = 0x88cc,
               .end_reason = EndReason::LackOfResources,
               .without_ip = true});
  const Octets wanted{0x00, 0x0a, 0x00, 69,   1,    2,    3,    4,     //
                      5,    6,    7,    8,    9,    10,   11,   12,    //
                      0x01, 0x02, 0x00, 53,                            //
                      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,              //
                      0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0x88, 0xcc,  //
                      0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,  //
                      0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,  //
                      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xe8,  //
                      0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07, 0xd0,  //
                      0x05, 0x0f, 0xff};
  EXPECT_EQ(finish(message), wanted);
}

TEST(DataMessage, TwentyThreeIpv4RecordsFillIt) {
  DataMessage message(FlowKind::Ipv4, TimeUnit::Nanoseconds);
  while (!message.is_full(kMessageOctetsMax))
    message.add(counting_record(IpVersion::V4));
  EXPECT_EQ(message.records(), 23U);
  EXPECT_EQ(finish(message).size(), 1400U);
}

TEST(DataMessage, SixteenIpv6RecordsFillIt) {
  DataMessage message(FlowKind::Ipv6, TimeUnit::Nanoseconds);
  while (!message.is_full(kMessageOctetsMax))
    message.add(counting_record(IpVersion::V6));
  EXPECT_EQ(message.records(), 16U);
  EXPECT_EQ(finish(message).size(), 1364U);
}

TEST(DataMessage, TwentyEightRecordsWithoutIpFillIt) {
  DataMessage message(FlowKind::Link, TimeUnit::Nanoseconds);
  RandomRecords random;
  while (!message.is_full(kMessageOctetsMax))
    message.add(random.next(FlowKind::Link));
  EXPECT_EQ(message.records(), 28U);
  EXPECT_EQ(finish(message).size(), 1392U);
}

TEST(DataMessage, IsEmptyOnceItIsFinished) {
  DataMessage message(FlowKind::Ipv4, TimeUnit::Nanoseconds);
  message.add(counting_record(IpVersion::V4));
  const Octets first = finish(message);
  EXPECT_EQ(message.records(), 0U);
  message.add(counting_record(IpVersion::V4));
  EXPECT_EQ(finish(message), first);
}

TEST(DataMessage, IsDecodedToWhatItWasMadeOf) {
  RandomRecords random;
  for (const TimeUnit unit :
       {TimeUnit::Nanoseconds, TimeUnit::Microseconds, TimeUnit::Milliseconds}) {
    for (const FlowKind kind : kFlowKinds) {
      IpfixReader reader;
      TemplateMessage templates(unit, kFlowKinds);
      ASSERT_EQ(reader.read(templates.finish({0, 0, 1}))->templates, 3U);
      for (uint32_t i = 0; i < 500; ++i) {
        DataMessage message(kind, unit);
        const FlowRecord record = random.next(kind);
        message.add(record);
        const auto decoded = reader.read(message.finish({5, i, 1}));
        ASSERT_TRUE(decoded) << decoded.error().message;
        ASSERT_EQ(decoded->records.size(), 1U);
        expect_decoded(decoded->records[0], record, unit);
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

}  // namespace
}  // namespace clerk::ipfix
