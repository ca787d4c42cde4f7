#include "ipfix/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "ipfix/ipfix_test_support.h"

namespace clerk::ipfix {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A session whose messages are decoded as they leave.
class TestSession {
 public:
  explicit TestSession(const SessionOptions& options = {.repeat_templates = true})
      : session_(options, [this](const MessageRun& run) {
          for (size_t i = 0; i < run.messages(); ++i)
            receive(run.behind(i).first(1));
        }) {}

  void add(const std::vector<FlowRecord>& records, uint32_t second) {
    session_.add(records, second);
  }
  void add(uint32_t records, IpVersion version, uint32_t second) {
    for (uint32_t i = 0; i < records; ++i)
      session_.add(std::array{random_.next(version)}, second);
  }

  Session& session() { return session_; }
  [[nodiscard]] const std::vector<IpfixMessage>& messages() const { return messages_; }

  // Of each message what it holds: "T" for templates or the number of its records.
  [[nodiscard]] std::vector<std::string> contents() const {
    std::vector<std::string> texts;
    texts.reserve(messages_.size());
    for (const IpfixMessage& message : messages_)
      texts.push_back(message.templates > 0 ? "T" : std::to_string(message.records.size()));
    return texts;
  }

 private:
  void receive(const MessageRun& one) {
    auto message = reader_.read(one.octets);
    ASSERT_TRUE(message) << message.error().message;
    EXPECT_EQ(message->records.size(), one.records);
    messages_.push_back(*std::move(message));
  }

  IpfixReader reader_;
  RandomRecords random_;
  std::vector<IpfixMessage> messages_;
  Session session_;
};

TEST(Session, SendsTheTemplatesFirst) {
  TestSession session;
  session.add(1, IpVersion::V6, 1000);
  session.session().flush(1000);
  EXPECT_THAT(session.contents(), ElementsAre("T", "1"));
  EXPECT_EQ(session.messages()[0].templates, 2U);
}

TEST(Session, SendsTheTemplatesAlsoWithoutARecord) {
  TestSession session;
  session.session().flush(1000);
  EXPECT_THAT(session.contents(), ElementsAre("T"));
}

TEST(Session, SendsARunOfFullMessagesWhenNoMoreGoIntoIt) {
  TestSession session;
  session.add(46 * 23, IpVersion::V4, 1000);
  EXPECT_THAT(session.contents(), IsEmpty());
  session.add(1, IpVersion::V4, 1000);
  EXPECT_THAT(session.contents(), SizeIs(1 + 46));
  EXPECT_THAT(std::vector(session.messages().begin() + 1, session.messages().end()),
              Each(Field(&IpfixMessage::octets, 1400U)));
  session.session().flush(1000);
  EXPECT_EQ(session.contents().back(), "1");
}

TEST(Session, SendsWhatIsLeftByKindWhenTheTickIsOver) {
  TestSession session;
  session.add(17, IpVersion::V6, 1000);
  session.add(24, IpVersion::V4, 1000);
  EXPECT_THAT(session.contents(), IsEmpty());
  session.session().flush(1000);
  EXPECT_THAT(session.contents(), ElementsAre("T", "23", "1", "16", "1"));
}

TEST(Session, AnnouncesFlowsWithoutIpOnlyWhenThereAreAny) {
  TestSession session({.repeat_templates = true, .non_ip = true});
  for (const uint32_t second : {1000U, 1030U})
    session.session().flush(second);
  ASSERT_THAT(session.contents(), ElementsAre("T", "T"));
  EXPECT_EQ(session.messages()[0].templates, 3U);
  EXPECT_EQ(session.messages()[1].templates, 3U);
}

TEST(Session, SendsFlowsWithoutIpInMessagesOfTheirOwnBehindTheOthers) {
  TestSession session({.repeat_templates = true, .non_ip = true});
  RandomRecords random;
  for (int i = 0; i < 30; ++i)
    session.add({random.next(FlowKind::Link)}, 1000);
  session.add(1, IpVersion::V4, 1000);
  session.session().flush(1000);
  EXPECT_THAT(session.contents(), ElementsAre("T", "1", "28", "2"));
  EXPECT_EQ(session.messages()[2].records[0].template_id, 258);
  EXPECT_EQ(session.messages()[3].records[0].template_id, 258);
}

TEST(Session, SendsNothingTwice) {
  TestSession session;
  session.add(3, IpVersion::V4, 1000);
  session.session().flush(1000);
  session.session().flush(1000);
  session.session().flush(1001);
  EXPECT_THAT(session.contents(), ElementsAre("T", "3"));
}

TEST(Session, StampsMessagesWithTheExportClockAndTheObservationDomain) {
  TestSession session({.observation_domain = 77, .repeat_templates = true});
  session.add(1, IpVersion::V4, 1000);
  session.session().flush(1001);
  for (const IpfixMessage& message : session.messages()) {
    EXPECT_EQ(message.export_second, 1001U);
    EXPECT_EQ(message.observation_domain, 77U);
  }
}

TEST(Session, CountsOnlyDataRecordsInItsSequenceNumbers) {
  TestSession session;
  std::vector<uint32_t> sequence;
  for (const uint32_t second : {1000U, 1030U, 1060U}) {
    session.add(25, IpVersion::V4, second);
    session.session().flush(second);
  }
  for (const IpfixMessage& message : session.messages())
    sequence.push_back(message.sequence);
  EXPECT_THAT(session.contents(), ElementsAre("T", "23", "2", "T", "23", "2", "T", "23", "2"));
  EXPECT_THAT(sequence, ElementsAre(0, 0, 23, 25, 25, 48, 50, 50, 73));
}

TEST(Session, RepeatsTheTemplatesAfter30Seconds) {
  TestSession session;
  for (uint32_t second = 1000; second <= 1060; ++second)
    session.session().flush(second);
  ASSERT_THAT(session.contents(), ElementsAre("T", "T", "T"));
  EXPECT_EQ(session.messages()[1].export_second, 1030U);
  EXPECT_EQ(session.messages()[2].export_second, 1060U);
}

TEST(Session, RepeatsTheTemplatesInEvery4096Messages) {
  TestSession session;
  session.add(10'000 * 23 + 1, IpVersion::V4, 1000);
  session.session().flush(1000);
  size_t since = 0;
  for (const IpfixMessage& message : session.messages()) {
    since = message.templates > 0 ? 1 : since + 1;
    ASSERT_LE(since, 4096U);
  }
  EXPECT_EQ(std::ranges::count(session.contents(), "T"), 3);
}

TEST(Session, RepeatsTheTemplatesWhenTheClockWentBack) {
  TestSession session;
  session.session().flush(1000);
  session.session().flush(999);
  EXPECT_THAT(session.contents(), ElementsAre("T", "T"));
}

TEST(Session, RepeatsTheTemplatesWhenToldThatTheyMayBeUnknown) {
  TestSession session;
  session.session().flush(1000);
  session.session().flush(1001);
  session.session().repeat_templates();
  session.add(1, IpVersion::V4, 1002);
  session.session().flush(1002);
  session.session().flush(1003);
  EXPECT_THAT(session.contents(), ElementsAre("T", "T", "1"));
}

TEST(Session, SendsTheTemplatesOnceOverAReliableTransport) {
  TestSession session({.repeat_templates = false});
  for (const uint32_t second : {1000U, 2000U, 500U}) {
    session.add(1, IpVersion::V4, second);
    session.session().flush(second);
  }
  session.add(5000 * 23, IpVersion::V4, 3000);
  const auto contents = session.contents();
  EXPECT_EQ(std::ranges::count(contents, "T"), 1);
  EXPECT_EQ(contents[0], "T");
}

TEST(Session, KeepsMessagesBelowALowerLimit) {
  TestSession session;
  session.session().lower_message_octets(500, 1000);
  session.add(100, IpVersion::V4, 1000);
  session.add(100, IpVersion::V6, 1000);
  session.session().flush(1000);
  size_t records = 0;
  for (const IpfixMessage& message : session.messages()) {
    EXPECT_LE(message.octets, 500U);
    records += message.records.size();
  }
  EXPECT_EQ(records, 200U);
  EXPECT_EQ(session.messages()[1].records.size(), 8U);
}

TEST(Session, NeverRaisesTheLimitAgain) {
  TestSession session;
  EXPECT_EQ(session.session().message_octets_max(), 1400U);
  session.session().lower_message_octets(9000, 1000);
  EXPECT_EQ(session.session().message_octets_max(), 1400U);
  session.session().lower_message_octets(600, 1000);
  session.session().lower_message_octets(1000, 1000);
  EXPECT_EQ(session.session().message_octets_max(), 600U);
}

TEST(Session, AlwaysHasRoomForARecord) {
  TestSession session;
  session.session().lower_message_octets(0, 1000);
  EXPECT_EQ(session.session().message_octets_max(), Session::kMessageOctetsMin);
  session.add(2, IpVersion::V6, 1000);
  session.session().flush(1000);
  EXPECT_THAT(session.contents(), ElementsAre("T", "1", "1"));
}

TEST(Session, WhatWaitsLeavesBeforeTheLimitIsLowered) {
  TestSession session;
  session.add(10, IpVersion::V4, 1000);
  session.session().lower_message_octets(200, 1001);
  EXPECT_THAT(session.contents(), ElementsAre("T", "10"));
  EXPECT_EQ(session.messages().back().export_second, 1001U);
  session.add(4, IpVersion::V4, 1001);
  session.session().flush(1001);
  EXPECT_THAT(session.contents(), ElementsAre("T", "10", "3", "1"));
}

TEST(Session, TheSameLimitAgainSendsNothing) {
  TestSession session;
  session.add(10, IpVersion::V4, 1000);
  for (const size_t octets : {size_t{1400}, size_t{1500}})
    session.session().lower_message_octets(octets, 1000);
  EXPECT_THAT(session.contents(), IsEmpty());
}

TEST(Session, IsDecodedToWhatItWasGivenInTheOrderOfEachTemplate) {
  RandomRecords random;
  std::vector<FlowRecord> given;
  given.reserve(2000);
  for (size_t i = 0; i < 2000; ++i)
    given.push_back(random.next(kFlowKinds[i % kFlowKinds.size()]));
  for (const TimeUnit unit :
       {TimeUnit::Nanoseconds, TimeUnit::Microseconds, TimeUnit::Milliseconds}) {
    TestSession session({.time_unit = unit, .repeat_templates = true, .non_ip = true});
    session.add(given, 1000);
    session.session().flush(1000);
    for (const FlowKind kind : kFlowKinds) {
      std::vector<IpfixRecord> decoded;
      for (const IpfixMessage& message : session.messages()) {
        std::ranges::copy_if(message.records, std::back_inserter(decoded), [=](const auto& record) {
          return record.template_id == template_id(kind);
        });
      }
      std::vector<FlowRecord> wanted;
      std::ranges::copy_if(given, std::back_inserter(wanted),
                           [=](const auto& record) { return record.kind() == kind; });
      ASSERT_EQ(decoded.size(), wanted.size());
      for (size_t i = 0; i < decoded.size() && !HasFailure(); ++i)
        expect_decoded(decoded[i], wanted[i], unit);
    }
  }
}

}  // namespace
}  // namespace clerk::ipfix
