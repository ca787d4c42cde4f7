// One packet of every kind that docs/decoding.md knows, and what is to be read from it. The test
// beside it decodes each of them whole and cut anywhere; they are seeds of the decoder's fuzzer.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "capture/packet.h"
#include "testing/packet_builder.h"

namespace clerk::golden {

// Keys are told as the test tells those that were decoded.
struct GoldenPacket {
  std::string name;  // of a file, too
  LinkType link_type;
  std::vector<uint8_t> octets;
  std::string key;          // or the cause by which it is ignored
  std::string inside = {};  // the key when all tunnels are looked into; empty: the same one
};

// What carries the packet's payload in most of them: 36 and 72 octets of IP.
inline PacketBuilder& udp4(PacketBuilder& to) { return to.ipv4().udp().payload(8); }
inline PacketBuilder& tcp6(PacketBuilder& to) { return to.ipv6().tcp().payload(12); }
inline constexpr std::string_view kUdp4 = "192.0.2.1.1024 > 198.51.100.2.80 protocol 17, 36 octets";
inline constexpr std::string_view kTcp6 = "2001:db8::1.1024 > 2001:db8::2.80 protocol 6, 72 octets";
inline constexpr std::string_view kUdp4Tagged =
    "192.0.2.1.1024 > 198.51.100.2.80 protocol 17, 36 octets, vlan 7";

// The same inside a tunnel, with addresses of its own.
inline PacketBuilder& inner4(PacketBuilder& to) {
  return to.ipv4({.source = "10.0.0.1", .destination = "10.0.0.2"}).udp({53, 4000}).payload(8);
}
inline PacketBuilder& inner6(PacketBuilder& to) {
  return to.ipv6({.source = "fd00::1", .destination = "fd00::2"}).tcp({443, 5000}).payload(4);
}
inline constexpr std::string_view kInner4 =
    "10.0.0.1.53 > 10.0.0.2.4000 protocol 17, 36 octets, inside";
inline constexpr std::string_view kInner6 =
    "fd00::1.443 > fd00::2.5000 protocol 6, 64 octets, inside";

class GoldenSet {
 public:
  GoldenSet& add(std::string_view name, LinkType link_type, const PacketBuilder& packet,
                 std::string_view key, std::string_view inside = {}) {
    packets_.push_back(
        {std::string(name), link_type, packet.build(), std::string(key), std::string(inside)});
    return *this;
  }
  GoldenSet& ethernet(std::string_view name, const PacketBuilder& packet, std::string_view key,
                      std::string_view inside = {}) {
    return add(name, LinkType::Ethernet, packet, key, inside);
  }
  // Behind a link header of these octets, which announces no more than they say.
  GoldenSet& behind(std::string_view name, LinkType link_type, const std::vector<uint8_t>& octets,
                    std::string_view key = kUdp4) {
    PacketBuilder packet;
    packet.octets(octets);
    return add(name, link_type, key == kTcp6 ? tcp6(packet) : udp4(packet), key);
  }

  std::vector<GoldenPacket> take() { return std::move(packets_); }

 private:
  std::vector<GoldenPacket> packets_;
};

inline void add_link_types(GoldenSet& set) {
  PacketBuilder b;
  set.ethernet("ethernet_ipv4", udp4((b = {}).ethernet()), kUdp4)
      .ethernet("ethernet_ipv6", tcp6((b = {}).ethernet()), kTcp6)
      .add("cooked", LinkType::LinuxCooked, udp4((b = {}).linux_cooked()), kUdp4)
      .add("cooked2", LinkType::LinuxCooked2, tcp6((b = {}).linux_cooked2()), kTcp6)
      .add("raw_ipv4", LinkType::Raw, udp4(b = {}), kUdp4)
      .add("raw_ipv6", LinkType::RawBsd, tcp6(b = {}), kTcp6)
      .add("raw_openbsd", LinkType::RawOpenBsd, udp4(b = {}), kUdp4)
      .add("ipv4", LinkType::Ipv4, udp4(b = {}), kUdp4)
      .add("ipv6", LinkType::Ipv6, tcp6(b = {}), kTcp6)
      .behind("null_little_endian", LinkType::Null, {2, 0, 0, 0})
      .behind("null_big_endian_ipv6", LinkType::Null, {0, 0, 0, 24}, kTcp6)
      .behind("loop_ipv6", LinkType::Loop, {0, 0, 0, 30}, kTcp6)
      .add("ppp", LinkType::Ppp, udp4((b = {}).ppp()), kUdp4)
      .add("ppp_hdlc_ipv6", LinkType::PppHdlc, tcp6((b = {}).octets({0xff, 3}).ppp()), kTcp6)
      .behind("ppp_one_octet", LinkType::Ppp, {0xff, 3, 0x21})
      .behind("ppp_is_cisco_hdlc", LinkType::PppHdlc, {0x0f, 0, 0x08, 0x00})
      .add("ppp_pppd", LinkType::PppPppd, udp4((b = {}).octets({1}).ppp()), kUdp4)
      .add("ppp_direction", LinkType::PppWithDirection, tcp6((b = {}).octets({0}).ppp()), kTcp6)
      .behind("pppoe", LinkType::Pppoe, {0x11, 0, 0, 1, 0, 38, 0, 0x21})
      .add("cisco_hdlc", LinkType::CiscoHdlc, tcp6((b = {}).cisco_hdlc()), kTcp6)
      .add("cisco_hdlc_direction", LinkType::CiscoHdlcWithDirection,
           udp4((b = {}).octets({1}).cisco_hdlc()), kUdp4)
      .add("frame_relay", LinkType::FrameRelay, udp4((b = {}).frame_relay()), kUdp4)
      .behind("frame_relay_four_octets_snap", LinkType::FrameRelayWithDirection,
              {0, 0x18, 0x40, 0x40, 0x41, 3, 0, 0x80, 0, 0, 0, 0x86, 0xdd}, kTcp6)
      .behind("frame_relay_cisco", LinkType::FrameRelay, {0x18, 0x41, 0x08, 0x00})
      .add("fddi", LinkType::Fddi,
           tcp6((b = {}).octets({0x50, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}).snap()), kTcp6)
      .behind("arcnet_rfc1051", LinkType::Arcnet, {1, 2, 240})
      .behind("arcnet_ipv6", LinkType::Arcnet, {1, 2, 196, 0, 0, 7}, kTcp6)
      .behind("arcnet_exception", LinkType::Arcnet, {1, 2, 212, 0xff, 0, 0, 0, 0, 0, 7})
      .behind("arcnet_linux", LinkType::ArcnetLinux, {1, 2, 0, 0, 212, 0, 0, 7})
      .behind("infiniband", LinkType::IpOverInfiniband,
              [] {
                std::vector<uint8_t> octets(44);
                octets[40] = 0x08;
                return octets;
              }())
      .behind("ipnet", LinkType::Ipnet,
              {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
      .behind("nflog", LinkType::Nflog,
              {2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 0, 1, 5, 0, 10, 0, 'x', 0, 0, 0, 40, 0, 9, 0})
      .behind("ppi_raw", LinkType::Ppi, {0, 0, 8, 0, 101, 0, 0, 0})
      .behind("pktap_raw", LinkType::Pktap, {16, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0},
              kTcp6)
      .behind("unknown_link_type", LinkType{147}, {}, "ignored link_type");
}

// IEEE 802.11 data frames, whose header has 24 octets when it has no more.
inline PacketBuilder& wlan(PacketBuilder& to, uint8_t subtype, uint8_t flags,
                           const std::vector<uint8_t>& more = {}) {
  to.octets({subtype, flags, 0, 0}).octets(std::vector<uint8_t>(18, 2)).octets({0, 0});
  return to.octets(more).snap();
}

inline void add_wlan(GoldenSet& set) {
  PacketBuilder b;
  const std::vector<uint8_t> fourth_address(6, 3);
  const std::vector<uint8_t> radiotap{0, 0, 9, 0, 2, 0, 0, 0, 0x10};  // with the check sequence
  const std::vector<uint8_t> padded{0, 0, 9, 0, 2, 0, 0, 0, 0x20};
  set.add("wlan", LinkType::Ieee80211, udp4(wlan(b = {}, 0x08, 0x01)), kUdp4)
      .add("wlan_qos", LinkType::Ieee80211, tcp6(wlan(b = {}, 0x88, 0x02, {0, 0})), kTcp6)
      .add("wlan_four_addresses", LinkType::Ieee80211,
           udp4(wlan(b = {}, 0x08, 0x03, fourth_address)), kUdp4)
      .add("wlan_ht_control", LinkType::Ieee80211,
           udp4(wlan(b = {}, 0x88, 0x81, {0, 0, 0, 0, 0, 0})), kUdp4)
      .add("radiotap", LinkType::Radiotap,
           udp4(wlan((b = {}).octets(radiotap), 0x08, 0x01)).trailer(4), kUdp4)
      .add("radiotap_padded", LinkType::Radiotap,
           tcp6(wlan((b = {}).octets(padded), 0x88, 0x01, {0, 0, 0, 0})), kTcp6)
      .add("wlan_beacon", LinkType::Ieee80211, wlan(b = {}, 0x80, 0).payload(20), "ignored non_ip")
      .add("wlan_no_data", LinkType::Ieee80211, wlan(b = {}, 0x48, 1), "ignored non_ip")
      .add("wlan_protected", LinkType::Ieee80211, udp4(wlan(b = {}, 0x08, 0x41)),
           "ignored wlan_protected")
      .add("wlan_amsdu", LinkType::Ieee80211, udp4(wlan(b = {}, 0x88, 0x01, {0x80, 0})),
           "ignored wlan_amsdu")
      .add("wlan_fragment", LinkType::Ieee80211, udp4(wlan(b = {}, 0x08, 0x01)).set_octet(22, 0x01),
           "ignored wlan_fragment");
}

inline void add_shims(GoldenSet& set) {
  PacketBuilder b;
  set.ethernet("vlan", udp4((b = {}).ethernet().vlan(7)), kUdp4Tagged)
      .ethernet("priority_tag", udp4((b = {}).ethernet().vlan(0, {.priority = 5})), kUdp4);
  for (const uint16_t tpid : std::initializer_list<uint16_t>{0x88a8, 0x9100, 0x9200, 0x9300}) {
    set.ethernet(fmt::format("tags_{:x}", tpid),
                 udp4((b = {}).ethernet().vlan(7, {.tpid = tpid}).vlan(9)), kUdp4Tagged);
  }
  set.ethernet("mpls_ipv4", udp4((b = {}).ethernet().mpls(16).mpls(17)), kUdp4)
      .ethernet("mpls_multicast_ipv6", tcp6((b = {}).ethernet().mpls(16, 0x8848)), kTcp6)
      // Its first octet is not that of a control word.
      .ethernet("pseudowire",
                udp4((b = {}).ethernet().mpls(16).ethernet().vlan(7)).set_octet(18, 0x52),
                kUdp4Tagged)
      .ethernet("pseudowire_control_word",
                udp4((b = {}).ethernet().mpls(16).control_word().ethernet().vlan(7)), kUdp4Tagged)
      .ethernet("pbb",
                udp4((b = {}).ethernet().vlan(7, {.tpid = 0x88a8}).pbb(5).ethernet().vlan(9)),
                kUdp4Tagged)
      .ethernet("macsec_clear", udp4((b = {}).ethernet().macsec().vlan(7)).trailer(16), kUdp4Tagged)
      .ethernet("macsec_encrypted", udp4((b = {}).ethernet().macsec()).set_octet(14, 0x2c),
                "ignored macsec")
      .ethernet("pppoe_shim", udp4((b = {}).ethernet().vlan(7).pppoe()), kUdp4Tagged)
      .ethernet("pppoe_mpls", tcp6((b = {}).ethernet().pppoe().mpls(16)), kTcp6)
      .ethernet("pppoe_lcp", (b = {}).ethernet().pppoe().ether_type(0).payload(8), "ignored non_ip")
      .ethernet("ppp_shim", udp4((b = {}).ethernet().ppp()), kUdp4)
      .ethernet("bridged", tcp6((b = {}).ethernet().ether_type(0x6558).ethernet()), kTcp6)
      .ethernet("snap", udp4((b = {}).ethernet_with_length().snap()).pad_to(80), kUdp4)
      .ethernet("snap_0000f8", udp4((b = {}).ethernet_with_length().snap(0xf8)), kUdp4)
      .ethernet("snap_bridged", tcp6((b = {}).ethernet_with_length().snap_bridged().ethernet()),
                kTcp6)
      .ethernet("llc_ipv4", udp4((b = {}).ethernet_with_length().octets({6, 6, 3})), kUdp4)
      .ethernet("llc_spanning_tree",
                (b = {}).ethernet_with_length().octets({0x42, 0x42, 3}).payload(35),
                "ignored non_ip")
      .ethernet("arp", (b = {}).ethernet().ether_type(0x0806).payload(28), "ignored non_ip");
}

inline void add_ip(GoldenSet& set) {
  PacketBuilder b;
  constexpr Ports kPorts{7, 8};
  const auto v4 = [](int protocol, int octets, std::string_view ports = "7|8",
                     std::string_view more = "") {
    return fmt::format("192.0.2.1.{} > 198.51.100.2.{} protocol {}, {} octets{}",
                       ports.substr(0, ports.find('|')), ports.substr(ports.find('|') + 1),
                       protocol, octets, more);
  };
  const auto v6 = [](int protocol, int octets, std::string_view ports = "7|8",
                     std::string_view more = "") {
    return fmt::format("2001:db8::1.{} > 2001:db8::2.{} protocol {}, {} octets{}",
                       ports.substr(0, ports.find('|')), ports.substr(ports.find('|') + 1),
                       protocol, octets, more);
  };
  set.ethernet("options", (b = {}).ethernet().ipv4({.options_octets = 40}).udp(kPorts), v4(17, 68))
      .ethernet("padding", (b = {}).ethernet().ipv4().udp(kPorts).pad_to(60), v4(17, 28))
      .ethernet("no_total_length",
                (b = {}).ethernet().ipv4({.total_length = 0}).udp(kPorts).payload(40), v4(17, 68))
      .ethernet("long_total_length", (b = {}).ethernet().ipv4({.total_length = 900}).udp(kPorts),
                v4(17, 900))
      .ethernet("short_header", (b = {}).ethernet().ipv4({.header_words = 4}).udp(kPorts),
                "ignored malformed")
      .ethernet("sctp", (b = {}).ethernet().ipv4().sctp(kPorts), v4(132, 32))
      .ethernet("dccp", (b = {}).ethernet().ipv6().dccp(kPorts), v6(33, 52))
      .ethernet("udp_lite", (b = {}).ethernet().ipv6().udp_lite(kPorts), v6(136, 48))
      .ethernet("icmp", (b = {}).ethernet().ipv4().icmp(3, 1), v4(1, 28, "0|769"))
      .ethernet("icmp_v6", (b = {}).ethernet().ipv6().icmp_v6(128, 0), v6(58, 48, "0|32768"))
      .ethernet("ospf", (b = {}).ethernet().ipv4().protocol(89).payload(24), v4(89, 44, "0|0"))
      .ethernet("esp", (b = {}).ethernet().ipv6().protocol(50).payload(24), v6(50, 64, "0|0"))
      .ethernet("authentication4", (b = {}).ethernet().ipv4().authentication().udp(kPorts),
                v4(51, 52, "0|0"))
      .ethernet("chain",
                (b = {})
                    .ethernet()
                    .ipv6()
                    .hop_by_hop()
                    .routing(24)
                    .destination_options()
                    .authentication()
                    .host_identity()
                    .shim6()
                    .udp(kPorts),
                v6(17, 160))
      .ethernet("mobility", (b = {}).ethernet().ipv6().mobility(), v6(135, 48, "0|0"))
      .ethernet("no_next_header", (b = {}).ethernet().ipv6().hop_by_hop().payload(8),
                v6(59, 56, "0|0"))
      .ethernet("jumbogram",
                (b = {}).ethernet().ipv6({.payload_length = 0}).hop_by_hop().udp(kPorts),
                v6(17, 56))
      .ethernet("atomic_fragment", (b = {}).ethernet().ipv6().fragment({}).udp(kPorts), v6(17, 56))
      .ethernet("first_fragment",
                (b = {})
                    .ethernet()
                    .ipv6()
                    .fragment({.more = true, .identification = 9})
                    .destination_options()
                    .udp(kPorts),
                v6(17, 64, "7|8", ", first fragment"))
      .ethernet("later_fragment",
                (b = {})
                    .ethernet()
                    .ipv6()
                    .fragment({.offset = 64, .identification = 9})
                    .protocol(17)
                    .payload(8),
                v6(17, 56, "0|0", ", later fragment"))
      .ethernet("first_fragment4",
                (b = {}).ethernet().ipv4({.more_fragments = true}).udp(kPorts).payload(8),
                v4(17, 36, "7|8", ", first fragment"))
      .ethernet("later_fragment4",
                (b = {}).ethernet().ipv4({.fragment_offset = 64}).protocol(17).payload(8),
                v4(17, 28, "0|0", ", later fragment"))
      .ethernet("gre_fragment",
                (b = {}).ethernet().ipv4({.more_fragments = true}).protocol(47).payload(8),
                v4(47, 28, "0|0"))
      .ethernet("no_flow_label", (b = {}).ethernet().ipv6({.version = 5}).udp(kPorts),
                "ignored malformed");
}

// Behind IP, with the outer key of a protocol without ports.
inline void add_ip_tunnels(GoldenSet& set) {
  PacketBuilder b;
  const auto outer = [](int protocol, int octets) {
    return fmt::format("192.0.2.1.0 > 198.51.100.2.0 protocol {}, {} octets", protocol, octets);
  };
  set.ethernet("ip_in_ip", inner4((b = {}).ethernet().ipv4()), outer(4, 56), kInner4)
      .ethernet("ipv6_in_ip", inner6((b = {}).ethernet().ipv4()), outer(41, 84), kInner6)
      .ethernet("gre", inner4((b = {}).ethernet().ipv4().gre()), outer(47, 60), kInner4)
      .ethernet(
          "gre_fields",
          inner6((b = {}).ethernet().ipv4().gre({.checksum = true, .key = true, .sequence = true})),
          outer(47, 100), kInner6)
      .ethernet("gre_ethernet", inner4((b = {}).ethernet().ipv4().gre().ethernet()), outer(47, 74),
                kInner4)
      .ethernet("gre_arp", (b = {}).ethernet().ipv4().gre().ether_type(0x0806).payload(28),
                outer(47, 52), outer(47, 52))
      .ethernet("pptp", inner4((b = {}).ethernet().ipv4().gre_pptp()), outer(47, 70), kInner4)
      .ethernet("eoip", inner4((b = {}).ethernet().ipv4().eoip().ethernet()), outer(47, 78),
                kInner4)
      .ethernet("erspan2", inner4((b = {}).ethernet().ipv4().erspan2().ethernet()), outer(47, 86),
                kInner4)
      .ethernet("erspan3", inner6((b = {}).ethernet().ipv4().erspan3().ethernet()), outer(47, 118),
                kInner6)
      .ethernet("three_tunnels", inner4((b = {}).ethernet().ipv4().gre().ipv4().gre().ipv4()),
                outer(47, 104), kInner4);
}

// Behind UDP, to the port that announces the tunnel.
inline void add_udp_tunnels(GoldenSet& set) {
  PacketBuilder b;
  const auto to = [&](uint16_t port) -> PacketBuilder& {
    return (b = {}).ethernet().ipv4().udp({1234, port});
  };
  const auto outer = [](int port, int octets) {
    return fmt::format("192.0.2.1.1234 > 198.51.100.2.{} protocol 17, {} octets", port, octets);
  };
  set.ethernet("vxlan", inner4(to(4789).vxlan().ethernet()), outer(4789, 86), kInner4)
      .ethernet("vxlan_8472", inner6(to(8472).vxlan().ethernet()), outer(8472, 114), kInner6)
      .ethernet("vxlan_gpe", inner6(to(4790).vxlan_gpe()), outer(4790, 100), kInner6)
      .ethernet("vxlan_gpe_ethernet", inner4(to(4790).vxlan_gpe().ethernet()), outer(4790, 86),
                kInner4)
      .ethernet("geneve", inner4(to(6081).geneve(8).ethernet()), outer(6081, 94), kInner4)
      .ethernet("geneve_ipv6", inner6(to(6081).geneve()), outer(6081, 100), kInner6)
      .ethernet("gtpu", inner4(to(2152).gtpu()), outer(2152, 72), kInner4)
      .ethernet("gtpu_extension", inner6(to(2152).gtpu({.sequence = true, .extension_words = 2})),
                outer(2152, 112), kInner6)
      .ethernet("gtpu_echo", inner4(to(2152).gtpu({.type = 1})), outer(2152, 72), outer(2152, 72))
      .ethernet("l2tp", inner4(to(1701).l2tp().ppp()), outer(1701, 72), kInner4)
      .ethernet("l2tp_fields",
                inner6(to(1701)
                           .l2tp({.length = true, .sequence = true, .offset = 4})
                           .octets({0xff, 3})
                           .ppp()),
                outer(1701, 114), kInner6)
      .ethernet("teredo", inner6(to(3544)), outer(3544, 92), kInner6)
      .ethernet("teredo_authentication_and_origin",
                inner6(to(3544)
                           .octets({0, 1, 2, 1, 'i', 'd', 'v', 0, 0, 0, 0, 0, 0, 0, 0, 0})
                           .octets({0, 0, 1, 2, 3, 4, 5, 6})),
                outer(3544, 116), kInner6)
      .ethernet("mpls_in_udp", inner4(to(6635).mpls(16).mpls(17)), outer(6635, 72), kInner4)
      .ethernet("vxlan_in_vxlan",
                inner4(to(4789).vxlan().ethernet().ipv4().udp({1, 4789}).vxlan().ethernet()),
                outer(4789, 136), kInner4)
      .ethernet("no_vxlan", to(4789).payload(60), outer(4789, 88), outer(4789, 88));
}

inline std::vector<GoldenPacket> golden_packets() {
  GoldenSet set;
  add_link_types(set);
  add_wlan(set);
  add_shims(set);
  add_ip(set);
  add_ip_tunnels(set);
  add_udp_tunnels(set);
  return set.take();
}

}  // namespace clerk::golden
