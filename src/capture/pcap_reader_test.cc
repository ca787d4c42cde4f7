#include "capture/pcap_reader.h"

#include <gtest/gtest.h>

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

TEST(PcapReader, TheFrameCheckSequenceBitsAreNoPartOfTheLinkType) {
  const auto file = PcapBuilder({.link_type = 0xfc000001}).packet(kStart, noise(60));
  EXPECT_EQ(read_capture(file.build()).packets.at(0).packet.link_type, LinkType::Ethernet);
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

TEST(PcapReader, AFileCutInItsHeaderIsRefused) {
  for (size_t octets = 4; octets < kFileHeader; ++octets)
    EXPECT_EQ(error_of(first_of(PcapBuilder().build(), octets)),
              "ends inside the pcap file header");
}

TEST(PcapReader, AnotherMajorVersionIsRefused) {
  EXPECT_EQ(error_of(PcapBuilder({.major_version = 543}).build()),
            "is pcap version 543; only version 2 is known");
}

TEST(CaptureFile, AFileOfAnotherKindIsRefused) {
  EXPECT_EQ(error_of({}), "is no capture file: it has 0 octets");
  EXPECT_EQ(error_of({0xa1, 0xb2, 0xc3}), "is no capture file: it has 3 octets");
  EXPECT_EQ(error_of(noise(100)), "is no pcap or pcapng file (also not a .gz or .zst of one)");
  EXPECT_EQ(error_of(gzip(noise(100))),
            "is no pcap or pcapng file (also not a .gz or .zst of one)");
  EXPECT_EQ(error_of(gzip({})), "is no capture file: it has 0 octets");
}

TEST(CaptureFile, AFileThatCannotBeOpenedIsNamed) {
  const TempDirectory directory;
  const std::string path = directory.path_of("missing.pcap");
  EXPECT_EQ(read_capture(path).error, "--read " + path + ": No such file or directory");
  EXPECT_EQ(read_capture(directory.path()).error,
            "--read " + directory.path() + ": is a directory");
}

TEST(CaptureFile, CompressedDataThatEndsInTheFileHeaderIsRefused) {
  const auto pcap = zstd(first_of(PcapBuilder().build(), 10)) + first_of(zstd(noise(9)), 8);
  EXPECT_EQ(error_of(pcap), "the zstd data ends early");
  const auto pcapng = gzip(first_of(PcapngBuilder().build(), 10)) + first_of(gzip(noise(9)), 8);
  EXPECT_EQ(error_of(pcapng), "the gzip data ends early");
  EXPECT_EQ(error_of(first_of(pcapng, 8)), "the gzip data ends early");
}

TEST(CaptureFile, CompressedDataThatEndsInARecordIsAnErrorAtTheRecord) {
  const auto packed =
      gzip(PcapBuilder().packet(kStart, noise(60)).packet(kStart, noise(500)).build());
  EXPECT_EQ(error_of(first_of(packed, packed.size() - 50)),
            "offset 100: the gzip data ends early; what came before it is counted");
}

// The trailer is missing: all records are there, and still the file is not whole.
TEST(CaptureFile, CompressedDataThatEndsBetweenRecordsIsAnError) {
  const auto pcap = PcapBuilder().packet(kStart, noise(60)).build();
  const auto pcapng_packed = gzip(PcapngBuilder().interface().build());
  EXPECT_EQ(error_of(first_of(gzip(pcap), gzip(pcap).size() - 1)),
            "offset 100: the gzip data ends early; what came before it is counted");
  EXPECT_EQ(error_of(first_of(zstd(pcap), zstd(pcap).size() - 1)),
            "offset 100: the zstd data ends early; what came before it is counted");
  EXPECT_EQ(error_of(first_of(pcapng_packed, pcapng_packed.size() - 1)),
            "offset 48: the gzip data ends early; what came before it is counted");
}

TEST(CaptureFile, DamagedDataIsAnErrorBehindThePacketsBeforeIt) {
  const TempFile file(gzip(PcapBuilder().packet(kStart, noise(60)).build()) +
                      Octets{'t', 'a', 'i', 'l'});
  const auto read = read_capture(file.path());
  EXPECT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.error, "--read " + file.path() +
                            ": offset 100: the gzip data is damaged (incorrect header check); what "
                            "came before it is counted");
}

}  // namespace
}  // namespace clerk
