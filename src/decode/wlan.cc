#include "decode/wlan.h"

#include <algorithm>
#include <optional>

#include "decode/wire.h"

namespace clerk {
namespace {

using namespace wire;

// The address fields, whose meaning depends on which sides are distribution systems.
void note_addresses(bool to_ds, bool from_ds, const uint8_t* begin, LinkHeaders& link) {
  link.destination = begin + (to_ds ? kWlanAddress3At : kWlanAddress1At);
  if (to_ds && from_ds) {
    link.source = begin + kWlanAddress4At;
  } else {
    link.source = begin + (from_ds ? kWlanAddress3At : kWlanAddress2At);
  }
}

}  // namespace

Next read_wlan(Walk& walk, bool padded) {
  ByteReader& reader = walk.reader;
  if (!reader.has(2)) return stops(reader.missing(2));
  const uint8_t kind = reader.octet(0);
  const uint8_t flags = reader.octet(1);
  if ((kind & wlan::kTypeMask) != wlan::kData || (kind & wlan::kNoData) != 0)
    return stops(Stop::NonIp);
  const bool to_ds = (flags & wlan::kToDs) != 0;
  const bool from_ds = (flags & wlan::kFromDs) != 0;
  const bool qos = (kind & wlan::kQos) != 0;
  const size_t qos_at = kWlanOctets + (to_ds && from_ds ? kMacOctets : 0);
  const bool has_ht = qos && (flags & wlan::kOrder) != 0;
  size_t octets = qos_at + (qos ? kWlanQosOctets : 0) + (has_ht ? kWlanHtOctets : 0);
  if (padded) octets = (octets + 3) / 4 * 4;
  if (!reader.has(octets)) return stops(reader.missing(octets));
  walk.note("IEEE 802.11", octets, "data{}{}{}", qos ? ", QoS" : "", to_ds ? ", to DS" : "",
            from_ds ? ", from DS" : "");
  note_addresses(to_ds, from_ds, reader.position(), walk.headers.link);
  if ((flags & wlan::kProtected) != 0) return stops(Stop::WlanProtected);
  if (qos && (reader.octet(qos_at) & wlan::kAmsdu) != 0) return stops(Stop::WlanAmsdu);
  if ((reader.octet(kWlanSequenceAt) & wlan::kFragmentMask) != 0) return stops(Stop::WlanFragment);
  reader.skip(octets);
  return announces(next::kLlc);
}

namespace {

// The flags of a radiotap header of so many octets, 0 when it has none; nothing when it claims some
// and has no room for them.
std::optional<uint8_t> flags_of(const ByteReader& reader, size_t header_octets) {
  const auto present_at = [&](size_t at) { return reader.load_little_endian<uint32_t>(at); };
  const uint32_t present = present_at(kRadiotapPresentAt);
  if ((present & radiotap::kHasFlags) == 0) return 0;
  size_t at = kRadiotapPresentAt;
  while ((present_at(at) & radiotap::kMorePresent) != 0) {
    at += sizeof(uint32_t);
    if (at + sizeof(uint32_t) > header_octets) return std::nullopt;
  }
  at += sizeof(uint32_t);
  if ((present & radiotap::kHasTime) != 0) at = (at + 7) / 8 * 8 + sizeof(uint64_t);
  if (at >= header_octets) return std::nullopt;
  return reader.octet(at);
}

}  // namespace

Next read_radiotap(Walk& walk) {
  ByteReader& reader = walk.reader;
  if (!reader.has(kRadiotapOctetsMin)) return stops(reader.missing(kRadiotapOctetsMin));
  const size_t octets = reader.load_little_endian<uint16_t>(2);
  if (reader.octet(0) != 0 || octets < kRadiotapOctetsMin) return stops(Stop::Malformed);
  if (!reader.has(octets)) return stops(reader.missing(octets));
  const auto flags = flags_of(reader, octets);
  if (!flags) return stops(Stop::Malformed);
  walk.note("radiotap", octets, "flags {:#04x}", *flags);
  reader.skip(octets);
  const size_t left = reader.left_on_wire();
  if ((*flags & radiotap::kFcsAtEnd) != 0)
    reader.limit(left - std::min(left, radiotap::kFcsOctets));
  walk.headers.link.octets = static_cast<uint32_t>(reader.left_on_wire());
  return read_wlan(walk, (*flags & radiotap::kPadded) != 0);
}

}  // namespace clerk
