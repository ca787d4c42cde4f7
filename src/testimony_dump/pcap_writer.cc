#include "testimony_dump/pcap_writer.h"

#include <algorithm>
#include <array>

namespace testimony_dump {
namespace {

constexpr uint32_t kNanosecondMagic = 0xa1b23c4d;
constexpr uint16_t kVersionMajor = 2;
constexpr uint16_t kVersionMinor = 4;
constexpr uint32_t kSnapLength = 262144;  // what other programs take for no limit
constexpr uint32_t kLinkEthernet = 1;
constexpr uint32_t kLinkRaw = 101;

constexpr size_t kAddressOctets = 12;  // of an Ethernet header, before its type
constexpr uint16_t kDefaultTpid = 0x8100;

struct FileHeader {
  uint32_t magic = kNanosecondMagic;
  uint16_t version_major = kVersionMajor;
  uint16_t version_minor = kVersionMinor;
  uint32_t reserved_1 = 0;
  uint32_t reserved_2 = 0;
  uint32_t snap_length = kSnapLength;
  uint32_t link_type = kLinkEthernet;
};
static_assert(sizeof(FileHeader) == 24);

struct PacketHeader {
  uint32_t second;
  uint32_t nanosecond;
  uint32_t captured_octets;
  uint32_t wire_octets;
};
static_assert(sizeof(PacketHeader) == 16);

template <typename T>
std::span<const uint8_t> octets_of(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

PacketHeader header_of(const testimony::RingPacket& packet) {
  return {.second = packet.second,
          .nanosecond = packet.nanosecond,
          .captured_octets = packet.captured_octets,
          .wire_octets = packet.wire_octets};
}

std::array<uint8_t, 4> tag_of(const testimony::RingPacket& packet) {
  const uint16_t tpid = packet.vlan_tpid == 0 ? kDefaultTpid : packet.vlan_tpid;
  return {static_cast<uint8_t>(tpid >> 8), static_cast<uint8_t>(tpid),
          static_cast<uint8_t>(packet.vlan_tci >> 8), static_cast<uint8_t>(packet.vlan_tci)};
}

}  // namespace

PcapWriter::PcapWriter(std::FILE* file, testimony::Link link) : file_(file), link_(link) {
  FileHeader header;
  if (link == testimony::Link::Other) header.link_type = kLinkRaw;
  write_octets(octets_of(header));
}

void PcapWriter::write(const testimony::RingPacket& packet) {
  if (link_ == testimony::Link::Other)
    write_raw(packet);
  else if (packet.has_vlan && packet.captured_octets >= kAddressOctets)
    write_tagged(packet);
  else
    write_ethernet(packet);
}

void PcapWriter::write_ethernet(const testimony::RingPacket& packet) {
  write_octets(octets_of(header_of(packet)));
  write_octets({packet.data, packet.captured_octets});
}

void PcapWriter::write_tagged(const testimony::RingPacket& packet) {
  const auto tag = tag_of(packet);
  PacketHeader header = header_of(packet);
  header.captured_octets += static_cast<uint32_t>(tag.size());
  header.wire_octets += static_cast<uint32_t>(tag.size());
  const std::span octets(packet.data, packet.captured_octets);
  write_octets(octets_of(header));
  write_octets(octets.first(kAddressOctets));
  write_octets(tag);
  write_octets(octets.subspan(kAddressOctets));
}

void PcapWriter::write_raw(const testimony::RingPacket& packet) {
  PacketHeader header = header_of(packet);
  header.captured_octets -= packet.network_offset;
  header.wire_octets -= std::min(packet.network_offset, packet.wire_octets);
  write_octets(octets_of(header));
  write_octets({packet.data + packet.network_offset, header.captured_octets});
}

void PcapWriter::write_octets(std::span<const uint8_t> octets) {
  std::fwrite(octets.data(), 1, octets.size(), file_);
}

}  // namespace testimony_dump
