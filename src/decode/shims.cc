#include "decode/shims.h"

#include "decode/wire.h"

namespace clerk {
namespace {

using namespace wire;

bool is_vlan_tag(uint32_t type) {
  return type == ether_type::kVlan || type == ether_type::kServiceVlan ||
         type == ether_type::kVlan9100 || type == ether_type::kVlan9200 ||
         type == ether_type::kVlan9300;
}

bool is_ip(uint32_t type) { return type == ether_type::kIpv4 || type == ether_type::kIpv6; }

bool is_mpls(uint32_t type) {
  return type == ether_type::kMpls || type == ether_type::kMplsMulticast;
}

// The EtherType of an Ethernet frame or tag, or IEEE 802.3's length in its place.
Next type_or_length(Walk& walk, uint16_t type) {
  if (type >= ether_type::kMin) [[likely]]
    return announces(type);
  if (type > kLength8023Max) return stops(Stop::NonIp);
  walk.reader.limit(type);
  return announces(next::kLlc);
}

Next vlan_tag(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kVlanOctets)) return stops(reader.missing(kVlanOctets));
  const auto vlan_id = static_cast<uint16_t>(reader.load<uint16_t>(0) & kVlanIdMask);
  const auto type = reader.load<uint16_t>(2);
  walk.note("VLAN", kVlanOctets, "id {}, type {:#06x}", vlan_id, type);
  if (!walk.tagged) walk.headers.vlan_id = vlan_id;
  walk.tagged = true;
  reader.skip(kVlanOctets);
  return type_or_length(walk, type);
}

Next backbone_service_tag(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kServiceTagOctets)) return stops(reader.missing(kServiceTagOctets));
  walk.note("802.1ah service tag", kServiceTagOctets, "service {}",
            reader.load<uint32_t>(0) & 0xffffffU);
  reader.skip(kServiceTagOctets);
  return read_ethernet(walk);
}

Next macsec(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kMacsecOctetsMin)) return stops(reader.missing(kMacsecOctetsMin));
  const uint8_t control = reader.octet(0);
  const size_t short_length = reader.octet(1) & kMacsecShortLengthMask;
  const size_t octets = kMacsecOctetsMin + ((control & kMacsecHasSci) != 0 ? kMacsecSciOctets : 0);
  walk.note("MACsec", octets, "TCI {:#04x}, short length {}", control, short_length);
  if ((control & kMacsecEncryptedOrChanged) != 0) return stops(Stop::Macsec);
  if (!reader.has(octets)) return stops(reader.missing(octets));
  reader.skip(octets);
  if (reader.left_on_wire() < kMacsecIcvOctets) return stops(Stop::Malformed);
  reader.limit(reader.left_on_wire() - kMacsecIcvOctets);
  if (short_length != 0) reader.limit(short_length);
  if (!reader.has(2)) return stops(reader.missing(2));
  const auto type = reader.load<uint16_t>(0);
  reader.skip(2);
  return type_or_length(walk, type);
}

Next pppoe_session(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kPppoeOctets)) return stops(reader.missing(kPppoeOctets));
  const size_t length = reader.load<uint16_t>(kPppoeLengthAt);
  walk.note("PPPoE", kPppoeOctets, "session {}, length {}", reader.load<uint16_t>(2), length);
  reader.skip(kPppoeOctets);
  reader.limit(length);
  return read_ppp(walk);
}

Next llc(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kLlcOctets)) return stops(reader.missing(kLlcOctets));
  const uint8_t destination = reader.octet(0);
  const uint8_t source = reader.octet(1) & kSapCommandMask;
  walk.note("LLC", kLlcOctets, "DSAP {:#04x}, SSAP {:#04x}", destination, reader.octet(1));
  const bool is_data = reader.octet(2) == kUnnumberedInformation;
  reader.skip(kLlcOctets);
  if (is_data && destination == kSapSnap && source == kSapSnap) return read_snap(walk);
  if (is_data && destination == kSapIp && source == kSapIp) return announces(ether_type::kIpv4);
  return stops(Stop::NonIp);
}

Next raw_ip(const ByteReader& reader) {
  if (!reader.has(1)) return stops(reader.missing(1));
  switch (reader.octet(0) >> 4) {
    case 4: return announces(ether_type::kIpv4);
    case 6: return announces(ether_type::kIpv6);
    default: return stops(Stop::NonIp);
  }
}

// Whether something holds, as far as the captured octets tell.
enum class Answer : uint8_t { No, Yes, CutOff };

Answer lacking(const ByteReader& reader, size_t octets) {
  return reader.missing(octets) == Stop::Truncated ? Answer::CutOff : Answer::No;
}

// Whether an IP header at `reader` agrees with itself and with what is left of the packet on the
// wire.
Answer fits_ip(const ByteReader& reader, uint32_t ether_type) {
  if (!reader.has(1)) return lacking(reader, 1);
  const unsigned version = reader.octet(0) >> 4;
  if (version == 4 && ether_type != ether_type::kIpv6) {
    if (!reader.has(kIpv4LengthAt + 2)) return lacking(reader, kIpv4LengthAt + 2);
    const size_t header_octets = size_t{reader.octet(0) & 0x0fU} * 4;
    const size_t total_octets = reader.load<uint16_t>(kIpv4LengthAt);
    const bool fits = header_octets >= kIpv4OctetsMin && header_octets <= total_octets &&
                      total_octets <= reader.left_on_wire();
    return fits ? Answer::Yes : Answer::No;
  }
  if (version == 6 && ether_type != ether_type::kIpv4) {
    if (!reader.has(kIpv6LengthAt + 2)) return lacking(reader, kIpv6LengthAt + 2);
    const size_t octets = reader.load<uint16_t>(kIpv6LengthAt) + kIpv6Octets;
    return octets <= reader.left_on_wire() ? Answer::Yes : Answer::No;
  }
  return Answer::No;
}

// Whether an Ethernet header at `reader` leads to such an IP header, also behind tags.
Answer leads_to_ip(ByteReader reader) {
  if (!reader.has(kEthernetOctets)) return lacking(reader, kEthernetOctets);
  auto type = reader.load<uint16_t>(kEthernetTypeAt);
  reader.skip(kEthernetOctets);
  while (is_vlan_tag(type)) {
    if (!reader.has(kVlanOctets)) return lacking(reader, kVlanOctets);
    type = reader.load<uint16_t>(2);
    reader.skip(kVlanOctets);
  }
  return is_ip(type) ? fits_ip(reader, type) : Answer::No;
}

// Whether an EtherType that is followed stands where an Ethernet header at `reader` would have it.
Answer has_known_ether_type(const ByteReader& reader) {
  if (!reader.has(kEthernetOctets)) return lacking(reader, kEthernetOctets);
  const auto type = reader.load<uint16_t>(kEthernetTypeAt);
  return is_ip(type) || is_vlan_tag(type) || is_mpls(type) ? Answer::Yes : Answer::No;
}

// Four first bits of 0 are a control word if an Ethernet header is behind it.
Answer is_control_word(ByteReader reader) {
  if (!reader.has(1)) return lacking(reader, 1);
  if (reader.octet(0) >> 4 != 0) return Answer::No;
  constexpr size_t kOctets = kControlWordOctets + kEthernetOctets;
  if (!reader.has(kOctets)) return lacking(reader, kOctets);
  reader.skip(kControlWordOctets);
  return has_known_ether_type(reader);
}

// No EtherType follows a label stack. There is a pseudowire's control word in front of an Ethernet
// header, or an Ethernet header, whose address may look like an IP header, or IP, whose address may
// look like an EtherType: the one that holds together. Anything else is not guessed at.
Next below_labels(Walk& walk) {
  ByteReader& reader = walk.reader;
  const Answer ethernet = leads_to_ip(reader);
  if (ethernet == Answer::CutOff) return stops(Stop::Truncated);
  if (ethernet == Answer::Yes) return read_ethernet(walk);
  const Answer control_word = is_control_word(reader);
  if (control_word == Answer::CutOff) return stops(Stop::Truncated);
  if (control_word == Answer::Yes) {
    walk.note("control word", kControlWordOctets, "");
    reader.skip(kControlWordOctets);
    return read_ethernet(walk);
  }
  const Answer ip = fits_ip(reader, 0);
  if (ip == Answer::CutOff) return stops(Stop::Truncated);
  if (ip == Answer::Yes) return announces(next::kRawIp);
  return has_known_ether_type(reader) == Answer::Yes ? read_ethernet(walk) : stops(Stop::NonIp);
}

Next mpls_label(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kMplsOctets)) return stops(reader.missing(kMplsOctets));
  const auto entry = reader.load<uint32_t>(0);
  const bool bottom = (entry & kMplsBottomBit) != 0;
  walk.note("MPLS", kMplsOctets, "label {}{}", entry >> kMplsLabelShift, bottom ? ", bottom" : "");
  reader.skip(kMplsOctets);
  return bottom ? below_labels(walk) : announces(next::kLabels);
}

using Shim = Next (*)(Walk&);

// What reads the shim of this number; none when it is not one that is looked through.
Shim shim_of(uint32_t protocol) {
  if (is_vlan_tag(protocol)) return vlan_tag;
  if (is_mpls(protocol)) return mpls_label;
  switch (protocol) {
    case next::kLabels: return mpls_label;
    case next::kLlc: return llc;
    case ether_type::kPpp: return read_ppp;
    case ether_type::kPppoeSession: return pppoe_session;
    case next::kEthernet:
    case ether_type::kTransparentEthernet: return read_ethernet;
    case ether_type::kBackboneService: return backbone_service_tag;
    case ether_type::kMacsec: return macsec;
    default: return nullptr;
  }
}

}  // namespace

Next read_ethernet(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kEthernetOctets)) return stops(reader.missing(kEthernetOctets));
  const auto type = reader.load<uint16_t>(kEthernetTypeAt);
  walk.note("Ethernet", kEthernetOctets, "type {:#06x}", type);
  reader.skip(kEthernetOctets);
  return type_or_length(walk, type);
}

Next read_ppp(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(1)) return stops(reader.missing(1));
  if (reader.octet(0) == kPppHdlc >> 8) {
    if (!reader.has(kPppHdlcOctets)) return stops(reader.missing(kPppHdlcOctets));
    if (reader.load<uint16_t>(0) == kPppHdlc) reader.skip(kPppHdlcOctets);
    if (!reader.has(1)) return stops(reader.missing(1));
  }
  const size_t octets = (reader.octet(0) & 1) != 0 ? 1 : 2;
  if (!reader.has(octets)) return stops(reader.missing(octets));
  const uint16_t protocol = octets == 1 ? reader.octet(0) : reader.load<uint16_t>(0);
  walk.note("PPP", octets, "protocol {:#06x}", protocol);
  reader.skip(octets);
  switch (protocol) {
    case ppp::kIpv4: return announces(ether_type::kIpv4);
    case ppp::kIpv6: return announces(ether_type::kIpv6);
    case ppp::kMpls:
    case ppp::kMplsMulticast: return announces(next::kLabels);
    default: return stops(Stop::NonIp);
  }
}

Next read_snap(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kSnapOctets)) return stops(reader.missing(kSnapOctets));
  const uint32_t oui = uint32_t{reader.octet(0)} << 16 | reader.load<uint16_t>(1);
  const auto protocol = reader.load<uint16_t>(3);
  walk.note("SNAP", kSnapOctets, "OUI {:06x}, protocol {:#06x}", oui, protocol);
  reader.skip(kSnapOctets);
  const bool is_ether_type = oui == kOuiEtherType || oui == kOuiBridgeTunnel;
  if (is_ether_type && protocol >= ether_type::kMin) return announces(protocol);
  const bool is_bridged =
      oui == kOuiBridged && (protocol == kBridgedEthernet || protocol == kBridgedEthernetWithFcs);
  return is_bridged ? announces(next::kEthernet) : stops(Stop::NonIp);
}

Stop follow_shims(Next next, Walk& walk) {
  LinkHeaders& link = walk.headers.link;
  while (next.stop == Stop::Done) {
    if (is_ip(next.protocol)) {
      walk.headers.version = next.protocol == ether_type::kIpv4 ? IpVersion::V4 : IpVersion::V6;
      return Stop::Done;
    }
    if (next.protocol == next::kRawIp) {
      next = raw_ip(walk.reader);
      continue;
    }
    if (next.protocol <= UINT16_MAX) link.ether_type = static_cast<uint16_t>(next.protocol);
    if (next.protocol == next::kLlc) link.ether_type = 0;
    const Shim read_shim = shim_of(next.protocol);
    if (read_shim == nullptr) return Stop::NonIp;
    if (++walk.shims > kShimsMax) return Stop::DepthLimit;
    next = read_shim(walk);
  }
  return next.stop;
}

}  // namespace clerk
