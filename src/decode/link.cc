#include "decode/link.h"

#include "decode/wire.h"

namespace clerk {
namespace {

using namespace wire;

// What one header said about the next.
struct Next {
  Stop stop;
  uint16_t ether_type;
};

Next ethernet(ByteReader& reader) {
  if (!reader.has(kEthernetOctets)) return {Stop::Truncated, 0};
  const auto type = reader.load<uint16_t>(kEthernetTypeAt);
  reader.skip(kEthernetOctets);
  return {Stop::Done, type};
}

Next linux_cooked(ByteReader& reader, size_t octets, size_t hardware_at, size_t protocol_at) {
  if (!reader.has(octets)) return {Stop::Truncated, 0};
  const bool netlink = reader.load<uint16_t>(hardware_at) == kHardwareNetlink;
  const auto type = reader.load<uint16_t>(protocol_at);
  reader.skip(octets);
  return {netlink ? Stop::NonIp : Stop::Done, type};
}

// Raw IP tells its version only in its own first four bits.
Next raw(const ByteReader& reader) {
  if (!reader.has(1)) return {Stop::Truncated, 0};
  switch (reader.octet(0) >> 4) {
    case 4: return {Stop::Done, ether_type::kIpv4};
    case 6: return {Stop::Done, ether_type::kIpv6};
    default: return {Stop::NonIp, 0};
  }
}

Next link_header(LinkType link_type, ByteReader& reader) {
  switch (link_type) {
    case LinkType::Ethernet: return ethernet(reader);
    case LinkType::LinuxCooked:
      return linux_cooked(reader, kLinuxCookedOctets, kLinuxCookedHardwareAt,
                          kLinuxCookedProtocolAt);
    case LinkType::LinuxCooked2:
      return linux_cooked(reader, kLinuxCooked2Octets, kLinuxCooked2HardwareAt,
                          kLinuxCooked2ProtocolAt);
    case LinkType::RawBsd:
    case LinkType::RawOpenBsd:
    case LinkType::Raw: return raw(reader);
    case LinkType::Ipv4: return {Stop::Done, ether_type::kIpv4};
    case LinkType::Ipv6: return {Stop::Done, ether_type::kIpv6};
    case LinkType::NotIp: return {Stop::NonIp, 0};
  }
  return {Stop::LinkType, 0};
}

bool is_vlan_tag(uint16_t type) {
  return type == ether_type::kVlan || type == ether_type::kServiceVlan ||
         type == ether_type::kVlan9100 || type == ether_type::kVlan9200 ||
         type == ether_type::kVlan9300;
}

// Which of the layers looked through an EtherType announces.
enum class Shim : uint8_t { None, Vlan, Mpls };

Shim shim_of(uint16_t type) {
  if (is_vlan_tag(type)) return Shim::Vlan;
  if (type == ether_type::kMpls || type == ether_type::kMplsMulticast) return Shim::Mpls;
  return Shim::None;
}

// Counts the shims of a packet and remembers its outermost tag.
struct ShimState {
  int followed = 0;
  bool tagged = false;
};

Next vlan_tag(ByteReader& reader, ShimState& state, Headers& headers) {
  if (!reader.has(kVlanOctets)) return {Stop::Truncated, 0};
  if (!state.tagged) headers.vlan_id = reader.load<uint16_t>(0) & kVlanIdMask;
  state.tagged = true;
  const auto type = reader.load<uint16_t>(2);
  reader.skip(kVlanOctets);
  return {Stop::Done, type};
}

// Whether an IP header at `reader` agrees with itself and with what is left of the packet on the
// wire.
bool is_plausible_ip(const ByteReader& reader, uint32_t wire_octets) {
  if (!reader.has(1)) return false;
  const unsigned version = reader.octet(0) >> 4;
  if (version == 4 && reader.has(kIpv4LengthAt + 2)) {
    const unsigned header_octets = (reader.octet(0) & 0x0fU) * 4;
    const auto total_octets = reader.load<uint16_t>(kIpv4LengthAt);
    return header_octets >= kIpv4OctetsMin && header_octets <= total_octets &&
           total_octets <= wire_octets;
  }
  return version == 6 && reader.has(kIpv6LengthAt + 2) &&
         reader.load<uint16_t>(kIpv6LengthAt) + kIpv6Octets <= wire_octets;
}

// Whether an Ethernet header at `reader` leads to such an IP header, also behind tags.
bool leads_to_plausible_ip(ByteReader reader, uint32_t wire_octets) {
  const size_t before = reader.left();
  Next next = ethernet(reader);
  ShimState ignored;
  Headers unused;
  while (next.stop == Stop::Done && is_vlan_tag(next.ether_type))
    next = vlan_tag(reader, ignored, unused);
  const bool is_ip = next.ether_type == ether_type::kIpv4 || next.ether_type == ether_type::kIpv6;
  const auto passed = static_cast<uint32_t>(before - reader.left());
  return next.stop == Stop::Done && is_ip && raw(reader).ether_type == next.ether_type &&
         passed <= wire_octets && is_plausible_ip(reader, wire_octets - passed);
}

// Whether an EtherType that is followed stands where an Ethernet header at `reader` would have it.
bool has_known_ether_type(const ByteReader& reader) {
  if (!reader.has(kEthernetOctets)) return false;
  const auto type = reader.load<uint16_t>(kEthernetTypeAt);
  return type == ether_type::kIpv4 || type == ether_type::kIpv6 || shim_of(type) != Shim::None;
}

// No EtherType follows a label stack. Four first bits of 0 are a pseudowire's control word in front
// of an Ethernet frame. Otherwise there is an Ethernet frame, whose address may look like an IP
// header, or IP, whose address may look like an EtherType: the one that holds together. Anything
// else is not guessed at.
Next below_labels(ByteReader& reader, uint32_t wire_octets) {
  if (!reader.has(1)) return {Stop::Truncated, 0};
  ByteReader behind_control_word = reader;
  if (reader.octet(0) >> 4 == 0 && reader.has(kControlWordOctets)) {
    behind_control_word.skip(kControlWordOctets);
    if (has_known_ether_type(behind_control_word)) {
      reader = behind_control_word;
      return ethernet(reader);
    }
  }
  if (leads_to_plausible_ip(reader, wire_octets)) return ethernet(reader);
  if (is_plausible_ip(reader, wire_octets)) return raw(reader);
  if (has_known_ether_type(reader)) return ethernet(reader);
  const bool short_of_all = !reader.has(kControlWordOctets + kEthernetOctets);
  return {short_of_all ? Stop::Truncated : Stop::NonIp, 0};
}

Next mpls_label(ByteReader& reader, uint32_t wire_octets) {
  if (!reader.has(kMplsOctets)) return {Stop::Truncated, 0};
  const bool bottom = (reader.load<uint32_t>(0) & kMplsBottomBit) != 0;
  reader.skip(kMplsOctets);
  if (!bottom) return {Stop::Done, ether_type::kMpls};
  return below_labels(reader, wire_octets - static_cast<uint32_t>(kMplsOctets));
}

}  // namespace

Stop find_network_header(const Packet& packet, ByteReader& reader, Headers& headers) {
  ShimState state{.tagged = packet.stripped_vlan_id != kNoVlanTag};
  headers.vlan_id = state.tagged ? packet.stripped_vlan_id : uint16_t{0};
  Next next = link_header(packet.link_type, reader);
  while (next.stop == Stop::Done) {
    if (next.ether_type == ether_type::kIpv4 || next.ether_type == ether_type::kIpv6) {
      headers.version = next.ether_type == ether_type::kIpv4 ? IpVersion::V4 : IpVersion::V6;
      return Stop::Done;
    }
    const Shim shim = shim_of(next.ether_type);
    if (shim == Shim::None) return Stop::NonIp;
    if (++state.followed > kShimsMax) return Stop::DepthLimit;
    next = shim == Shim::Vlan ? vlan_tag(reader, state, headers)
                              : mpls_label(reader, octets_left_on_wire(packet, reader));
  }
  return next.stop;
}

}  // namespace clerk
