#include "capture/pcap_reader.h"

#include <gtest/gtest.h>

#include <array>

#include "capture/capture_test_support.h"
#include "testing/capture_builder.h"

namespace clerk {
namespace {

constexpr size_t kFileHeader = 24;
constexpr size_t kRecordHeader = 16;

TEST(PcapReader, ReadsBothByteOrdersAndBothUnits) {
  for (const ByteOrder order : {ByteOrder::Little, ByteOrder::Big}) {
    for (const TimeUnit unit : {TimeUnit::Microseconds, TimeUnit::Nanoseconds}) {
      const uint64_t time_ns = kStart + (unit == TimeUnit::Nanoseconds ? 123'456'789 : 123'456'000);
      const auto file = PcapBuilder({.order = order, .unit = unit, .link_type = 113})
                            .packet(time_ns, noise(60), 1514)
                            .packet(time_ns + kSecond, noise(61));
      const auto read = read_capture(file.build());
      EXPECT_EQ(read.end, ReadStatus::End);
      ASSERT_EQ(read.packets.size(), 2U);
      EXPECT_EQ(read.packets[0].packet.time_ns, time_ns);
      EXPECT_EQ(read.packets[0].packet.captured_octets, 60U);
      EXPECT_EQ(read.packets[0].packet.wire_octets, 1514U);
      EXPECT_EQ(read.packets[0].packet.link_type, LinkType::LinuxCooked);
      EXPECT_EQ(read.packets[0].octets, noise(60));
      EXPECT_EQ(read.packets[1].packet.time_ns, time_ns + kSecond);
      EXPECT_EQ(read.packets[1].octets, noise(61));
    }
  }
}

TEST(PcapReader, ReadsTheLongerRecordsOfThePatchedLibpcap) {
  const PcapFormat format{.magic = 0xa1b2cd34, .record_extra_octets = 8};
  const auto read =
      read_capture(PcapBuilder(format).packet(kStart, noise(60)).packet(kStart, noise(70)).build());
  EXPECT_EQ(read.end, ReadStatus::End);
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[1].octets, noise(70));
}

// Versions 2.2 and older, and DG/UX: the length on the wire came first.
TEST(PcapReader, TheLengthsOfOldFilesAreTheOtherWayRound) {
  for (const PcapFormat& format :
       {PcapFormat{.minor_version = 0}, PcapFormat{.minor_version = 2},
        PcapFormat{.order = ByteOrder::Big, .major_version = 543, .minor_version = 0}}) {
    PcapBuilder builder(format);
    const auto file = builder.record_header(kStart, 1500, 60).build() + noise(60);
    const auto read = read_capture(file);
    EXPECT_EQ(read.end, ReadStatus::End);
    ASSERT_EQ(read.packets.size(), 1U);
    EXPECT_EQ(read.packets[0].octets, noise(60));
    EXPECT_EQ(read.packets[0].packet.wire_octets, 1500U);
  }
}

TEST(PcapReader, TheLengthsOfVersion23AreEitherWayRound) {
  PcapBuilder builder({.minor_version = 3});
  builder.packet(kStart, noise(60), 1500).record_header(kStart, 1500, 61);
  const auto read = read_capture(builder.build() + noise(61));
  EXPECT_EQ(read.end, ReadStatus::End);
  ASSERT_EQ(read.packets.size(), 2U);
  for (const size_t place : {0U, 1U}) {
    EXPECT_EQ(read.packets[place].octets, noise(60 + place));
    EXPECT_EQ(read.packets[place].packet.wire_octets, 1500U);
  }
}

TEST(PcapReader, MoreMayBeCapturedThanTheWireHad) {
  const auto read = read_capture(PcapBuilder().packet(kStart, noise(60), 40).build());
  ASSERT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.packets[0].octets, noise(60));
  EXPECT_EQ(read.packets[0].packet.wire_octets, 40U);
}

// Of the top bits of the link type, 4 count words of two octets, and 0x04000000 says that they do.
constexpr uint32_t kFourFrameCheckOctets = 0x24000000;

TEST(PcapReader, AFrameCheckSequenceIsNoPartOfThePacket) {
  const auto file = PcapBuilder({.link_type = kFourFrameCheckOctets | 1})
                        .packet(kStart, noise(64))      // captured with the packet
                        .packet(kStart, noise(62), 64)  // in part
                        .packet(kStart, noise(50), 64)  // not at all
                        .packet(kStart, noise(64), 10)  // of a record that claims too little
                        .packet(kStart, noise(3), 3);   // longer than the packet
  const auto read = read_capture(file.build());
  ASSERT_EQ(read.packets.size(), 5U);
  const std::vector<std::pair<size_t, uint32_t>> expected{
      {60, 60}, {60, 60}, {50, 60}, {60, 60}, {0, 0}};
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(read.packets[i].octets, noise(expected[i].first)) << i;
    EXPECT_EQ(read.packets[i].packet.wire_octets, expected[i].second) << i;
    EXPECT_EQ(read.packets[i].packet.link_type, LinkType::Ethernet);
  }
}

TEST(PcapReader, AFrameCheckSequenceThatDoesNotCountOrHasNoOctetsIsNone) {
  for (const uint32_t link_type : {0x20000001U, 0x04000001U}) {
    const auto read =
        read_capture(PcapBuilder({.link_type = link_type}).packet(kStart, noise(60), 10).build());
    EXPECT_EQ(read.packets.at(0).octets, noise(60));
    EXPECT_EQ(read.packets.at(0).packet.wire_octets, 10U);
    EXPECT_EQ(read.packets.at(0).packet.link_type, LinkType::Ethernet);
  }
}

TEST(PcapReader, ALinkTypeWithUnknownBitsIsRefused) {
  EXPECT_EQ(error_of(PcapBuilder({.link_type = 0x00300001}).build()),
            "has the link type 0x00300001 at offset 20, with bits whose meaning is not known");
}

TEST(PcapReader, TheSnapLengthIsHeldAgainstNothing) {
  for (const uint8_t snap_octet : {uint8_t{0}, uint8_t{0xff}}) {
    auto file = PcapBuilder().packet(kStart, noise(60)).build();
    std::fill_n(file.begin() + 16, 4, snap_octet);
    EXPECT_EQ(read_capture(file).packets.at(0).octets, noise(60));
  }
}

TEST(PcapReader, ZeroIsATimeLikeAnyOther) {
  const auto read = read_capture(PcapBuilder().packet(0, noise(60)).build());
  EXPECT_EQ(read.packets.at(0).packet.time_ns, 0U);
}

TEST(PcapReader, AnUnknownLinkTypeIsCarriedAsItIs) {
  const auto file = PcapBuilder({.link_type = 147}).packet(kStart, noise(60));
  EXPECT_EQ(read_capture(file.build()).packets.at(0).packet.link_type, LinkType{147});
}

TEST(PcapReader, AFileMayHoldNoPackets) {
  const auto read = read_capture(PcapBuilder().build());
  EXPECT_EQ(read.end, ReadStatus::End);
  EXPECT_EQ(read.packets.size(), 0U);
}

TEST(PcapReader, ARecordMayHoldNoOctets) {
  const auto read = read_capture(PcapBuilder().packet(kStart, {}, 60).packet(kStart, {}).build());
  EXPECT_EQ(read.end, ReadStatus::End);
  ASSERT_EQ(read.packets.size(), 2U);
  EXPECT_EQ(read.packets[0].packet.wire_octets, 60U);
}

TEST(PcapReader, AFractionBeyondASecondIsAdded) {
  auto file = PcapBuilder().packet(kStart, noise(1)).build();
  file[kFileHeader + 4 + 2] = 0x20;  // 2097152 microseconds
  EXPECT_EQ(read_capture(file).packets.at(0).packet.time_ns, kStart + 2'097'152'000);
}

TEST(PcapReader, TheLastSecondOf32BitsIsUsable) {
  const auto file = PcapBuilder().packet(kTimeEnd - 1000, noise(1));
  EXPECT_EQ(read_capture(file.build()).packets.at(0).packet.time_ns, kTimeEnd - 1000);
}

TEST(PcapReader, ReadsRecordsThatStraddleChunks) {
  PcapBuilder file;
  const size_t packets = 5 * kChunkOctets / 65'000;
  for (size_t i = 0; i < packets; ++i)
    file.packet(kStart + i * 1000, noise(65'000 - i));
  const auto read = read_capture(file.build());
  EXPECT_EQ(read.end, ReadStatus::End);
  ASSERT_EQ(read.packets.size(), packets);
  for (size_t i = 0; i < packets; ++i) {
    EXPECT_EQ(read.packets[i].packet.time_ns, kStart + i * 1000);
    ASSERT_EQ(read.packets[i].octets, noise(65'000 - i)) << i;
  }
}

TEST(PcapReader, ReadsTheSameFromCompressedFiles) {
  const auto file = PcapBuilder().packet(kStart, noise(60)).packet(kStart, noise(99)).build();
  for (const Octets& packed : {gzip(file), zstd(file)}) {
    const auto read = read_capture(packed);
    EXPECT_EQ(read.end, ReadStatus::End);
    ASSERT_EQ(read.packets.size(), 2U);
    EXPECT_EQ(read.packets[1].octets, noise(99));
  }
}

TEST(PcapReader, TheLongestRecordThatLibpcapAllowsIsReadAndNoLongerOne) {
  const auto longest = PcapBuilder().packet(kStart, noise(kCapturedOctetsMax)).build();
  EXPECT_EQ(read_capture(longest).packets.at(0).octets, noise(kCapturedOctetsMax));
  const auto longer = PcapBuilder().packet(kStart, noise(kCapturedOctetsMax + 1)).build();
  EXPECT_EQ(
      error_of(longer),
      "offset 24: a record claims 262145 captured octets, more than the 262144 that a capture "
      "may hold; what came before it is counted");
}

TEST(PcapReader, AFileCutAnywhereGivesItsWholeRecordsAndSaysWhereItEnds) {
  const auto file = PcapBuilder().packet(kStart, noise(60)).packet(kStart, noise(70)).build();
  const size_t second = kFileHeader + kRecordHeader + 60;
  for (size_t octets = kFileHeader; octets < file.size(); ++octets) {
    const auto read = read_capture(first_of(file, octets));
    EXPECT_EQ(read.packets.size(), octets < second ? 0U : 1U) << octets;
    const bool whole = octets == kFileHeader || octets == second;
    EXPECT_EQ(read.end, whole ? ReadStatus::End : ReadStatus::Broken) << octets;
  }
  EXPECT_EQ(error_of(first_of(file, second + 15)),
            "offset 100: ends inside a record header; what came before it is counted");
  EXPECT_EQ(error_of(first_of(file, second + 16)),
            "offset 100: ends inside a record of 86 octets; what came before it is counted");
}

// How many packets of a file with these times, in microseconds, follow the first one in a run.
size_t run_of(const PcapFormat& format, std::initializer_list<uint64_t> times, TimeRange range) {
  PcapBuilder builder(format);
  for (const uint64_t time : times)
    builder.packet(kStart + time * 1000, noise(60));
  const TempFile content(builder.build());
  Surroundings around;
  auto file = CaptureFile::open(content.path(), around.pool, around.stop, around.octets_read);
  Packet first;
  EXPECT_EQ(file->next(first), ReadStatus::Packet);
  std::array<Packet, 4> run;
  return file->next_run(
      run, {.from = kStart + range.from * 1000, .before = kStart + range.before * 1000});
}

TEST(PcapReader, ARunEndsWhereTimesFallOrLeaveTheRangeOrThereIsNoMoreRoom) {
  EXPECT_EQ(run_of({}, {1, 2, 2, 3}, {1, 9}), 3U);
  EXPECT_EQ(run_of({}, {1, 2, 3, 2, 4}, {1, 9}), 2U);
  EXPECT_EQ(run_of({}, {1, 2, 8, 9, 10}, {1, 9}), 2U);
  EXPECT_EQ(run_of({}, {1, 1, 4}, {2, 9}), 0U);
  EXPECT_EQ(run_of({}, {1, 1, 1, 1, 1, 1, 1}, {1, 9}), 4U);
  EXPECT_EQ(run_of({}, {1}, {1, 9}), 0U);
}

TEST(PcapReader, OnlyFilesOfTheUsualKindHaveRuns) {
  EXPECT_EQ(run_of({.order = ByteOrder::Little}, {1, 2}, {1, 9}), 1U);
  EXPECT_EQ(run_of({.order = ByteOrder::Big}, {1, 2}, {1, 9}), 0U);
  EXPECT_EQ(run_of({.minor_version = 3}, {1, 2}, {1, 9}), 0U);
  EXPECT_EQ(run_of({.link_type = kFourFrameCheckOctets | 1}, {1, 2}, {1, 9}), 0U);
  EXPECT_EQ(run_of({.magic = 0xa1b2cd34, .record_extra_octets = 8}, {1, 2}, {1, 9}), 0U);
}

TEST(PcapReader, AFileCutInItsHeaderIsRefused) {
  for (size_t octets = 4; octets < kFileHeader; ++octets)
    EXPECT_EQ(error_of(first_of(PcapBuilder().build(), octets)),
              "ends inside the pcap file header, at offset " + std::to_string(octets));
}

TEST(PcapReader, AnotherMajorVersionIsRefused) {
  EXPECT_EQ(error_of(PcapBuilder({.major_version = 3, .minor_version = 0}).build()),
            "is pcap version 3.0; only version 2 is known");
  EXPECT_EQ(error_of(PcapBuilder({.major_version = 543, .minor_version = 1}).build()),
            "is pcap version 543.1; only version 2 is known");
}

}  // namespace
}  // namespace clerk
