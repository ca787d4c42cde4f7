#include "capture/pcapng_reader.h"

#include <gtest/gtest.h>

#include "capture/capture_test_support.h"
#include "testing/capture_builder.h"

namespace clerk {
namespace {

constexpr uint64_t kStartMicroseconds = kStart / 1000;

// The time that an interface of this resolution and offset gives to a packet.
uint64_t time_of(PcapngInterface interface, uint64_t units) {
  const auto file = PcapngBuilder().interface(interface).packet({.units = units}, noise(60));
  return read_capture(file.build()).packets.at(0).packet.time_ns;
}

TEST(PcapngReader, ReadsBothByteOrders) {
  for (const ByteOrder order : {ByteOrder::Little, ByteOrder::Big}) {
    const auto file = PcapngBuilder(order)
                          .interface({.link_type = 113})
                          .packet({.units = kStartMicroseconds, .wire_octets = 1514}, noise(61))
                          .packet({.units = kStartMicroseconds + 7}, noise(62));
    const auto read = read_capture(file.build());
    EXPECT_EQ(read.end, ReadStatus::End);
    ASSERT_EQ(read.packets.size(), 2U);
    EXPECT_EQ(read.packets[0].packet.time_ns, kStart);
    EXPECT_EQ(read.packets[0].packet.captured_octets, 61U);
    EXPECT_EQ(read.packets[0].packet.wire_octets, 1514U);
    EXPECT_EQ(read.packets[0].packet.link_type, LinkType::LinuxCooked);
    EXPECT_EQ(read.packets[0].octets, noise(61));
    EXPECT_EQ(read.packets[1].packet.time_ns, kStart + 7000);
    EXPECT_EQ(read.packets[1].octets, noise(62));
  }
}

TEST(PcapngReader, EachInterfaceHasItsOwnLinkTypeAndTime) {
  const auto file = PcapngBuilder()
                        .interface()
                        .interface({.link_type = 101, .resolution = 9})
                        .packet({.interface = 1, .units = kStart + 1}, noise(60))
                        .interface({.link_type = 276, .offset_seconds = 1'000'000'000})
                        .packet({.interface = 0, .units = kStartMicroseconds}, noise(60))
                        .packet({.interface = 2, .units = 700'000'000'000'000}, noise(60));
  const auto read = read_capture(file.build());
  ASSERT_EQ(read.packets.size(), 3U);
  EXPECT_EQ(read.packets[0].packet.link_type, LinkType::Raw);
  EXPECT_EQ(read.packets[0].packet.time_ns, kStart + 1);
  EXPECT_EQ(read.packets[1].packet.link_type, LinkType::Ethernet);
  EXPECT_EQ(read.packets[1].packet.time_ns, kStart);
  EXPECT_EQ(read.packets[2].packet.link_type, LinkType::LinuxCooked2);
  EXPECT_EQ(read.packets[2].packet.time_ns, kStart);
}

TEST(PcapngReader, DecimalResolutionsGiveNanoseconds) {
  EXPECT_EQ(time_of({.resolution = 0}, 1'700'000'000), kStart);
  EXPECT_EQ(time_of({.resolution = 3}, 1'700'000'000'123), kStart + 123'000'000);
  EXPECT_EQ(time_of({.resolution = 6}, kStartMicroseconds), kStart);
  EXPECT_EQ(time_of({.resolution = 9}, kStart + 5), kStart + 5);
  EXPECT_EQ(time_of({.resolution = 10}, kStart * 10 + 59), kStart + 5);
  EXPECT_EQ(time_of({.resolution = 19}, UINT64_MAX), 1'844'674'407U);
  EXPECT_EQ(time_of({.resolution = 28}, UINT64_MAX), 1U);
  EXPECT_EQ(time_of({.resolution = 29}, UINT64_MAX), 0U);
  EXPECT_EQ(time_of({.resolution = 127}, UINT64_MAX), 0U);
}

TEST(PcapngReader, BinaryResolutionsGiveNanoseconds) {
  EXPECT_EQ(time_of({.resolution = 0x80}, 1'700'000'000), kStart);
  EXPECT_EQ(time_of({.resolution = 0x80 | 1}, 3'400'000'001), kStart + kSecond / 2);
  EXPECT_EQ(time_of({.resolution = 0x80 | 20}, uint64_t{1'700'000'000} << 20), kStart);
  EXPECT_EQ(time_of({.resolution = 0x80 | 32}, uint64_t{1'700'000'000} << 32 | 1), kStart);
  EXPECT_EQ(time_of({.resolution = 0x80 | 64}, UINT64_MAX), kSecond - 1);
  EXPECT_EQ(time_of({.resolution = 0x80 | 65}, UINT64_MAX), kSecond / 2 - 1);
  EXPECT_EQ(time_of({.resolution = 0x80 | 93}, UINT64_MAX), 1U);
  EXPECT_EQ(time_of({.resolution = 0x80 | 94}, UINT64_MAX), 0U);
  EXPECT_EQ(time_of({.resolution = 0x80 | 127}, UINT64_MAX), 0U);
}

TEST(PcapngReader, AnOffsetMayBeNegative) {
  EXPECT_EQ(time_of({.offset_seconds = -100}, kStartMicroseconds), kStart - 100 * kSecond);
}

TEST(PcapngReader, ATimeThatCannotBeToldIsTheEndOfTime) {
  EXPECT_EQ(time_of({}, UINT64_MAX), kTimeEnd);
  EXPECT_EQ(time_of({.resolution = 0}, UINT64_MAX), kTimeEnd);
  EXPECT_EQ(time_of({.resolution = 0}, uint64_t{1} << 32), kTimeEnd);
  EXPECT_EQ(time_of({.resolution = 9}, kTimeEnd), kTimeEnd);
  EXPECT_EQ(time_of({.resolution = 9}, kTimeEnd - 1), kTimeEnd - 1);
  EXPECT_EQ(time_of({.offset_seconds = -1}, 0), kTimeEnd);
  EXPECT_EQ(time_of({.offset_seconds = INT64_MIN}, kStartMicroseconds), kTimeEnd);
  EXPECT_EQ(time_of({.offset_seconds = INT64_MAX}, UINT64_MAX), kTimeEnd);
}

TEST(PcapngReader, ASimplePacketHasNoTimeAndTheFirstInterface) {
  const auto file =
      PcapngBuilder().interface({.link_type = 101}).interface().simple_packet(noise(61));
  const auto read = read_capture(file.build());
  ASSERT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.packets[0].packet.time_ns, kNoTime);
  EXPECT_EQ(read.packets[0].packet.link_type, LinkType::Raw);
  EXPECT_EQ(read.packets[0].octets, noise(61));
  EXPECT_EQ(read.packets[0].packet.wire_octets, 61U);
}

TEST(PcapngReader, ASimplePacketIsCutAtTheSnapLength) {
  const auto file = PcapngBuilder()
                        .interface({.snap_octets = 61})
                        .simple_packet(noise(61), 1500)
                        .simple_packet(noise(10));
  const auto read = read_capture(file.build());
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].octets, noise(61));
  EXPECT_EQ(read.packets[0].packet.wire_octets, 1500U);
  EXPECT_EQ(read.packets[1].octets, noise(10));
}

TEST(PcapngReader, ReadsTheOldPacketBlock) {
  for (const ByteOrder order : {ByteOrder::Little, ByteOrder::Big}) {
    const auto file =
        PcapngBuilder(order)
            .interface({.link_type = 101})
            .interface()
            .old_packet({.interface = 1, .units = kStartMicroseconds, .wire_octets = 99},
                        noise(61));
    const auto read = read_capture(file.build());
    ASSERT_EQ(read.packets.size(), 1U);
    EXPECT_EQ(read.packets[0].packet.time_ns, kStart);
    EXPECT_EQ(read.packets[0].packet.link_type, LinkType::Ethernet);
    EXPECT_EQ(read.packets[0].packet.wire_octets, 99U);
    EXPECT_EQ(read.packets[0].octets, noise(61));
  }
}

// Name resolution, statistics, journal, secrets, custom blocks and those that nobody knows.
TEST(PcapngReader, OtherBlocksArePassedOverWhateverTheyHold) {
  for (const uint32_t type : {4U, 5U, 7U, 8U, 9U, 10U, 0xbadU, 0x40000badU, 0x80000001U, 0U}) {
    const auto file = PcapngBuilder()
                          .block(type, noise(50))
                          .interface()
                          .block(type, {})
                          .packet({.units = 1}, noise(60))
                          .block(type, noise(3 * kChunkOctets))
                          .packet({.units = 2}, noise(61))
                          .block(type, noise(7));
    const auto read = read_capture(file.build());
    EXPECT_EQ(read.end, ReadStatus::End) << type;
    ASSERT_EQ(read.packets.size(), 2U) << type;
    EXPECT_EQ(read.packets[0].octets, noise(60));
    EXPECT_EQ(read.packets[1].octets, noise(61));
  }
}

// Of blocks longer than a chunk only the front is held in memory.
TEST(PcapngReader, ReadsThePacketsOfBlocksLongerThanAChunk) {
  const Octets options = noise(2 * kChunkOctets);
  const auto body = [&options](const Octets& header) { return header + noise(60) + options; };
  const Octets none(4);  // an interface, a time
  const Octets sixty{60, 0, 0, 0};
  const auto file = PcapngBuilder()
                        .interface({.snap_octets = 60})
                        .block(6, body(none + none + none + sixty + sixty))
                        .block(2, body(none + none + none + sixty + sixty))
                        .block(3, body(sixty))
                        .packet({.units = 1}, noise(61));
  const auto read = read_capture(file.build());
  EXPECT_EQ(read.end, ReadStatus::End);
  ASSERT_EQ(read.packets.size(), 4U);
  for (const size_t place : {0U, 1U, 2U})
    EXPECT_EQ(read.packets[place].octets, noise(60)) << place;
  EXPECT_EQ(read.packets[3].octets, noise(61));
}

// The fields of a section header, as long as it likes.
Octets section(uint16_t major, uint16_t minor, size_t option_octets = 0) {
  OrderedOctets body(ByteOrder::Little);
  body.put32(0x1a2b3c4d).put16(major).put16(minor).put64(UINT64_MAX).append(noise(option_octets));
  return body.octets();
}
constexpr uint32_t kSectionType = 0x0a0d0d0a;

TEST(PcapngReader, ASectionHeaderMayBeOfAnyLength) {
  const auto file = PcapngBuilder()
                        .block(kSectionType, section(1, 0, 3 * kChunkOctets))
                        .interface()
                        .packet({.units = 1}, noise(60));
  const auto read = read_capture(file.build());
  EXPECT_EQ(read.end, ReadStatus::End);
  EXPECT_EQ(read.packets.at(0).octets, noise(60));
}

TEST(PcapngReader, TheLengthOfASectionIsNotRead) {
  for (const uint8_t octet : {uint8_t{0}, uint8_t{1}, uint8_t{0x80}}) {
    auto file = PcapngBuilder().interface().packet({.units = 1}, noise(60)).build();
    std::fill_n(file.begin() + 16, 8, octet);
    EXPECT_EQ(read_capture(file).packets.at(0).octets, noise(60));
  }
}

TEST(PcapngReader, Version12IsThatOf10) {
  const auto file =
      PcapngBuilder().block(kSectionType, section(1, 2)).interface().packet({}, noise(60));
  EXPECT_EQ(read_capture(file.build()).end, ReadStatus::End);
}

// And it is an error, told when all else was read.
TEST(PcapngReader, ASectionOfAnotherVersionIsPassedOver) {
  const auto file = PcapngBuilder()
                        .interface()
                        .packet({.units = 1}, noise(60))
                        .block(kSectionType, section(2, 0))
                        .interface()
                        .packet({.units = 2}, noise(61))
                        .block(6, {})
                        .block(kSectionType, section(1, 1))
                        .packet({.units = 3}, noise(62))
                        .section(ByteOrder::Big)
                        .interface()
                        .packet({.units = 4}, noise(63));
  const auto read = read_capture(file.build());
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].octets, noise(60));
  EXPECT_EQ(read.packets[1].octets, noise(63));
  EXPECT_EQ(read.end, ReadStatus::Broken);
  EXPECT_EQ(error_of(file.build()),
            "offset 140: a section of pcapng version 2.0 was passed over; only 1.0 and 1.2 are "
            "known; all else is counted");
}

TEST(PcapngReader, ANewSectionForgetsTheInterfacesAndMayChangeTheByteOrder) {
  const auto file = PcapngBuilder(ByteOrder::Little)
                        .interface({.link_type = 101})
                        .interface()
                        .packet({.interface = 1, .units = 1}, noise(60))
                        .section(ByteOrder::Big)
                        .interface({.link_type = 113, .resolution = 9})
                        .packet({.units = 2}, noise(61))
                        .section(ByteOrder::Little)
                        .packet({.units = 3}, noise(62));
  const auto read = read_capture(file.build());
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].packet.time_ns, 1000U);
  EXPECT_EQ(read.packets[1].packet.time_ns, 2U);
  EXPECT_EQ(read.packets[1].packet.link_type, LinkType::LinuxCooked);
  EXPECT_EQ(read.end, ReadStatus::Broken);
  EXPECT_NE(read.error.find("a packet names interface 0, but only 0 are described"),
            std::string::npos);
}

TEST(PcapngReader, AFileMayHoldNoPackets) {
  EXPECT_EQ(read_capture(PcapngBuilder().build()).end, ReadStatus::End);
  EXPECT_EQ(read_capture(PcapngBuilder().interface().build()).end, ReadStatus::End);
}

TEST(PcapngReader, OptionsOfAPacketAreNoPartOfIt) {
  OrderedOctets body(ByteOrder::Little);
  body.put32(0).put32(0).put32(5).put32(3).put32(3).append({7, 8, 9}).pad_to_words();
  body.put16(1).put16(4).append({'n', 'o', 't', 'e'}).put32(0);
  const auto read = read_capture(PcapngBuilder().interface().block(6, body.octets()).build());
  EXPECT_EQ(read.packets.at(0).octets, (Octets{7, 8, 9}));
}

TEST(PcapngReader, OptionsThatLieAreNoMatterOfAPacket) {
  OrderedOctets body(ByteOrder::Little);
  body.put32(0).put32(0).put32(5).put32(4).put32(4).append({7, 8, 9, 10}).put16(1).put16(0xffff);
  const auto read = read_capture(PcapngBuilder().interface().block(6, body.octets()).build());
  EXPECT_EQ(read.end, ReadStatus::End);
  EXPECT_EQ(read.packets.at(0).octets, (Octets{7, 8, 9, 10}));
}

TEST(PcapngReader, AnInterfaceOptionBehindTheEndOfOptionsIsNotRead) {
  OrderedOctets body(ByteOrder::Little);
  body.put16(1).put16(0).put32(0).put32(0).put16(9).put16(1).put(9, 1).pad_to_words();
  const auto file =
      PcapngBuilder().block(1, body.octets()).packet({.units = kStartMicroseconds}, noise(60));
  EXPECT_EQ(read_capture(file.build()).packets.at(0).packet.time_ns, kStart);
}

TEST(PcapngReader, ReadsBlocksThatStraddleChunks) {
  PcapngBuilder file;
  file.interface();
  const size_t packets = 3 * kChunkOctets / 65'000;
  for (size_t i = 0; i < packets; ++i)
    file.packet({.units = i}, noise(65'000 - i));
  const auto read = read_capture(file.build());
  EXPECT_EQ(read.end, ReadStatus::End);
  ASSERT_EQ(read.packets.size(), packets);
  for (size_t i = 0; i < packets; ++i)
    ASSERT_EQ(read.packets[i].octets, noise(65'000 - i)) << i;
}

}  // namespace
}  // namespace clerk
