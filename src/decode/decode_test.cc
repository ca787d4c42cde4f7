#include "decode/decode_test_support.h"

#include <gtest/gtest.h>

#include <set>

namespace clerk {
namespace {

struct Golden {
  const char* name;
  PacketBuilder packet;
  LinkType link_type = LinkType::Ethernet;
};

// One packet for each way through the decoder.
std::vector<Golden> golden_packets() {
  const auto frame = PacketBuilder().ethernet();
  const auto on = [](const PacketBuilder& lower) { return PacketBuilder(lower); };
  return {
      {"tcp", on(frame).ipv4().tcp().payload(6)},
      {"udp, options, padded", on(frame).ipv4({.options_octets = 12}).udp().pad_to(70)},
      {"icmp", on(frame).ipv4().icmp(3, 4).payload(20)},
      {"gre", on(frame).ipv4().protocol(47).payload(24)},
      {"ah", on(frame).ipv4().authentication().tcp()},
      {"first fragment", on(frame).ipv4({.more_fragments = true}).udp().payload(16)},
      {"later fragment", on(frame).ipv4({.fragment_offset = 64}).protocol(17).payload(16)},
      {"tso", on(frame).ipv4({.total_length = 0}).tcp().payload(30)},
      {"tags", on(frame).vlan(1, {.tpid = 0x88a8}).vlan(2).ipv4().sctp()},
      {"labels", on(frame).mpls(16).mpls(17).ipv6().udp_lite()},
      {"pseudowire", on(frame).mpls(16).control_word().ethernet().vlan(3).ipv6().dccp()},
      {"ipv6", on(frame).ipv6().tcp().payload(6)},
      {"icmpv6", on(frame).ipv6().hop_by_hop().icmp_v6(143, 0).payload(20)},
      {"chain", on(frame).ipv6().hop_by_hop(16).routing(24).authentication().mobility().tcp()},
      {"ends in mobility", on(frame).ipv6().destination_options().mobility(24)},
      {"first ipv6 fragment", on(frame).ipv6().fragment({.more = true}).shim6().udp()},
      {"later ipv6 fragment", on(frame).ipv6().fragment({.offset = 8}).protocol(6).payload(9)},
      {"jumbogram", on(frame).ipv6({.payload_length = 0}).hop_by_hop().udp().payload(10)},
      {"cooked", PacketBuilder().linux_cooked().vlan(4).ipv4().udp(), LinkType::LinuxCooked},
      {"cooked 2", PacketBuilder().linux_cooked2().ipv6().udp(), LinkType::LinuxCooked2},
      {"raw", PacketBuilder().ipv4().udp(), LinkType::Raw},
      {"ipv6 only", PacketBuilder().ipv6().host_identity().udp(), LinkType::Ipv6},
  };
}

// The key and counters, without the flags, which may be missing from a cut packet that has a key.
void expect_same_key(const Headers& cut, const Headers& whole) {
  EXPECT_EQ(cut.version, whole.version);
  EXPECT_EQ(cut.protocol, whole.protocol);
  EXPECT_EQ(cut.tos, whole.tos);
  EXPECT_EQ(cut.source_port, whole.source_port);
  EXPECT_EQ(cut.destination_port, whole.destination_port);
  EXPECT_EQ(cut.vlan_id, whole.vlan_id);
  EXPECT_EQ(cut.fragment, whole.fragment);
  EXPECT_EQ(cut.datagram_protocol, whole.datagram_protocol);
  EXPECT_EQ(cut.identification, whole.identification);
  EXPECT_EQ(cut.octets, whole.octets);
}

TEST(Decode, EachGoldenPacketHasAKey) {
  for (const Golden& golden : golden_packets())
    EXPECT_EQ(decode_built(golden.packet, golden.link_type).stop, Stop::Done) << golden.name;
}

// However short the capture, a packet has the key of the whole packet or is counted as truncated;
// and once enough is there, more changes nothing.
TEST(Decode, APrefixOfAPacketHasItsKeyOrIsTruncated) {
  for (const Golden& golden : golden_packets()) {
    SCOPED_TRACE(golden.name);
    const auto octets = golden.packet.build();
    const auto whole = decode_octets(octets, golden.link_type);
    bool had_key = false;
    for (size_t captured = 0; captured <= octets.size(); ++captured) {
      const auto cut = decode_cut(octets, captured, golden.link_type);
      EXPECT_EQ(cut.stop, had_key || cut.stop == Stop::Done ? Stop::Done : Stop::Truncated)
          << captured;
      had_key = cut.stop == Stop::Done;
      if (had_key) expect_same_key(cut.headers, whole.headers);
    }
    EXPECT_TRUE(had_key);
  }
}

// A packet that was that short on the wire contradicts itself, or is one that needs no more.
TEST(Decode, AShortPacketThatWasNotCutIsNotTruncated) {
  for (const Golden& golden : golden_packets()) {
    SCOPED_TRACE(golden.name);
    const auto octets = golden.packet.build();
    for (size_t on_wire = 0; on_wire < octets.size(); ++on_wire) {
      const auto end = octets.begin() + static_cast<ptrdiff_t>(on_wire);
      const Stop stop = decode_octets({octets.begin(), end}, golden.link_type).stop;
      EXPECT_NE(stop, Stop::Truncated) << on_wire;
    }
  }
}

TEST(Decode, PaddingChangesNothing) {
  for (const Golden& golden : golden_packets()) {
    SCOPED_TRACE(golden.name);
    const auto plain = decode_built(golden.packet, golden.link_type);
    if (plain.headers.octets == 0 || std::string(golden.name) == "tso" ||
        std::string(golden.name) == "jumbogram") {
      continue;  // a length that the packet does not state is derived from the wire
    }
    const auto padded = decode_built(PacketBuilder(golden.packet).pad_to(300), golden.link_type);
    EXPECT_EQ(padded.stop, Stop::Done);
    expect_same_key(padded.headers, plain.headers);
    EXPECT_EQ(padded.headers.tcp_flags, plain.headers.tcp_flags);
  }
}

TEST(Decode, AddressesStayWhereThePacketHasThem) {
  const auto decoded = decode_built(PacketBuilder().ethernet().vlan(1).ipv4().udp());
  EXPECT_EQ(decoded.headers.addresses, decoded.octets.data() + 14 + 4 + 12);
}

TEST(Decode, AnEmptyCaptureIsTruncated) {
  for (const LinkType type :
       {LinkType::Ethernet, LinkType::LinuxCooked, LinkType::LinuxCooked2, LinkType::Raw,
        LinkType::RawBsd, LinkType::RawOpenBsd, LinkType::Ipv4, LinkType::Ipv6}) {
    EXPECT_EQ(decode_octets({}, type, 60).stop, Stop::Truncated);
  }
}

TEST(Decode, EachCauseHasANameAndAnExplanationOfItsOwn) {
  std::set<std::string_view> names;
  std::set<std::string_view> explanations;
  for (size_t i = 0; i < kStops; ++i) {
    names.insert(name_of(static_cast<Stop>(i)));
    explanations.insert(explain(static_cast<Stop>(i)));
  }
  EXPECT_EQ(names.size(), kStops);
  EXPECT_EQ(explanations.size(), kStops);
}

}  // namespace
}  // namespace clerk
