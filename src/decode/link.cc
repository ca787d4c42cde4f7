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

// No EtherType follows a label stack: an IP packet shows by its version, an Ethernet pseudowire by
// the zero first bits of its control word. Anything else is not guessed at.
Next below_labels(ByteReader& reader) {
  if (!reader.has(1)) return {Stop::Truncated, 0};
  if (reader.octet(0) >> 4 != 0) return raw(reader);
  if (!reader.has(kControlWordOctets)) return {Stop::Truncated, 0};
  reader.skip(kControlWordOctets);
  return ethernet(reader);
}

Next mpls_label(ByteReader& reader) {
  if (!reader.has(kMplsOctets)) return {Stop::Truncated, 0};
  const bool bottom = (reader.load<uint32_t>(0) & kMplsBottomBit) != 0;
  reader.skip(kMplsOctets);
  return bottom ? below_labels(reader) : Next{Stop::Done, ether_type::kMpls};
}

}  // namespace

Stop find_network_header(LinkType link_type, ByteReader& reader, Headers& headers) {
  headers.vlan_id = 0;
  ShimState state;
  Next next = link_header(link_type, reader);
  while (next.stop == Stop::Done) {
    if (next.ether_type == ether_type::kIpv4 || next.ether_type == ether_type::kIpv6) {
      headers.version = next.ether_type == ether_type::kIpv4 ? IpVersion::V4 : IpVersion::V6;
      return Stop::Done;
    }
    const Shim shim = shim_of(next.ether_type);
    if (shim == Shim::None) return Stop::NonIp;
    if (++state.followed > kShimsMax) return Stop::DepthLimit;
    next = shim == Shim::Vlan ? vlan_tag(reader, state, headers) : mpls_label(reader);
  }
  return next.stop;
}

}  // namespace clerk
