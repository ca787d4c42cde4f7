// What PcapngReader says about files that contradict themselves. Each error names the offset of the
// block at fault.
#include <gtest/gtest.h>

#include "capture/capture_test_support.h"
#include "capture/pcapng_reader.h"
#include "testing/capture_builder.h"

namespace clerk {
namespace {

constexpr size_t kSection = 28;    // octets of a section header block
constexpr size_t kInterface = 20;  // and of an interface description block without options

std::string at(size_t offset, const std::string& why) {
  return "offset " + std::to_string(offset) + ": " + why + "; what came before it is counted";
}

TEST(PcapngDamage, AFileCutAnywhereGivesItsWholePacketsAndSaysWhereItEnds) {
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
            at(kSection + kInterface, "ends inside a block of 92 octets"));
  EXPECT_EQ(error_of(first_of(file, packet_end + 3)), at(packet_end, "ends inside a block header"));
  for (const size_t cut : {1U, 4U, 5U, 40U}) {
    EXPECT_EQ(error_of(first_of(file, other_end - cut)),
              at(packet_end, "ends inside a block of 52 octets"));
  }
}

TEST(PcapngDamage, AFileCutInItsSectionHeaderIsRefused) {
  for (size_t octets = 4; octets < kSection; ++octets) {
    EXPECT_EQ(error_of(first_of(PcapngBuilder().build(), octets)),
              "ends inside the pcapng section header, at offset " + std::to_string(octets));
  }
  const auto two = PcapngBuilder().interface().section(ByteOrder::Big).build();
  EXPECT_EQ(error_of(first_of(two, kSection + kInterface + 20)),
            at(kSection + kInterface, "ends inside a section header"));
  EXPECT_EQ(error_of(first_of(two, kSection + kInterface + 24)),
            at(kSection + kInterface, "ends inside a block of 28 octets"));
}

TEST(PcapngDamage, ASectionWithoutByteOrderMagicIsAnError) {
  auto first = PcapngBuilder().build();
  first[8] ^= 1;
  EXPECT_EQ(error_of(first), "a section header has no byte-order magic");
  auto second = PcapngBuilder().interface().section(ByteOrder::Little).build();
  second[kSection + kInterface + 8] ^= 1;
  EXPECT_EQ(error_of(second),
            at(kSection + kInterface, "a section header has no byte-order magic"));
}

TEST(PcapngDamage, ABlockLengthThatCannotBeIsAnError) {
  for (const uint32_t type : {1U, 5U, 6U}) {
    for (const uint8_t length : {uint8_t{0}, uint8_t{8}, uint8_t{11}, uint8_t{21}, uint8_t{22}}) {
      auto file = PcapngBuilder().block(type, noise(20)).build();
      file[kSection + 4] = length;
      EXPECT_EQ(error_of(file),
                at(kSection, "a block claims a length of " + std::to_string(length) +
                                 " octets; it can only be a multiple of 4 from 12 on"));
    }
  }
}

TEST(PcapngDamage, ASectionHeaderTooShortForItsFieldsIsAnError) {
  auto file = PcapngBuilder().interface().build();
  file[4] = 24;
  EXPECT_EQ(error_of(file), at(0,
                               "a block claims a length of 24 octets; it can only be a multiple "
                               "of 4 from 28 on"));
}

// Whatever a length claims, no more memory is asked for than the file has octets, or a chunk.
TEST(PcapngDamage, ABlockThatClaimsMoreThanTheFileHasIsAnError) {
  for (const uint32_t type : {5U, 6U}) {
    auto file = PcapngBuilder().interface().block(type, noise(20)).build();
    std::fill_n(file.begin() + kSection + kInterface + 5, 3, uint8_t{0xff});
    EXPECT_EQ(error_of(file),
              at(kSection + kInterface, "ends inside a block of 4294967072 octets"));
  }
}

TEST(PcapngDamage, TwoLengthsThatDifferAreAnError) {
  for (const uint32_t type : {1U, 2U, 3U, 4U, 5U, 6U, 0x0badU}) {
    auto file = PcapngBuilder().block(type, noise(20)).build();
    file[file.size() - 4] = 24;
    EXPECT_EQ(error_of(file), at(kSection, "a block's two lengths differ (32 and 24)")) << type;
  }
  auto section = PcapngBuilder().build();
  section[kSection - 4] = 24;
  EXPECT_EQ(error_of(section), at(0, "a block's two lengths differ (28 and 24)"));
}

// The end of a block longer than a chunk is looked at when its packet was handed on.
TEST(PcapngDamage, APacketInFrontOfADamagedEndOfItsLongBlockIsRead) {
  const auto whole = PcapngBuilder()
                         .interface({.snap_octets = 60})
                         .block(3, Octets{60, 0, 0, 0} + noise(kChunkOctets))
                         .build();
  const auto cut = read_capture(first_of(whole, whole.size() - 1));
  EXPECT_EQ(cut.packets.size(), 1U);
  EXPECT_EQ(cut.end, ReadStatus::Broken);
  EXPECT_EQ(error_of(first_of(whole, whole.size() - 1)),
            at(kSection + kInterface, "ends inside a block of 1048592 octets"));
  auto different = whole;
  different[whole.size() - 4] ^= 4;
  EXPECT_EQ(read_capture(different).packets.size(), 1U);
  EXPECT_EQ(error_of(different),
            at(kSection + kInterface, "a block's two lengths differ (1048592 and 1048596)"));
}

TEST(PcapngDamage, AnInterfaceThatIsTooShortIsAnError) {
  for (const size_t octets : {0U, 4U}) {
    EXPECT_EQ(error_of(PcapngBuilder().block(1, noise(octets)).build()),
              at(kSection, "an interface description block is too short for its header"));
  }
}

TEST(PcapngDamage, AnInterfaceDescribedInMoreThanAChunkIsAnError) {
  EXPECT_EQ(error_of(PcapngBuilder().block(1, Octets(kChunkOctets)).build()),
            at(kSection, "an interface is described in 1048588 octets; at most 1048576 are read"));
  EXPECT_EQ(read_capture(PcapngBuilder().block(1, Octets(kChunkOctets - 12)).build()).end,
            ReadStatus::End);
}

Octets interface_with_option(uint16_t code, uint16_t claimed_octets, const Octets& value) {
  OrderedOctets body(ByteOrder::Little);
  body.put16(1).put16(0).put32(0).put16(code).put16(claimed_octets).append(value).pad_to_words();
  return PcapngBuilder().block(1, body.octets()).build();
}

TEST(PcapngDamage, AnInterfaceOptionBeyondItsBlockIsAnError) {
  for (const uint16_t code : {uint16_t{2}, uint16_t{9}}) {
    EXPECT_EQ(error_of(interface_with_option(code, 5, {1, 2, 3, 4})),
              at(kSection, "option " + std::to_string(code) +
                               " of an interface claims 5 octets, more than its block holds"));
  }
}

TEST(PcapngDamage, ATimeOptionOfAnotherLengthIsAnError) {
  const auto why = [](const std::string& option, const std::string& octets) {
    return at(kSection,
              "option " + option + " of an interface, on which its times depend, has " + octets);
  };
  EXPECT_EQ(error_of(interface_with_option(9, 0, {})), why("9", "0 octets in the place of 1"));
  EXPECT_EQ(error_of(interface_with_option(9, 2, {9, 9})), why("9", "2 octets in the place of 1"));
  EXPECT_EQ(error_of(interface_with_option(14, 4, {1, 0, 0, 0})),
            why("14", "4 octets in the place of 8"));
}

TEST(PcapngDamage, TooManyInterfacesAreAnError) {
  OrderedOctets interface(ByteOrder::Little);
  interface.put32(1).put32(kInterface).put64(1).put32(kInterface);
  constexpr size_t kInterfacesMax = 65536;
  Octets file = PcapngBuilder().build();
  for (size_t i = 0; i < kInterfacesMax; ++i)
    file.insert(file.end(), interface.octets().begin(), interface.octets().end());
  EXPECT_EQ(read_capture(file).end, ReadStatus::End);
  EXPECT_EQ(error_of(file + interface.octets()),
            at(kSection + kInterfacesMax * kInterface,
               "a section describes more than the 65536 interfaces that a capture may have"));
}

TEST(PcapngDamage, APacketOfAnInterfaceThatIsNotDescribedIsAnError) {
  EXPECT_EQ(error_of(PcapngBuilder().interface().packet({.interface = 1}, noise(60)).build()),
            at(kSection + kInterface, "a packet names interface 1, but only 1 are described"));
  EXPECT_EQ(error_of(PcapngBuilder().interface().old_packet({.interface = 7}, noise(60)).build()),
            at(kSection + kInterface, "a packet names interface 7, but only 1 are described"));
  EXPECT_EQ(error_of(PcapngBuilder().simple_packet(noise(60)).build()),
            at(kSection, "a packet names interface 0, but only 0 are described"));
}

TEST(PcapngDamage, APacketBlockTooShortForItsHeaderIsAnError) {
  for (const uint32_t type : {2U, 6U}) {
    EXPECT_EQ(error_of(PcapngBuilder().interface().block(type, Octets(16)).build()),
              at(kSection + kInterface, "a packet block is too short for its header"));
  }
  EXPECT_EQ(error_of(PcapngBuilder().interface().block(3, {}).build()),
            at(kSection + kInterface, "a packet block is too short for its header"));
}

TEST(PcapngDamage, APacketThatClaimsMoreThanItsBlockHoldsIsAnError) {
  const auto timed = PcapngBuilder().interface().packet({.captured_octets = 61}, noise(60));
  const auto old = PcapngBuilder().interface().old_packet({.captured_octets = 61}, noise(60));
  const auto simple = PcapngBuilder().interface().simple_packet(noise(60), 61);
  for (const auto& file : {timed.build(), old.build(), simple.build()}) {
    EXPECT_EQ(error_of(file), at(kSection + kInterface,
                                 "a packet claims 61 captured octets, more than its block holds"));
  }
}

TEST(PcapngDamage, ASimplePacketCutToMoreThanItsBlockHoldsIsAnError) {
  const auto file =
      PcapngBuilder().interface({.snap_octets = 96}).simple_packet(noise(60), 1500).build();
  EXPECT_EQ(error_of(file), at(kSection + kInterface,
                               "a packet claims 96 captured octets, more than its block holds"));
}

TEST(PcapngDamage, APacketLongerThanAnyCaptureIsAnError) {
  const auto longest = noise(kCapturedOctetsMax);
  EXPECT_EQ(read_capture(PcapngBuilder().interface().packet({}, longest).build()).packets.size(),
            1U);
  const auto file = PcapngBuilder().interface().packet({}, noise(kCapturedOctetsMax + 1)).build();
  EXPECT_EQ(error_of(file), at(kSection + kInterface,
                               "a packet claims 262145 captured octets, more than the 262144 that "
                               "a capture may hold"));
}

TEST(PcapngDamage, ThePacketsInFrontOfAnErrorAreRead) {
  const auto file = PcapngBuilder()
                        .interface()
                        .packet({.units = 1}, noise(60))
                        .packet({.interface = 1}, noise(60));
  EXPECT_EQ(read_capture(file.build()).packets.size(), 1U);
}

}  // namespace
}  // namespace clerk
