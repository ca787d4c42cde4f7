#include "testimonyd/client_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace clerk {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Event = ClientProtocol::Event;
using Octets = std::vector<uint8_t>;

Octets index_wanted(uint32_t index) {
  Octets octets;
  testimony::put_number(testimony::Type::FanoutIndex, index, octets);
  return octets;
}

Octets operator+(Octets a, const Octets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Octets block(uint32_t index) {
  Octets octets;
  testimony::put_block(index, octets);
  return octets;
}

Octets tlv(uint16_t type, size_t length) {
  Octets octets;
  testimony::put_tlv(static_cast<testimony::Type>(type), Octets(length, 0xee), octets);
  return octets;
}

// "join 3", "return 5", ...
std::vector<std::string> all_events(ClientProtocol& protocol) {
  std::vector<std::string> events;
  for (;;) {
    switch (protocol.next()) {
      case Event::Nothing: return events;
      case Event::Join: events.push_back("join " + std::to_string(protocol.value())); break;
      case Event::Return: events.push_back("return " + std::to_string(protocol.value())); break;
      case Event::Broken: events.emplace_back("broken"); return events;
    }
  }
}

std::vector<std::string> events_of(const Octets& octets) {
  ClientProtocol protocol;
  protocol.feed(octets);
  return all_events(protocol);
}

TEST(ClientProtocol, FirstComesTheIndex) {
  EXPECT_THAT(events_of(index_wanted(3)), ElementsAre("join 3"));
  EXPECT_THAT(events_of(index_wanted(UINT32_MAX)), ElementsAre("join 4294967295"));
  EXPECT_THAT(events_of({}), IsEmpty());
}

TEST(ClientProtocol, ThenBlocksComeBack) {
  EXPECT_THAT(events_of(index_wanted(0) + block(5) + block(0) + block(0x7fffffff)),
              ElementsAre("join 0", "return 5", "return 0", "return 2147483647"));
}

TEST(ClientProtocol, TlvsBehindTheIndexAreSkipped) {
  EXPECT_THAT(events_of(index_wanted(0) + tlv(0xc0ff, 0) + tlv(0x8003, 4) + tlv(0xffff, 65535) +
                        block(1) + index_wanted(0)),
              ElementsAre("join 0", "return 1"));
}

TEST(ClientProtocol, AnythingElseThanTheIndexBreaksItAtOnce) {
  for (const Octets& first :
       {block(0), tlv(0xc0ff, 4), tlv(0x8003, 4), tlv(0xc007, 3), tlv(0xc007, 5), tlv(0xffff, 9),
        Octets{0x00}, Octets{0xc1}, Octets{0xc0, 0x08}, Octets{0xc0, 0x07, 0x00, 0x05}}) {
    EXPECT_THAT(events_of(first), ElementsAre("broken")) << ::testing::PrintToString(first);
  }
}

TEST(ClientProtocol, BrokenIsFinal) {
  ClientProtocol protocol;
  protocol.feed(Octets{0x47});
  EXPECT_EQ(protocol.next(), Event::Broken);
  protocol.feed(index_wanted(0));
  EXPECT_EQ(protocol.next(), Event::Broken);
  EXPECT_FALSE(protocol.why_broken().empty());
}

TEST(ClientProtocol, EverySplitMeansTheSame) {
  const Octets whole = index_wanted(1) + block(2) + tlv(0xc0ff, 6) + block(3);
  for (size_t first = 0; first <= whole.size(); ++first) {
    for (size_t second = first; second <= whole.size(); ++second) {
      ClientProtocol protocol;
      std::vector<std::string> events;
      const std::span octets(whole);
      for (const auto part :
           {octets.first(first), octets.subspan(first, second - first), octets.subspan(second)}) {
        protocol.feed(part);
        for (const std::string& event : all_events(protocol))
          events.push_back(event);
      }
      EXPECT_THAT(events, ElementsAre("join 1", "return 2", "return 3")) << first << ' ' << second;
    }
  }
}

TEST(ClientProtocol, KnowsWhatIsOwed) {
  ClientProtocol protocol;
  EXPECT_TRUE(protocol.is_within_message()) << "the index";
  EXPECT_FALSE(protocol.is_within_word());
  protocol.feed(index_wanted(0));
  EXPECT_THAT(all_events(protocol), ElementsAre("join 0"));
  EXPECT_FALSE(protocol.is_within_message());
  protocol.feed(Octets{0, 0});
  EXPECT_THAT(all_events(protocol), IsEmpty());
  EXPECT_TRUE(protocol.is_within_word());
  protocol.feed(Octets{0, 7, 0xc0, 0xff, 0, 2, 1});
  EXPECT_THAT(all_events(protocol), ElementsAre("return 7"));
  EXPECT_FALSE(protocol.is_within_word());
  EXPECT_TRUE(protocol.is_within_message()) << "an octet of the value";
  protocol.feed(Octets{1});
  EXPECT_THAT(all_events(protocol), IsEmpty());
  EXPECT_FALSE(protocol.is_within_message());
}

}  // namespace
}  // namespace clerk
