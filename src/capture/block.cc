#include "capture/block.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <cstring>

#include "base/time.h"

namespace clerk {
namespace {

// The kernel aligns what follows a header (TPACKET_ALIGN), and there is nothing to add.
constexpr size_t kHeaderOctets = sizeof(tpacket3_hdr);
static_assert(kHeaderOctets % TPACKET_ALIGNMENT == 0);

constexpr uint32_t kVlanIdMask = 0x0fff;

// A copy, so that what is checked is what is used, whoever writes to the block meanwhile.
template <typename T>
T copy_of(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// A packet without its link header has the type that the kernel says.
LinkType link_type_of(uint16_t ether_type) {
  switch (ether_type) {
    case ETH_P_IP: return LinkType::Ipv4;
    case ETH_P_IPV6: return LinkType::Ipv6;
    default: return LinkType::NotIp;
  }
}

}  // namespace

BlockReader::BlockReader(const Block& block) : block_(block) {
  const uint8_t* start = at(0, sizeof(tpacket_block_desc));
  if (start == nullptr) return;
  const auto header = copy_of<tpacket_block_desc>(start).hdr.bh1;
  offset_ = header.offset_to_first_pkt;
  left_ = std::min(header.num_pkts, static_cast<uint32_t>(block.octets.size() / kHeaderOctets));
}

std::span<const Packet> BlockReader::next(std::span<Packet> packets) {
  size_t filled = 0;
  while (filled < packets.size() && left_ > 0 && !broken_ && read_packet(packets[filled]))
    ++filled;
  return packets.first(filled);
}

bool BlockReader::read_packet(Packet& packet) {
  const uint8_t* start = at(offset_, kHeaderOctets + sizeof(sockaddr_ll));
  broken_ = true;
  if (start == nullptr) return false;
  const auto header = copy_of<tpacket3_hdr>(start);
  const uint8_t* data = at(offset_ + header.tp_mac, header.tp_snaplen);
  if (data == nullptr) return false;
  packet = {.data = data,
            .time_ns = header.tp_sec * kNanosecondsPerSecond + header.tp_nsec,
            .captured_octets = header.tp_snaplen,
            .wire_octets = header.tp_len};
  if ((header.tp_status & TP_STATUS_VLAN_VALID) != 0)
    packet.stripped_vlan_id = static_cast<uint16_t>(header.hv1.tp_vlan_tci & kVlanIdMask);
  if (block_.link == RingLink::Network)
    packet.link_type =
        link_type_of(ntohs(copy_of<sockaddr_ll>(start + kHeaderOctets).sll_protocol));
  // A chain goes on behind the header, or ends with an offset of 0 at the last packet.
  --left_;
  broken_ = header.tp_next_offset < kHeaderOctets;
  offset_ += header.tp_next_offset;
  return true;
}

// The octets at this offset, or nullptr when they are not all within the block.
const uint8_t* BlockReader::at(size_t offset, size_t octets) const {
  const size_t size = block_.octets.size();
  return offset <= size && octets <= size - offset ? block_.octets.data() + offset : nullptr;
}

}  // namespace clerk
