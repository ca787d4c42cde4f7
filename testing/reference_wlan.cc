#include "testing/reference_layers.h"

namespace clerk::reference {
namespace {

enum class HeaderPadding : uint8_t { None, ToFourOctets };

struct FrameControl {
  explicit FrameControl(const Octets& octets)
      : type(octets.at(0) >> 2 & 3), subtype(octets.at(0) >> 4), flags(octets.at(1)) {}

  [[nodiscard]] bool is_data() const { return type == 2 && !(subtype & 4); }
  [[nodiscard]] bool has_qos() const { return (subtype & 8) != 0; }
  [[nodiscard]] bool to_ds() const { return (flags & 1) != 0; }
  [[nodiscard]] bool from_ds() const { return (flags & 2) != 0; }
  [[nodiscard]] bool is_protected() const { return (flags & 64) != 0; }
  [[nodiscard]] bool has_order() const { return (flags & 128) != 0; }
  [[nodiscard]] bool has_fourth_address() const { return to_ds() && from_ds(); }

  // Where the QoS octets stand, if there are any.
  [[nodiscard]] size_t qos_at() const { return has_fourth_address() ? 30 : 24; }

  [[nodiscard]] size_t header_octets() const {
    size_t octets = qos_at();
    if (has_qos()) octets += 2;
    if (has_qos() && has_order()) octets += 4;
    return octets;
  }

  int type;
  int subtype;
  int flags;
};

// IEEE 802.11 table 9-30: which of the addresses are those of the frame's ends.
void tell_ends(Link& link, const FrameControl& control, const Octets& header) {
  const size_t address[] = {4, 10, 16, 24};
  const size_t destination = control.to_ds() ? address[2] : address[0];
  size_t source = address[1];
  if (control.from_ds()) source = control.to_ds() ? address[3] : address[2];
  link.destination = part_of(header, destination, 6);
  link.source = part_of(header, source, 6);
}

Answer frame(Way way, Reader rest, HeaderPadding padding) {
  way.link.octets = rest.wire_left();
  const FrameControl control(rest.peek(2));
  if (!control.is_data()) return without_key(way, Stop::NonIp);
  size_t octets = control.header_octets();
  if (padding == HeaderPadding::ToFourOctets) octets = (octets + 3) / 4 * 4;
  const Octets header = rest.take(octets);
  tell_ends(way.link, control, header);
  const bool holds_several_packets = control.has_qos() && (header.at(control.qos_at()) & 0x80) != 0;
  const bool is_later_fragment = (header.at(22) & 0x0f) != 0;
  if (control.is_protected()) return without_key(way, Stop::WlanProtected);
  if (holds_several_packets) return without_key(way, Stop::WlanAmsdu);
  if (is_later_fragment) return without_key(way, Stop::WlanFragment);
  return llc(way, rest);
}

// The flags field of a radiotap header, 0 if it has none.
int radiotap_flags(const Octets& header) {
  constexpr uint64_t kTsft = 1U << 0;
  constexpr uint64_t kFlags = 1U << 1;
  constexpr uint64_t kOneMore = 1U << 31;
  Reader fields(header, header.size());
  fields.pass(4);
  const uint64_t present = little_endian(fields.take(4), 0, 4);
  if (!(present & kFlags)) return 0;
  size_t at = 8;
  for (uint64_t word = present; word & kOneMore; at += 4)
    word = little_endian(fields.take(4), 0, 4);
  if (present & kTsft) fields.pass((at + 7) / 8 * 8 - at + 8);
  return fields.take(1).at(0);
}

}  // namespace

Answer wlan(const Way& way, const Reader& rest) { return frame(way, rest, HeaderPadding::None); }

Answer radiotap(const Way& way, Reader rest) {
  constexpr int kCheckSequence = 0x10;
  constexpr int kPadded = 0x20;
  constexpr size_t kCheckSequenceOctets = 4;
  const Octets beginning = rest.peek(8);
  const size_t length = little_endian(beginning, 2, 2);
  if (beginning.at(0) != 0 || length < 8) throw Ended{Stop::Malformed};
  const int flags = radiotap_flags(rest.take(length));
  if (flags & kCheckSequence)
    rest.draw_in(rest.wire_left() - std::min(rest.wire_left(), kCheckSequenceOctets));
  return frame(way, rest, flags & kPadded ? HeaderPadding::ToFourOctets : HeaderPadding::None);
}

}  // namespace clerk::reference
