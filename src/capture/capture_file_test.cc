#include "capture/capture_file.h"

#include <gtest/gtest.h>

#include "capture/capture_test_support.h"
#include "testing/capture_builder.h"

namespace clerk {
namespace {

TEST(CaptureFile, AFileTooShortForAnyKindIsRefused) {
  EXPECT_EQ(error_of({}), "is no capture file: it ends at offset 0");
  EXPECT_EQ(error_of({0xa1, 0xb2, 0xc3}), "is no capture file: it ends at offset 3");
  EXPECT_EQ(error_of(gzip({})), "is no capture file: it ends at offset 0");
}

TEST(CaptureFile, AFileOfAnotherKindIsRefused) {
  const std::string why =
      "is no pcap or pcapng file, nor a .gz or .zst of one: it begins with 74 65 78 74; editcap "
      "may turn it into one";
  const Octets text{'t', 'e', 'x', 't', '\n'};
  for (const Octets& file : {text, gzip(text), zstd(text)})
    EXPECT_EQ(error_of(file), why);
}

// Two more patched libpcaps had magics of their own; nobody wrote down what follows them.
TEST(CaptureFile, MagicsThatNobodyDescribedAreRefused) {
  for (const uint32_t magic : {0xa12b3c4dU, 0xa1b234cdU}) {
    const auto error = error_of(PcapBuilder({.magic = magic}).build());
    EXPECT_TRUE(error.starts_with("is no pcap or pcapng file")) << error;
  }
}

TEST(CaptureFile, OfOtherCompressionsTheWayToUnpackThemIsTold) {
  const auto refusal = [](const std::string& program) {
    return "is compressed in a way that is not read; write " + program +
           " -dc FILE | clerk --read -";
  };
  EXPECT_EQ(error_of({0xfd, '7', 'z', 'X', 'Z', 0}), refusal("xz"));
  EXPECT_EQ(error_of({'B', 'Z', 'h', '9'}), refusal("bzip2"));
  EXPECT_EQ(error_of({0x04, 0x22, 0x4d, 0x18}), refusal("lz4"));
  EXPECT_EQ(error_of({0x1f, 0x9d, 0x90, 0}), refusal("gzip"));
}

TEST(CaptureFile, WhatIsCompressedTwiceIsRefused) {
  const auto file = PcapBuilder().packet(kStart, noise(60)).build();
  EXPECT_EQ(error_of(gzip(gzip(file))), "is compressed twice; unpack it with gzip -dc first");
  EXPECT_EQ(error_of(gzip(zstd(file))), "is compressed twice; unpack it with zstd -dc first");
  EXPECT_EQ(error_of(zstd(gzip(file))), "is compressed twice; unpack it with gzip -dc first");
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
            "offset 100 of the uncompressed data: the gzip data ends early; what came before it is "
            "counted");
}

// The trailer is missing: all records are there, and still the file is not whole.
TEST(CaptureFile, CompressedDataThatEndsBetweenRecordsIsAnError) {
  const auto pcap = PcapBuilder().packet(kStart, noise(60)).build();
  const auto pcapng_packed = gzip(PcapngBuilder().interface().build());
  EXPECT_EQ(error_of(first_of(gzip(pcap), gzip(pcap).size() - 1)),
            "offset 100 of the uncompressed data: the gzip data ends early; what came before it is "
            "counted");
  EXPECT_EQ(error_of(first_of(zstd(pcap), zstd(pcap).size() - 1)),
            "offset 100 of the uncompressed data: the zstd data ends early; what came before it is "
            "counted");
  EXPECT_EQ(error_of(first_of(pcapng_packed, pcapng_packed.size() - 1)),
            "offset 48 of the uncompressed data: the gzip data ends early; what came before it is "
            "counted");
}

TEST(CaptureFile, DamagedDataIsAnErrorBehindThePacketsBeforeIt) {
  const TempFile file(gzip(PcapBuilder().packet(kStart, noise(60)).build()) +
                      Octets{'t', 'a', 'i', 'l'});
  const auto read = read_capture(file.path());
  EXPECT_EQ(read.packets.size(), 1U);
  EXPECT_EQ(read.error, "--read " + file.path() +
                            ": offset 100 of the uncompressed data: the gzip data is damaged "
                            "(incorrect header check); what "
                            "came before it is counted");
}

TEST(CaptureFile, AnErrorInsideCompressedDataNamesTheOffsetInIt) {
  const auto file = PcapBuilder().packet(kStart, noise(60)).record_header(kStart, UINT32_MAX, 0);
  const std::string why =
      ": a record claims 4294967295 captured octets, more than the 262144 that a capture may hold; "
      "what came before it is counted";
  EXPECT_EQ(error_of(file.build()), "offset 100" + why);
  EXPECT_EQ(error_of(zstd(file.build())), "offset 100 of the uncompressed data" + why);
}

}  // namespace
}  // namespace clerk
