#include "testing/packet_builder.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/big_endian.h"
#include "base/check.h"

namespace clerk {
namespace {

constexpr uint8_t kPayloadOctet = 0xda;
constexpr uint8_t kPaddingOctet = 0xee;
constexpr uint8_t kAnyProtocol = 59;  // what an IP header announces when nothing follows it
constexpr uint8_t kBottomBit = 1;     // in the third octet of an MPLS label stack entry
constexpr uint16_t kBridging = 0x6558;

// What PPP, Frame Relay and VXLAN-GPE call that which an EtherType names.
uint16_t ppp_protocol_of(uint16_t ether_type) {
  switch (ether_type) {
    case 0x0800: return 0x0021;
    case 0x86dd: return 0x0057;
    case 0x8847: return 0x0281;
    default: return 0xc021;  // of the Link Control Protocol
  }
}

uint8_t nlpid_of(uint16_t ether_type) { return ether_type == 0x0800 ? 0xcc : 0x8e; }

uint8_t gpe_protocol_of(uint16_t ether_type) {
  if (ether_type == kBridging) return 3;
  return ether_type == 0x0800 ? 1 : 2;
}

}  // namespace

size_t PacketBuilder::append(size_t octets) {
  const size_t at = octets_.size();
  octets_.resize(at + octets);
  return at;
}

void PacketBuilder::put16(size_t at, uint16_t value) { store_big_endian(&octets_[at], value); }
void PacketBuilder::put32(size_t at, uint32_t value) { store_big_endian(&octets_[at], value); }

void PacketBuilder::put_address(int family, const std::string& text, size_t at) {
  CHECK(::inet_pton(family, text.c_str(), &octets_[at]) == 1);
}

void PacketBuilder::announce(uint16_t ether_type, uint8_t protocol) {
  switch (announces_) {
    case Announces::Nothing: break;
    case Announces::EtherType: put16(announcement_at_, ether_type); break;
    case Announces::Protocol: octets_[announcement_at_] = protocol; break;
    case Announces::Ppp: put16(announcement_at_, ppp_protocol_of(ether_type)); break;
    case Announces::Nlpid: octets_[announcement_at_] = nlpid_of(ether_type); break;
    case Announces::Gpe: octets_[announcement_at_] = gpe_protocol_of(ether_type); break;
  }
  announces_ = Announces::Nothing;
  last_label_at_.reset();
}

void PacketBuilder::expect(Announces by, size_t at) {
  announces_ = by;
  announcement_at_ = at;
}

void PacketBuilder::fill_length(std::optional<uint16_t> length, LengthField field) {
  if (length) {
    put16(field.at, *length);
  } else {
    lengths_.push_back(field);
  }
}

PacketBuilder& PacketBuilder::ethernet() {
  announce(kBridging, 143);
  const size_t at = append(14);
  octets_[at] = octets_[at + 6] = 0x02;  // locally administered addresses
  octets_[at + 5] = 0x02;
  octets_[at + 11] = 0x01;
  expect(Announces::EtherType, at + 12);
  return *this;
}

PacketBuilder& PacketBuilder::linux_cooked(uint16_t hardware) {
  const size_t at = append(16);
  put16(at + 2, hardware);
  put16(at + 4, 6);
  expect(Announces::EtherType, at + 14);
  return *this;
}

PacketBuilder& PacketBuilder::linux_cooked2(uint16_t hardware) {
  const size_t at = append(20);
  put16(at + 8, hardware);
  octets_[at + 11] = 6;
  expect(Announces::EtherType, at);
  return *this;
}

PacketBuilder& PacketBuilder::vlan(uint16_t id, VlanTag tag) {
  announce(tag.tpid, kAnyProtocol);
  const size_t at = append(4);
  put16(at, static_cast<uint16_t>(tag.priority << 13 | id));
  expect(Announces::EtherType, at + 2);
  return *this;
}

PacketBuilder& PacketBuilder::mpls(uint32_t label, uint16_t ether_type) {
  constexpr uint8_t kMplsInIp = 137;
  if (last_label_at_) octets_[*last_label_at_ + 2] &= static_cast<uint8_t>(~kBottomBit);
  announce(ether_type, kMplsInIp);
  const size_t at = append(4);
  put32(at, label << 12 | uint32_t{kBottomBit} << 8 | 64);
  last_label_at_ = at;
  return *this;
}

PacketBuilder& PacketBuilder::control_word() {
  append(4);
  return *this;
}

PacketBuilder& PacketBuilder::ether_type(uint16_t type) {
  announce(type, kAnyProtocol);
  return *this;
}

PacketBuilder& PacketBuilder::protocol(uint8_t number) {
  announce(0, number);
  return *this;
}

PacketBuilder& PacketBuilder::ipv4(const Ipv4Header& header) {
  announce(0x0800, 4);
  const size_t at = append(20 + header.options_octets);
  const auto words = static_cast<uint8_t>(5 + header.options_octets / 4);
  octets_[at] = static_cast<uint8_t>(header.version << 4 | header.header_words.value_or(words));
  octets_[at + 1] = header.tos;
  fill_length(header.total_length, {.at = at + 2, .from = at});
  put16(at + 4, header.identification);
  const int more = header.more_fragments ? 0x2000 : 0;
  put16(at + 6, static_cast<uint16_t>(more | header.fragment_offset / 8));
  octets_[at + 8] = 64;
  octets_[at + 9] = kAnyProtocol;
  put_address(AF_INET, header.source, at + 12);
  put_address(AF_INET, header.destination, at + 16);
  std::fill(octets_.begin() + static_cast<ptrdiff_t>(at + 20), octets_.end(), uint8_t{1});  // no-op
  expect(Announces::Protocol, at + 9);
  return *this;
}

PacketBuilder& PacketBuilder::ipv6(const Ipv6Header& header) {
  announce(0x86dd, 41);
  const size_t at = append(40);
  put32(at,
        uint32_t{header.version} << 28 | uint32_t{header.traffic_class} << 20 | header.flow_label);
  fill_length(header.payload_length, {.at = at + 4, .from = at + 40});
  octets_[at + 6] = kAnyProtocol;
  octets_[at + 7] = 64;
  put_address(AF_INET6, header.source, at + 8);
  put_address(AF_INET6, header.destination, at + 24);
  expect(Announces::Protocol, at + 6);
  return *this;
}

PacketBuilder& PacketBuilder::extension(uint8_t number, size_t octets) {
  announce(0, number);
  const size_t at = append(octets);
  octets_[at] = kAnyProtocol;
  octets_[at + 1] = static_cast<uint8_t>(octets / 8 - 1);
  expect(Announces::Protocol, at);
  return *this;
}

PacketBuilder& PacketBuilder::fragment(Ipv6FragmentHeader header) {
  announce(0, 44);
  const size_t at = append(8);
  octets_[at] = kAnyProtocol;
  put16(at + 2, static_cast<uint16_t>(header.offset | (header.more ? 1 : 0)));
  put32(at + 4, header.identification);
  expect(Announces::Protocol, at);
  return *this;
}

PacketBuilder& PacketBuilder::authentication(size_t octets) {
  announce(0, 51);
  const size_t at = append(octets);
  octets_[at] = kAnyProtocol;
  octets_[at + 1] = static_cast<uint8_t>(octets / 4 - 2);
  expect(Announces::Protocol, at);
  return *this;
}

size_t PacketBuilder::append_ports(uint8_t number, size_t octets, Ports ports) {
  announce(0, number);
  const size_t at = append(octets);
  put16(at, ports.source);
  put16(at + 2, ports.destination);
  return at;
}

PacketBuilder& PacketBuilder::tcp(TcpHeader header) {
  const size_t at = append_ports(6, 20, {header.source_port, header.destination_port});
  octets_[at + 12] = 5 << 4;
  octets_[at + 13] = header.flags;
  return *this;
}

PacketBuilder& PacketBuilder::udp(Ports ports) {
  const size_t at = append_ports(17, 8, ports);
  lengths_.push_back({.at = at + 4, .from = at});
  return *this;
}

PacketBuilder& PacketBuilder::udp_lite(Ports ports) {
  append_ports(136, 8, ports);  // a checksum coverage of 0 is the whole packet
  return *this;
}

PacketBuilder& PacketBuilder::sctp(Ports ports) {
  append_ports(132, 12, ports);
  return *this;
}

PacketBuilder& PacketBuilder::dccp(Ports ports) {
  octets_[append_ports(33, 12, ports) + 4] = 3;  // the data offset, in words
  return *this;
}

PacketBuilder& PacketBuilder::icmp_header(uint8_t number, uint8_t type, uint8_t code) {
  announce(0, number);
  const size_t at = append(8);
  octets_[at] = type;
  octets_[at + 1] = code;
  return *this;
}

PacketBuilder& PacketBuilder::icmp(uint8_t type, uint8_t code) {
  return icmp_header(1, type, code);
}

PacketBuilder& PacketBuilder::icmp_v6(uint8_t type, uint8_t code) {
  return icmp_header(58, type, code);
}

PacketBuilder& PacketBuilder::payload(size_t octets) {
  octets_.resize(octets_.size() + octets, kPayloadOctet);
  return *this;
}

PacketBuilder& PacketBuilder::header(std::initializer_list<uint8_t> octets, Announces by,
                                     size_t at) {
  const size_t begin = octets_.size();
  octets_.insert(octets_.end(), octets);
  expect(by, begin + at);
  return *this;
}

PacketBuilder& PacketBuilder::octets(const std::vector<uint8_t>& octets) {
  octets_.insert(octets_.end(), octets.begin(), octets.end());
  return *this;
}

PacketBuilder& PacketBuilder::pad_to(size_t octets) {
  padded_octets_ = octets;
  return *this;
}

PacketBuilder& PacketBuilder::trailer(size_t octets) {
  trailer_octets_ += octets;
  return *this;
}

PacketBuilder& PacketBuilder::set_octet(size_t at, uint8_t value) {
  overwritten_.emplace_back(at, value);
  return *this;
}

std::vector<uint8_t> PacketBuilder::build() const {
  std::vector<uint8_t> packet = octets_;
  for (const LengthField& field : lengths_)
    store_big_endian(&packet[field.at], static_cast<uint16_t>(octets_.size() - field.from));
  packet.resize(std::max(packet.size(), padded_octets_) + trailer_octets_, kPaddingOctet);
  for (const auto& [at, value] : overwritten_)
    packet.at(at) = value;
  packet.shrink_to_fit();  // so that the address sanitizer sees the end of the packet
  return packet;
}

}  // namespace clerk
