#include "testimony/protocol.h"

#include <gmock/gmock.h>

#include "testimony/testimony_test_support.h"

namespace testimony {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::SizeIs;

// A message as a value.
struct Seen {
  uint32_t word;
  Octets value;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> read(const std::vector<Octets>& pieces) {
  MessageReader reader;
  std::vector<Seen> seen;
  for (const Octets& piece : pieces) {
    reader.append(piece);
    while (const auto message = reader.next())
      seen.push_back({message->word, {message->value.begin(), message->value.end()}});
  }
  EXPECT_EQ(reader.octets_left(), 0U);
  return seen;
}

Octets piece_of(const Octets& octets, size_t from, size_t to) {
  return {octets.begin() + static_cast<ptrdiff_t>(from),
          octets.begin() + static_cast<ptrdiff_t>(to)};
}

TEST(Protocol, WritesWhatTheWireHas) {
  EXPECT_THAT(block(0x01020304), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(tlv(Type::WaitingForFanoutIndex), ElementsAre(0x80, 2, 0, 0));
  EXPECT_THAT(number_tlv(Type::FanoutIndex, 5), ElementsAre(0xc0, 7, 0, 4, 0, 0, 0, 5));
  EXPECT_THAT(error_tlv("no"), ElementsAre(0xff, 0xff, 0, 2, 'n', 'o'));
  EXPECT_THAT(tlv(Type::Error, Octets(kValueOctetsMax)), SizeIs(4 + kValueOctetsMax));
}

TEST(Protocol, TellsBlocksFromTlvs) {
  EXPECT_TRUE((Message{.word = 0}).is_block());
  EXPECT_TRUE((Message{.word = kBlockIndexMax}).is_block());
  EXPECT_FALSE((Message{.word = kBlockIndexMax + 1}).is_block());
  EXPECT_TRUE((Message{.word = 0x8003'0004}).is(Type::FanoutSize));
  EXPECT_FALSE((Message{.word = 0x8003'0004}).is(Type::BlockSize));
}

TEST(Protocol, ANumberHasFourOctets) {
  const Octets octets{0, 1, 0, 2, 9};
  EXPECT_EQ(number_in({.value = std::span(octets).first(4)}), 0x0001'0002U);
  EXPECT_FALSE(number_in({.value = std::span(octets).first(3)}));
  EXPECT_FALSE(number_in({.value = octets}));
  EXPECT_FALSE(number_in({}));
}

TEST(MessageReader, FindsTheSameInAnyTwoPieces) {
  const Octets stream = block(7) + tlv(0x9abc, {1, 2, 3}) + block(0) + tlv(0xffff) + block(9);
  const std::vector<Seen> whole{
      {7, {}}, {0x9abc'0003, {1, 2, 3}}, {0, {}}, {0xffff'0000, {}}, {9, {}}};
  for (size_t cut = 0; cut <= stream.size(); ++cut)
    EXPECT_EQ(read({piece_of(stream, 0, cut), piece_of(stream, cut, stream.size())}), whole) << cut;
}

TEST(MessageReader, FindsTheSameOctetByOctet) {
  const Octets stream = block(7) + tlv(0x9abc, {1, 2, 3}) + block(0);
  std::vector<Octets> octets;
  for (const uint8_t octet : stream)
    octets.push_back({octet});
  EXPECT_EQ(read(octets), read({stream}));
}

TEST(MessageReader, TakesTheLargestValue) {
  const Octets value(kValueOctetsMax, 0xa5);
  EXPECT_THAT(read({tlv(0x8fff, value) + block(3)}),
              ElementsAreArray({Seen{0x8fff'ffff, value}, Seen{3, {}}}));
}

TEST(MessageReader, HoldsBackWhatIsNotWhole) {
  MessageReader reader;
  reader.append(piece_of(tlv(0x8fff, {1, 2}), 0, 5));
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.octets_left(), 5U);
  reader.append(Octets{2});
  EXPECT_THAT(reader.next()->value, ElementsAre(1, 2));
  EXPECT_EQ(reader.octets_left(), 0U);
}

TEST(MessageReader, GivesOutOctetsThatAreNoMessage) {
  MessageReader reader;
  EXPECT_FALSE(reader.peek_octet());
  reader.append(kVersionOctet + block(3));
  EXPECT_EQ(reader.peek_octet(), kVersion);
  reader.skip_octet();
  EXPECT_EQ(reader.next()->word, 3U);
  EXPECT_FALSE(reader.peek_octet());
}

}  // namespace
}  // namespace testimony
