#include "testing/block_builder.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <cstring>

namespace clerk {
namespace {

// Offsets of net/packet/af_packet.c: a header begins at a multiple of 8 (V3_ALIGNMENT). Behind it
// and its address the network header lies at a multiple of 16 with room for a link header of 16
// octets at least; an Ethernet frame begins 14 octets before it.
constexpr size_t kHeaderAlignment = 8;
constexpr uint16_t kFrameOffset = 82;
constexpr uint8_t kLeftOver = 0xa5;

template <typename T>
void store(std::vector<uint8_t>& octets, size_t at, const T& value) {
  octets.resize(std::max(octets.size(), at + sizeof value));
  std::memcpy(octets.data() + at, &value, sizeof value);
}

tpacket3_hdr header_of(const BlockPacket& packet, uint32_t next_offset) {
  const auto octets = static_cast<uint32_t>(packet.octets.size());
  tpacket3_hdr header{};
  header.tp_next_offset = packet.next_offset.value_or(next_offset);
  header.tp_sec = packet.second;
  header.tp_nsec = packet.nanosecond;
  header.tp_snaplen = packet.captured_octets.value_or(octets);
  header.tp_len = packet.wire_octets.value_or(octets);
  header.tp_status = packet.status | (packet.vlan_tci ? uint32_t{TP_STATUS_VLAN_VALID} : 0);
  header.tp_mac = packet.packet_offset.value_or(kFrameOffset);
  header.tp_net = static_cast<uint16_t>(header.tp_mac + packet.link_octets);
  header.hv1.tp_vlan_tci = packet.vlan_tci.value_or(0);
  return header;
}

sockaddr_ll address_of(const BlockPacket& packet) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(packet.ether_type);
  return address;
}

}  // namespace

BlockBuilder& BlockBuilder::packet(BlockPacket packet) {
  packets_.push_back(std::move(packet));
  return *this;
}

BlockBuilder& BlockBuilder::pad_to(size_t octets) {
  octets_min_ = octets;
  return *this;
}

std::vector<uint8_t> BlockBuilder::build() const {
  std::vector<uint8_t> block;
  tpacket_block_desc description{};
  description.version = TPACKET_V3;
  description.hdr.bh1.block_status = TP_STATUS_USER;
  description.hdr.bh1.num_pkts = claims_.packets.value_or(static_cast<uint32_t>(packets_.size()));
  description.hdr.bh1.offset_to_first_pkt =
      claims_.first_offset.value_or(uint32_t{sizeof description});
  store(block, 0, description);
  for (size_t i = 0, at = sizeof description; i < packets_.size(); ++i) {
    const BlockPacket& packet = packets_[i];
    const size_t octets = kFrameOffset + packet.octets.size();
    const size_t next = (octets + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment;
    const bool last = i + 1 == packets_.size();
    store(block, at, header_of(packet, last ? 0 : static_cast<uint32_t>(next)));
    store(block, at + sizeof(tpacket3_hdr), address_of(packet));
    block.resize(at + kFrameOffset);
    block.insert(block.end(), packet.octets.begin(), packet.octets.end());
    at += next;
  }
  block.resize(std::max(block.size(), octets_min_), kLeftOver);
  return block;
}

}  // namespace clerk
