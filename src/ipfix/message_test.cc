#include "ipfix/message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "ipfix/ipfix_test_support.h"

namespace clerk::ipfix {
namespace {

using Octets = std::vector<uint8_t>;

constexpr MessageHeader kHeader{
    .export_second = 0x01020304, .sequence = 0x05060708, .observation_domain = 0x090a0b0c};

Octets finish(DataRun& run) {
  const auto octets = run.finish(kHeader).octets;
  return {octets.begin(), octets.end()};
}

// The messages of a finished run, behind the templates, as the reader finds them.
std::vector<IpfixMessage> decode(DataRun& data, TimeUnit unit, const MessageHeader& header) {
  IpfixReader reader;
  TemplateMessage templates(unit, kFlowKinds);
  EXPECT_TRUE(reader.read(templates.finish(header).octets));
  const MessageRun run = data.finish(header);
  std::vector<IpfixMessage> messages;
  for (size_t i = 0; i < run.messages(); ++i) {
    auto message = reader.read(run.behind(i).first(1).octets);
    EXPECT_TRUE(message) << message.error().message;
    if (message) messages.push_back(*std::move(message));
  }
  return messages;
}

void fill(DataRun& run, FlowKind kind) {
  RandomRecords random;
  while (!run.is_full())
    run.add(random.next(kind));
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

TEST(DataRun, OfOneIpv4RecordIsThisOctetForOctet) {
  DataRun run(FlowKind::Ipv4, TimeUnit::Milliseconds);
  run.add(counting_record(IpVersion::V4));
  EXPECT_EQ(finish(run), expected_message({0x00, 0x0a, 0x00, 80, 1,  2,  3,    4,    5,    6,
                                           7,    8,    9,    10, 11, 12, 0x01, 0x00, 0x00, 64},
                                          {0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xb1, 0xb2, 0xb3}));
}

TEST(DataRun, OfOneIpv6RecordIsThisOctetForOctet) {
  DataRun run(FlowKind::Ipv6, TimeUnit::Milliseconds);
  run.add(counting_record(IpVersion::V6));
  Octets addresses;
  for (const int first : {0xa0, 0xb0}) {
    for (int i = 0; i < 16; ++i)
      addresses.push_back(static_cast<uint8_t>(first + i));
  }
  EXPECT_EQ(finish(run), expected_message({0x00, 0x0a, 0x00, 104, 1,  2,  3,    4,    5,    6,
                                           7,    8,    9,    10,  11, 12, 0x01, 0x01, 0x00, 88},
                                          addresses));
}

TEST(DataRun, OfOneRecordWithoutIpIsThisOctetForOctet) {
  DataRun run(FlowKind::Link, TimeUnit::Milliseconds);
  run.add({.source_mac = {{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5}},
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
  EXPECT_EQ(finish(run), wanted);
}

TEST(DataRun, MessagesAreFilledInTheirTurn) {
  struct Full {
    FlowKind kind;
    uint32_t message_records;
    size_t message_octets;
  };
  for (const auto& [kind, message_records, message_octets] :
       {Full{FlowKind::Ipv4, 23, 1400}, Full{FlowKind::Ipv6, 16, 1364},
        Full{FlowKind::Link, 28, 1392}}) {
    RandomRecords random;
    DataRun run(kind, TimeUnit::Nanoseconds);
    for (uint32_t i = 0; i < message_records + 1; ++i)
      run.add(random.next(kind));
    const MessageRun finished = run.finish(kHeader);
    EXPECT_EQ(finished.messages(), 2U);
    EXPECT_EQ(finished.records, message_records + 1);
    EXPECT_EQ(finished.message_records, message_records);
    EXPECT_EQ(finished.message_octets, message_octets);
    EXPECT_EQ(finished.octets.size(), message_octets + 20 + record_octets(kind));
  }
}

TEST(DataRun, HoldsWhatTheKernelTakesAtOnce) {
  for (const size_t octets_max : {size_t{1400}, size_t{1000}, size_t{300}, size_t{104}}) {
    for (const FlowKind kind : kFlowKinds) {
      DataRun run(kind, TimeUnit::Nanoseconds);
      run.set_message_octets(octets_max);
      fill(run, kind);
      const MessageRun finished = run.finish(kHeader);
      EXPECT_LE(finished.message_octets, octets_max);
      EXPECT_GT(finished.message_octets + record_octets(kind), octets_max);
      EXPECT_LE(finished.messages(), 64U);
      EXPECT_LE(finished.octets.size(), 65507U);
      EXPECT_EQ(finished.octets.size(), finished.messages() * finished.message_octets);
      EXPECT_EQ(finished.records, finished.messages() * finished.message_records);
      EXPECT_GE(finished.messages(), 46U);
    }
  }
}

TEST(DataRun, NumbersEachMessageByTheRecordsBeforeIt) {
  DataRun run(FlowKind::Ipv6, TimeUnit::Nanoseconds);
  fill(run, FlowKind::Ipv6);
  uint32_t sequence = UINT32_MAX - 20;  // wraps in the second message
  for (const IpfixMessage& message : decode(run, TimeUnit::Nanoseconds, {5, sequence, 1})) {
    EXPECT_EQ(message.sequence, sequence);
    EXPECT_EQ(message.export_second, 5U);
    EXPECT_EQ(message.records.size(), 16U);
    sequence += 16;
  }
}

TEST(DataRun, IsEmptyOnceItIsFinished) {
  DataRun run(FlowKind::Ipv4, TimeUnit::Nanoseconds);
  run.add(counting_record(IpVersion::V4));
  const Octets first = finish(run);
  EXPECT_EQ(run.records(), 0U);
  run.add(counting_record(IpVersion::V4));
  EXPECT_EQ(finish(run), first);
}

TEST(MessageRun, IsCutBetweenMessages) {
  DataRun data(FlowKind::Ipv4, TimeUnit::Nanoseconds);
  for (int i = 0; i < 50; ++i)
    data.add(counting_record(IpVersion::V4));
  const MessageRun run = data.finish(kHeader);  // 23, 23 and 4 records
  ASSERT_EQ(run.messages(), 3U);
  for (const auto& [count, records] : {std::pair{0U, 0U}, std::pair{1U, 23U}, std::pair{2U, 46U},
                                       std::pair{3U, 50U}, std::pair{64U, 50U}}) {
    EXPECT_EQ(run.first(count).messages(), std::min(count, 3U));
    EXPECT_EQ(run.first(count).records, records);
    EXPECT_EQ(run.behind(count).messages(), 3 - std::min(count, 3U));
    EXPECT_EQ(run.behind(count).records, 50 - records);
    EXPECT_EQ(run.first(count).octets.size() + run.behind(count).octets.size(), run.octets.size());
  }
  EXPECT_EQ(run.behind(1).first(1).octets.data(), run.octets.data() + 1400);
}

TEST(DataRun, IsDecodedToWhatItWasMadeOf) {
  RandomRecords random;
  for (const TimeUnit unit :
       {TimeUnit::Nanoseconds, TimeUnit::Microseconds, TimeUnit::Milliseconds}) {
    for (const FlowKind kind : kFlowKinds) {
      std::vector<FlowRecord> records;
      DataRun run(kind, unit);
      while (!run.is_full()) {
        records.push_back(random.next(kind));
        run.add(records.back());
      }
      auto wanted = records.begin();
      for (const IpfixMessage& message : decode(run, unit, kHeader)) {
        for (const IpfixRecord& record : message.records)
          expect_decoded(record, *wanted++, unit);
        ASSERT_FALSE(HasFailure());
      }
      EXPECT_EQ(wanted, records.end());
    }
  }
}

}  // namespace
}  // namespace clerk::ipfix
