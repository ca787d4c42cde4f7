#include "testimony_dump/pcap_writer.h"

#include <gmock/gmock.h>

#include <cstring>
#include <vector>

namespace testimony_dump {
namespace {

using testimony::Link;
using testimony::RingPacket;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::SizeIs;

constexpr size_t kFileHeaderOctets = 24;
constexpr size_t kPacketHeaderOctets = 16;

using Octets = std::vector<uint8_t>;

// A file with this one packet.
Octets file_of(const RingPacket& packet, Link link = Link::Ethernet) {
  std::FILE* file = std::tmpfile();
  PcapWriter(file, link).write(packet);
  Octets octets(static_cast<size_t>(std::ftell(file)));
  EXPECT_EQ(std::fseek(file, 0, SEEK_SET), 0);
  EXPECT_EQ(std::fread(octets.data(), 1, octets.size(), file), octets.size());
  std::fclose(file);
  return octets;
}

std::vector<uint32_t> words_at(const Octets& file, size_t offset, size_t count) {
  std::vector<uint32_t> words(count);
  EXPECT_LE(offset + count * sizeof(uint32_t), file.size());
  std::memcpy(words.data(), file.data() + offset, count * sizeof(uint32_t));
  return words;
}

std::vector<uint32_t> packet_header_in(const Octets& file) {
  return words_at(file, kFileHeaderOctets, 4);
}

Octets packet_in(const Octets& file) {
  return {file.begin() + kFileHeaderOctets + kPacketHeaderOctets, file.end()};
}

// 20 octets of a packet of 60, numbered.
class PcapWriterTest : public ::testing::Test {
 protected:
  PcapWriterTest() {
    for (uint8_t i = 0; i < 20; ++i)
      octets_.push_back(i);
    packet_ = {.data = octets_.data(),
               .captured_octets = 20,
               .wire_octets = 60,
               .second = 1'700'000'000,
               .nanosecond = 999'999'999,
               .network_offset = 14};
  }

  Octets octets_;
  RingPacket packet_;
};

TEST_F(PcapWriterTest, WritesThePacketAsItIs) {
  const Octets file = file_of(packet_);
  EXPECT_EQ(words_at(file, 0, 1)[0], 0xa1b23c4d);
  EXPECT_EQ(words_at(file, 20, 1)[0], 1U);
  EXPECT_THAT(packet_header_in(file), ElementsAre(1'700'000'000, 999'999'999, 20, 60));
  EXPECT_THAT(packet_in(file), ElementsAreArray(octets_));
}

TEST_F(PcapWriterTest, PutsTheTagBack) {
  packet_.has_vlan = true;
  packet_.vlan_tci = 0xe007;
  packet_.vlan_tpid = 0x88a8;
  const Octets file = file_of(packet_);
  EXPECT_THAT(packet_header_in(file), ElementsAre(1'700'000'000, 999'999'999, 24, 64));
  EXPECT_THAT(packet_in(file), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x88, 0xa8, 0xe0,
                                           0x07, 12, 13, 14, 15, 16, 17, 18, 19));
}

TEST_F(PcapWriterTest, ATagWhoseTypeTheKernelDoesNotTellIsTheUsualOne) {
  packet_.has_vlan = true;
  const Octets packet = packet_in(file_of(packet_));
  ASSERT_THAT(packet, SizeIs(24));
  EXPECT_EQ(packet[12], 0x81);
  EXPECT_EQ(packet[13], 0x00);
}

TEST_F(PcapWriterTest, ATagHasNoPlaceInAPacketThatIsCutBeforeIt) {
  packet_.has_vlan = true;
  packet_.captured_octets = 11;
  EXPECT_THAT(packet_in(file_of(packet_)), SizeIs(11));
  packet_.captured_octets = 12;
  EXPECT_THAT(packet_in(file_of(packet_)), SizeIs(16));
}

TEST_F(PcapWriterTest, BeginsWithTheNetworkHeaderWhereThereIsNoEthernet) {
  packet_.has_vlan = true;
  const Octets file = file_of(packet_, Link::Other);
  EXPECT_EQ(words_at(file, 20, 1)[0], 101U);
  EXPECT_THAT(packet_header_in(file), ElementsAre(1'700'000'000, 999'999'999, 6, 46));
  EXPECT_THAT(packet_in(file), ElementsAre(14, 15, 16, 17, 18, 19));
  packet_.wire_octets = 3;
  EXPECT_THAT(packet_header_in(file_of(packet_, Link::Other)),
              ElementsAre(1'700'000'000, 999'999'999, 6, 0));
}

}  // namespace
}  // namespace testimony_dump
