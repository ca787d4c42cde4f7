// Any octets as a block of a ring: read to its end, every octet of every packet.
//
//   input   choices 1 | block
//
// The lowest bit of the choices is the ring's link, the others the size of a batch, less one. The
// block lies in heap memory of exactly its size, so that the address sanitizer sees a read outside.
// What must hold besides: each packet lies in the block, none has values that no packet can have,
// and there are never more of them than announced, given and left taken together.
//
// The corpus was written by testing/block_builder.h with frames of testing/packet_builder.h, behind
// the choices in brackets: three_frames [06], tags with ids and without [02], network_types [ff],
// empty [00], and blocks with a claim of the builder's: too_many and first_outside [00], and with
// two packets next_zero, next_short, next_outside, packet_outside, length_outside [00].
#include <linux/if_packet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "base/check.h"
#include "capture/block.h"

namespace clerk {
namespace {

bool is_link_type_of(RingLink link, LinkType link_type) {
  if (link == RingLink::Ethernet) return link_type == LinkType::Ethernet;
  return link_type == LinkType::Ipv4 || link_type == LinkType::Ipv6 || link_type == LinkType::NotIp;
}

void check_packet(const Block& block, const Packet& packet) {
  const auto begin = reinterpret_cast<uintptr_t>(block.octets.data());
  const auto at = reinterpret_cast<uintptr_t>(packet.data);
  CHECK(at >= begin && at - begin <= block.octets.size());
  CHECK(packet.captured_octets <= block.octets.size() - (at - begin));
  CHECK(packet.stripped_vlan_id < 4096 || packet.stripped_vlan_id == kNoVlanTag);
  CHECK(is_link_type_of(block.link, packet.link_type));
  // Reads them all, for the address sanitizer.
  volatile uint8_t sum = 0;
  for (uint32_t i = 0; i < packet.captured_octets; ++i)
    sum = static_cast<uint8_t>(sum + packet.data[i]);
}

uint32_t announced_packets(std::span<const uint8_t> octets) {
  tpacket_block_desc description{};
  if (octets.size() < sizeof description) return 0;
  std::memcpy(&description, octets.data(), sizeof description);
  return description.hdr.bh1.num_pkts;
}

void read_block(const Block& block, std::span<Packet> batch) {
  const uint32_t announced = announced_packets(block.octets);
  BlockReader reader(block);
  const uint32_t readable = reader.packets_left();
  CHECK(readable <= announced && readable <= block.octets.size() / sizeof(tpacket3_hdr));
  uint32_t given = 0;
  for (auto packets = reader.next(batch); !packets.empty(); packets = reader.next(batch)) {
    CHECK(packets.data() == batch.data());
    for (const Packet& packet : packets)
      check_packet(block, packet);
    given += static_cast<uint32_t>(packets.size());
    CHECK(given + reader.packets_left() == readable);
  }
  CHECK(given + reader.packets_left() == readable);
}

void fuzz(const uint8_t* data, size_t size) {
  if (size == 0) return;
  const uint8_t choices = data[0];
  const size_t octets = size - 1;
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[octets]);
  std::copy_n(data + 1, octets, copy.get());
  std::array<Packet, 128> packets;
  read_block({.octets = {copy.get(), octets},
              .link = (choices & 1) == 0 ? RingLink::Ethernet : RingLink::Network},
             std::span(packets).first(1 + (choices >> 1)));
}

}  // namespace
}  // namespace clerk

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  clerk::fuzz(data, size);
  return 0;
}
