#include "capture/pcapng_reader.h"

#include <gtest/gtest.h>

#include "capture/capture_test_support.h"
#include "testing/capture_builder.h"

namespace clerk {
namespace {

constexpr size_t kSection = 28;    // octets of a section header block
constexpr size_t kInterface = 20;  // and of an interface description block without options

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
  const auto file = PcapngBuilder()
                        .interface({.link_type = 101})
                        .interface()
                        .simple_packet(noise(61))
                        .simple_packet(noise(60), 1500);
  const auto read = read_capture(file.build());
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].packet.time_ns, kNoTime);
  EXPECT_EQ(read.packets[0].packet.link_type, LinkType::Raw);
  EXPECT_EQ(read.packets[0].octets, noise(61));
  EXPECT_EQ(read.packets[0].packet.wire_octets, 61U);
  EXPECT_EQ(read.packets[1].octets, noise(60));
  EXPECT_EQ(read.packets[1].packet.wire_octets, 1500U);
}

TEST(PcapngReader, ASimplePacketIsCutAtTheSnapLength) {
  const auto file = PcapngBuilder()
                        .interface({.snap_octets = 61})
                        .simple_packet(noise(61), 1500)
                        .simple_packet(noise(10));
  const auto read = read_capture(file.build());
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].octets, noise(61));
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

TEST(PcapngReader, OtherBlocksArePassedOver) {
  const auto file = PcapngBuilder()
                        .block(4, noise(50))
                        .interface()
                        .block(5, {})
                        .packet({.units = 1}, noise(60))
                        .block(0x80000001, noise(3 * kChunkOctets))
                        .packet({.units = 2}, noise(61))
                        .block(10, noise(7));
  const auto read = read_capture(file.build());
  EXPECT_EQ(read.end, ReadStatus::End);
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[1].octets, noise(61));
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

TEST(PcapngReader, AnInterfaceOptionBeyondItsBlockIsNotRead) {
  OrderedOctets body(ByteOrder::Little);
  body.put16(1).put16(0).put32(0).put16(9).put16(8).put(9, 1).pad_to_words();
  const auto file =
      PcapngBuilder().block(1, body.octets()).packet({.units = kStartMicroseconds}, noise(60));
  EXPECT_EQ(read_capture(file.build()).packets.at(0).packet.time_ns, kStart);
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

// Errors. Each names the offset of the block at fault.

std::string at(size_t offset, const std::string& why) {
  return "offset " + std::to_string(offset) + ": " + why + "; what came before it is counted";
}

TEST(PcapngReader, AFileCutAnywhereGivesItsWholePacketsAndSaysWhereItEnds) {
  const auto file = PcapngBuilder()
                        .interface()
                        .packet({.units = 1}, noise(60))
                        .block(5, noise(40))
                        .simple_packet(noise(20))
                        .build();
  const size_t packet_end = kSection + kInterface + 32 + 60;
  const size_t other_end = packet_end + 52;
  for (size_t octets = kSection; octets < file.size(); ++octets) {
    const auto read = read_capture(first_of(file, octets));
    EXPECT_EQ(read.packets.size(), octets < packet_end ? 0U : 1U) << octets;
    const bool whole = octets == kSection || octets == kSection + kInterface ||
                       octets == packet_end || octets == other_end;
    EXPECT_EQ(read.end, whole ? ReadStatus::End : ReadStatus::Broken) << octets;
  }
  EXPECT_EQ(error_of(first_of(file, packet_end - 1)),
            at(kSection + kInterface, "ends inside a block"));
  EXPECT_EQ(error_of(first_of(file, packet_end + 3)), at(packet_end, "ends inside a block"));
  EXPECT_EQ(error_of(first_of(file, other_end - 1)),
            at(other_end - 1, "ends inside a block of 52 octets that begins at offset " +
                                  std::to_string(packet_end)));
}

TEST(PcapngReader, AFileCutInItsSectionHeaderIsRefused) {
  for (size_t octets = 4; octets < kSection; ++octets) {
    EXPECT_EQ(error_of(first_of(PcapngBuilder().build(), octets)),
              "ends inside the pcapng section header");
  }
}

TEST(PcapngReader, ASectionWithoutByteOrderMagicIsAnError) {
  auto first = PcapngBuilder().build();
  first[8] ^= 1;
  EXPECT_EQ(error_of(first), "a section header has no byte-order magic");
  auto second = PcapngBuilder().interface().section(ByteOrder::Little).build();
  second[kSection + kInterface + 8] ^= 1;
  EXPECT_EQ(error_of(second),
            at(kSection + kInterface, "a section header has no byte-order magic"));
}

TEST(PcapngReader, ABlockLengthThatCannotBeIsAnError) {
  for (const uint8_t length : {uint8_t{0}, uint8_t{8}, uint8_t{11}, uint8_t{21}, uint8_t{22}}) {
    auto file = PcapngBuilder().block(5, noise(20)).build();
    file[kSection + 4] = length;
    EXPECT_EQ(error_of(file),
              at(kSection, "a block claims a length of " + std::to_string(length) + " octets"));
  }
}

TEST(PcapngReader, APacketBlockLongerThanAChunkIsAnError) {
  const auto file = PcapngBuilder().interface().packet({}, Octets(kChunkOctets)).build();
  EXPECT_EQ(error_of(file), at(kSection + kInterface, "a block claims a length of 1048608 octets"));
}

TEST(PcapngReader, TwoLengthsThatDifferAreAnError) {
  auto file = PcapngBuilder().interface().build();
  file[kSection + kInterface - 4] = 24;
  EXPECT_EQ(error_of(file), at(kSection, "a block's two lengths differ (20 and 24)"));
}

TEST(PcapngReader, AnInterfaceThatIsTooShortIsAnError) {
  const auto file = PcapngBuilder().block(1, noise(4)).build();
  EXPECT_EQ(error_of(file),
            at(kSection, "an interface description block is too short, or there are too many"));
}

TEST(PcapngReader, TooManyInterfacesAreAnError) {
  OrderedOctets interface(ByteOrder::Little);
  interface.put32(1).put32(kInterface).put64(1).put32(kInterface);
  const auto section = PcapngBuilder().build();
  constexpr size_t kInterfacesMax = 65536;
  Octets file = section;
  for (size_t i = 0; i < kInterfacesMax; ++i)
    file.insert(file.end(), interface.octets().begin(), interface.octets().end());
  EXPECT_EQ(read_capture(file).end, ReadStatus::End);
  EXPECT_EQ(error_of(file + interface.octets()),
            at(kSection + kInterfacesMax * kInterface,
               "an interface description block is too short, or there are too many"));
}

TEST(PcapngReader, APacketOfAnInterfaceThatIsNotDescribedIsAnError) {
  EXPECT_EQ(error_of(PcapngBuilder().interface().packet({.interface = 1}, noise(60)).build()),
            at(kSection + kInterface, "a packet names interface 1, but only 1 are described"));
  EXPECT_EQ(error_of(PcapngBuilder().interface().old_packet({.interface = 7}, noise(60)).build()),
            at(kSection + kInterface, "a packet names interface 7, but only 1 are described"));
  EXPECT_EQ(error_of(PcapngBuilder().simple_packet(noise(60)).build()),
            at(kSection, "a packet names interface 0, but only 0 are described"));
}

TEST(PcapngReader, APacketBlockTooShortForItsHeaderIsAnError) {
  for (const uint32_t type : {2U, 6U}) {
    EXPECT_EQ(error_of(PcapngBuilder().interface().block(type, Octets(16)).build()),
              at(kSection + kInterface, "a packet block is too short for its header"));
  }
  EXPECT_EQ(error_of(PcapngBuilder().interface().block(3, {}).build()),
            at(kSection + kInterface, "a simple packet block is too short for its header"));
}

TEST(PcapngReader, APacketThatClaimsMoreThanItsBlockHoldsIsAnError) {
  for (const uint32_t claim : {61U, 0xffffffffU}) {
    const auto file = PcapngBuilder().interface().packet({.captured_octets = claim}, noise(60));
    EXPECT_EQ(error_of(file.build()),
              at(kSection + kInterface, "a packet block claims " + std::to_string(claim) +
                                            " captured octets, more than it holds"));
  }
}

TEST(PcapngReader, ThePacketsInFrontOfAnErrorAreRead) {
  const auto file = PcapngBuilder()
                        .interface()
                        .packet({.units = 1}, noise(60))
                        .packet({.interface = 1}, noise(60));
  EXPECT_EQ(read_capture(file.build()).packets.size(), 1U);
}

}  // namespace
}  // namespace clerk
