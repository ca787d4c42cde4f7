// The layers between an Ethernet frame and IP, and tunnels, for the packet builder. What announces
// what is in docs/decoding.md.
#include "base/check.h"
#include "testing/packet_builder.h"

namespace clerk {

PacketBuilder& PacketBuilder::ethernet_with_length() {
  ethernet();
  expect(Announces::Nothing, 0);
  const size_t end = octets_.size();
  lengths_.push_back({.at = end - 2, .from = end});
  return *this;
}

PacketBuilder& PacketBuilder::snap(uint32_t oui) {
  return header({0xaa, 0xaa, 0x03, static_cast<uint8_t>(oui >> 16), static_cast<uint8_t>(oui >> 8),
                 static_cast<uint8_t>(oui), 0, 0},
                Announces::EtherType, 6);
}

PacketBuilder& PacketBuilder::snap_bridged() {
  return header({0xaa, 0xaa, 0x03, 0x00, 0x80, 0xc2, 0x00, 0x07}, Announces::Nothing, 0);
}

PacketBuilder& PacketBuilder::ppp() {
  announce(0x880b, 0);
  return header({0, 0}, Announces::Ppp, 0);
}

PacketBuilder& PacketBuilder::cisco_hdlc() {
  return header({0x0f, 0x00, 0, 0}, Announces::EtherType, 2);
}

PacketBuilder& PacketBuilder::frame_relay() {
  return header({0x18, 0x41, 0x03, 0}, Announces::Nlpid, 3);
}

PacketBuilder& PacketBuilder::pbb(uint32_t service) {
  announce(0x88e7, 0);
  put32(append(4), service & 0xffffff);
  return *this;
}

PacketBuilder& PacketBuilder::macsec() {
  announce(0x88e5, 0);
  const size_t at = append(16);
  octets_[at] = 0x20;      // with a channel identifier; neither encrypted nor changed
  octets_[at + 5] = 0x01;  // the packet number
  expect(Announces::EtherType, at + 14);
  return *this;
}

PacketBuilder& PacketBuilder::pppoe(uint16_t session) {
  announce(0x8864, 0);
  const size_t at = append(6);
  octets_[at] = 0x11;
  put16(at + 2, session);
  lengths_.push_back({.at = at + 4, .from = at + 6});
  return ppp();
}

PacketBuilder& PacketBuilder::gre(GreHeader fields) {
  announce(0, 47);
  const size_t at = append(4 + 4 * (size_t{fields.checksum} + fields.key + fields.sequence));
  octets_[at] = static_cast<uint8_t>((fields.checksum ? 0x80 : 0) | (fields.key ? 0x20 : 0) |
                                     (fields.sequence ? 0x10 : 0));
  expect(Announces::EtherType, at + 2);
  return *this;
}

PacketBuilder& PacketBuilder::gre_pptp() {
  announce(0, 47);
  const size_t at = append(12);  // with a sequence number
  put16(at, 0x3001);
  put16(at + 2, 0x880b);
  lengths_.push_back({.at = at + 4, .from = at + 12});
  return ppp();
}

PacketBuilder& PacketBuilder::erspan2() {
  gre({.sequence = true});
  announce(0x88be, 0);
  octets_[append(8)] = 0x10;
  return *this;
}

PacketBuilder& PacketBuilder::erspan3() {
  gre({.sequence = true});
  announce(0x22eb, 0);
  octets_[append(12)] = 0x20;
  return *this;
}

PacketBuilder& PacketBuilder::eoip() {
  announce(0, 47);
  const size_t at = append(8);
  put32(at, 0x20016400);
  lengths_.push_back({.at = at + 4, .from = at + 8});
  return *this;
}

PacketBuilder& PacketBuilder::vxlan(uint32_t network) {
  const size_t at = append(8);
  octets_[at] = 0x08;
  put32(at + 4, network << 8);
  return *this;
}

PacketBuilder& PacketBuilder::vxlan_gpe(uint32_t network) {
  const size_t at = append(8);
  octets_[at] = 0x0c;
  put32(at + 4, network << 8);
  expect(Announces::Gpe, at + 3);
  return *this;
}

PacketBuilder& PacketBuilder::geneve(size_t options_octets) {
  CHECK(options_octets % 4 == 0 && options_octets < 256);
  const size_t at = append(8 + options_octets);
  octets_[at] = static_cast<uint8_t>(options_octets / 4);
  expect(Announces::EtherType, at + 2);
  return *this;
}

PacketBuilder& PacketBuilder::gtpu(GtpuHeader fields) {
  constexpr uint8_t kUnnumbered = 0xc0;  // an extension of any content
  const bool extended = fields.extension_words > 0;
  const bool optional = fields.sequence || extended;
  const size_t at = append(8 + (optional ? 4 : 0) + 4 * fields.extension_words);
  octets_[at] = static_cast<uint8_t>(0x30 | (extended ? 4 : 0) | (fields.sequence ? 2 : 0));
  octets_[at + 1] = fields.type;
  lengths_.push_back({.at = at + 2, .from = at + 8});
  if (extended) {
    octets_[at + 11] = kUnnumbered;
    octets_[at + 12] = static_cast<uint8_t>(fields.extension_words);
  }
  return *this;
}

PacketBuilder& PacketBuilder::l2tp(L2tpHeader fields) {
  const size_t begin = octets_.size();
  put16(append(2),
        static_cast<uint16_t>(2 | (fields.length ? 0x4000 : 0) | (fields.sequence ? 0x0800 : 0) |
                              (fields.offset ? 0x0200 : 0)));
  if (fields.length) lengths_.push_back({.at = append(2), .from = begin});
  append(4);  // tunnel and session
  if (fields.sequence) append(4);
  if (fields.offset) {
    put16(append(2), *fields.offset);
    append(*fields.offset);
  }
  return *this;
}

}  // namespace clerk
