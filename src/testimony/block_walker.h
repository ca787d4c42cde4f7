// Walks the packets of a block of a TPACKET_V3 ring (Linux
// Documentation/networking/packet_mmap.rst):
//
//   tpacket_block_desc     status, packets, where the first one is
//   ...
//   tpacket3_hdr           time, lengths, VLAN tag, where the next one is
//     sockaddr_ll          EtherType, direction
//   the packet             from tp_mac on; its network header from tp_net on
//   tpacket3_hdr ...
//
// Every offset and length is read once and held against the block's size, so that a block which
// others may write to cannot lead outside it: a chain that breaks ends there, and packets_left()
// tells how many were announced behind the break. One thread at a time.
#pragma once

#include <linux/if_packet.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace testimony {

struct RingPacket {
  const uint8_t* data = nullptr;  // valid as long as the block
  uint32_t captured_octets = 0;   // at `data`
  uint32_t wire_octets = 0;       // before the snap length cut it
  uint32_t second = 0;            // since 1970
  uint32_t nanosecond = 0;
  uint32_t network_offset = 0;  // from `data` to the network header; at most captured_octets
  uint16_t ether_type = 0;      // as the kernel saw it
  uint8_t direction = 0;        // sll_pkttype of packet(7); PACKET_OUTGOING is 4
  bool has_vlan = false;        // a tag was taken off the packet:
  uint16_t vlan_tci = 0;
  uint16_t vlan_tpid = 0;  // 0 when the kernel does not say
};

class BlockWalker {
 public:
  explicit BlockWalker(std::span<const uint8_t> block) : block_(block) {
    const uint8_t* start = at(0, sizeof(tpacket_block_desc));
    if (start == nullptr) return;
    const auto header = copy_of<tpacket_block_desc>(start).hdr.bh1;
    offset_ = header.offset_to_first_pkt;
    left_ = std::min(header.num_pkts, static_cast<uint32_t>(block.size() / kHeaderOctets));
  }

  // False at the end of the chain, or where it breaks.
  bool next(RingPacket& packet) {
    if (left_ == 0 || broken_) return false;
    const uint8_t* start = at(offset_, kHeaderOctets + sizeof(sockaddr_ll));
    broken_ = true;
    if (start == nullptr) return false;
    const auto header = copy_of<tpacket3_hdr>(start);
    const uint8_t* data = at(offset_ + header.tp_mac, header.tp_snaplen);
    if (data == nullptr) return false;
    const auto address = copy_of<sockaddr_ll>(start + kHeaderOctets);
    const bool has_tpid = (header.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    packet = {.data = data,
              .captured_octets = header.tp_snaplen,
              .wire_octets = header.tp_len,
              .second = header.tp_sec,
              .nanosecond = header.tp_nsec,
              .network_offset = network_offset(header),
              .ether_type = big_endian(address.sll_protocol),
              .direction = address.sll_pkttype,
              .has_vlan = (header.tp_status & TP_STATUS_VLAN_VALID) != 0,
              .vlan_tci = static_cast<uint16_t>(header.hv1.tp_vlan_tci),
              .vlan_tpid = has_tpid ? header.hv1.tp_vlan_tpid : uint16_t{0}};
    // A chain goes on behind the header, or ends with an offset of 0 at the last packet.
    --left_;
    broken_ = header.tp_next_offset < kHeaderOctets;
    offset_ += header.tp_next_offset;
    return true;
  }

  // Announced and not given out. Behind the end of the chain: what a broken one lost, never more
  // than the block could hold.
  [[nodiscard]] uint32_t packets_left() const { return left_; }

 private:
  // The kernel aligns what follows a header, and there is nothing to add.
  static constexpr size_t kHeaderOctets = sizeof(tpacket3_hdr);
  static_assert(kHeaderOctets % TPACKET_ALIGNMENT == 0);

  // A copy, so that what is checked is what is used, whoever writes to the block meanwhile.
  template <typename T>
  static T copy_of(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }

  static uint32_t network_offset(const tpacket3_hdr& header) {
    const uint32_t offset = header.tp_net > header.tp_mac ? header.tp_net - header.tp_mac : 0;
    return std::min(offset, header.tp_snaplen);
  }

  static uint16_t big_endian(uint16_t value) {
    return std::endian::native == std::endian::big ? value : std::byteswap(value);
  }

  // The octets at this offset, or nullptr when they are not all within the block.
  [[nodiscard]] const uint8_t* at(size_t offset, size_t octets) const {
    const size_t size = block_.size();
    return offset <= size && octets <= size - offset ? block_.data() + offset : nullptr;
  }

  std::span<const uint8_t> block_;
  size_t offset_ = 0;  // of the next packet's header
  uint32_t left_ = 0;
  bool broken_ = false;
};

}  // namespace testimony
