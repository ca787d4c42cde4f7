// One packet of every kind: whole it has its key; cut anywhere it is truncated or has the same one.
//
// Each lies in heap memory of exactly its size, so that the address sanitizer sees a read behind
// it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>

#include "base/big_endian.h"
#include "decode/decode.h"
#include "decode/golden_packets_test_support.h"

namespace clerk::golden {
namespace {

const TunnelSet kAllTunnels = parse_tunnels("all").value();

std::string text_of(Fragment fragment) {
  switch (fragment) {
    case Fragment::Whole: return "";
    case Fragment::First: return ", first fragment";
    case Fragment::Later: return ", later fragment";
  }
  return ", no fragment of any kind";
}

// The key, as the golden packets tell theirs.
std::string text_of(const Headers& headers) {
  const size_t address_octets = headers.version == IpVersion::V4 ? 4 : 16;
  const auto address = [&](size_t at) {
    return to_string(IpAddress::from_wire(headers.version, headers.addresses + at));
  };
  return fmt::format("{}.{} > {}.{} protocol {}, {} octets{}{}{}", address(0), headers.source_port,
                     address(address_octets), headers.destination_port, headers.protocol,
                     headers.octets,
                     headers.vlan_id != 0 ? fmt::format(", vlan {}", headers.vlan_id) : "",
                     text_of(headers.fragment), headers.decapsulated ? ", inside" : "");
}

// What a capture of the first `captured` octets says of a packet that had `wire_octets`.
std::string decoded(const GoldenPacket& golden, TunnelSet tunnels, size_t captured,
                    size_t wire_octets) {
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[captured]);
  std::copy_n(golden.octets.begin(), captured, copy.get());
  const Packet packet{.data = copy.get(),
                      .captured_octets = static_cast<uint32_t>(captured),
                      .wire_octets = static_cast<uint32_t>(wire_octets),
                      .link_type = golden.link_type};
  Headers headers{};
  const Stop stop = decode(packet, tunnels, headers);
  return stop == Stop::Done ? text_of(headers) : fmt::format("ignored {}", name_of(stop));
}

class Golden : public ::testing::TestWithParam<GoldenPacket> {
 protected:
  static const std::string& inside() {
    return GetParam().inside.empty() ? GetParam().key : GetParam().inside;
  }
  static size_t size() { return GetParam().octets.size(); }
};
INSTANTIATE_TEST_SUITE_P(Packets, Golden, ::testing::ValuesIn(golden_packets()),
                         [](const auto& packet) { return packet.param.name; });

TEST_P(Golden, HasItsKey) {
  EXPECT_EQ(decoded(GetParam(), {}, size(), size()), GetParam().key);
  EXPECT_EQ(decoded(GetParam(), kAllTunnels, size(), size()), inside());
}

// However short the capture: truncated, and once enough is there, more changes nothing.
TEST_P(Golden, CutAnywhereIsTruncatedOrHasTheSameKey) {
  for (const auto& [tunnels, key] :
       {std::pair(TunnelSet{}, GetParam().key), {kAllTunnels, inside()}}) {
    std::string wanted = "ignored truncated";
    for (size_t captured = 0; captured <= size(); ++captured) {
      const std::string cut = decoded(GetParam(), tunnels, captured, size());
      if (cut == key) wanted = key;
      EXPECT_EQ(cut, wanted) << captured << " of " << size();
    }
    EXPECT_EQ(wanted, key);
  }
}

TEST_P(Golden, PaddedHasTheSameKey) {
  // A length that the packet does not state is derived from the wire.
  if (GetParam().name == "no_total_length" || GetParam().name == "jumbogram") return;
  GoldenPacket padded = GetParam();
  padded.octets.resize(size() + 46, 0xee);
  EXPECT_EQ(decoded(padded, {}, padded.octets.size(), padded.octets.size()), GetParam().key);
  EXPECT_EQ(decoded(padded, kAllTunnels, padded.octets.size(), padded.octets.size()), inside());
}

// A packet that was no longer on the wire either may be anything, but not truncated.
TEST_P(Golden, ShorterOnTheWireIsReadToItsEnd) {
  for (size_t octets = 0; octets < size(); ++octets) {
    EXPECT_NE(decoded(GetParam(), {}, octets, octets), "ignored truncated") << octets;
    EXPECT_NE(decoded(GetParam(), kAllTunnels, octets, octets), "ignored truncated") << octets;
  }
}

TEST(GoldenSet, HasADistinctNameAndPacketForEachKind) {
  std::set<std::string> names;
  std::set<std::vector<uint8_t>> packets;
  for (const GoldenPacket& golden : golden_packets()) {
    EXPECT_TRUE(names.insert(golden.name).second) << golden.name;
    packets.insert(golden.octets);
  }
  EXPECT_GE(packets.size(), names.size() - 8);  // the same octets mean the same behind some links
}

TEST(GoldenSet, HasEveryLinkTypeThatIsDecoded) {
  std::set<LinkType> met;
  for (const GoldenPacket& golden : golden_packets())
    met.insert(golden.link_type);
  for (uint32_t value = 0; value < 1000; ++value)
    EXPECT_TRUE(met.contains(LinkType{value}) || !is_decoded(LinkType{value})) << value;
}

// As decode_fuzz.cc reads it, with nothing cut.
std::vector<uint8_t> seed_of(const GoldenPacket& golden) {
  const auto link_type = static_cast<uint16_t>(std::to_underlying(golden.link_type));
  std::vector<uint8_t> seed{static_cast<uint8_t>(link_type >> 8), static_cast<uint8_t>(link_type),
                            0, 0};
  seed.insert(seed.end(), golden.octets.begin(), golden.octets.end());
  return seed;
}

// CLERK_WRITE_SEEDS=1 writes them.
TEST(GoldenSet, IsTheSeedOfTheDecodersFuzzer) {
  const auto corpus = std::filesystem::path(__FILE__).parent_path() / "../../fuzz/corpus/decode";
  const bool write = std::getenv("CLERK_WRITE_SEEDS") != nullptr;
  for (const GoldenPacket& golden : golden_packets()) {
    const std::vector<uint8_t> seed = seed_of(golden);
    const auto path = corpus / ("golden_" + golden.name);
    if (write) {
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(seed.data()),
                 static_cast<std::streamsize>(seed.size()));
    }
    std::ifstream file(path, std::ios::binary);
    const std::string content(std::istreambuf_iterator<char>(file), {});
    EXPECT_TRUE(std::ranges::equal(content, seed, {},
                                   [](char octet) { return static_cast<uint8_t>(octet); }))
        << path << ": run decode_test with CLERK_WRITE_SEEDS=1";
  }
}

}  // namespace
}  // namespace clerk::golden
