// Packets as a pcap file with nanoseconds (draft-ietf-opsawg-pcap), in this machine's octet order:
//
//   file     a1b23c4d | 2 | 4 | 0 | 0 | octets of a packet at most | link type
//   packet   second | nanosecond | octets here | octets on the wire | the packet
//
// A VLAN tag that the kernel took off is put back. Where packets do not begin with Ethernet, the
// file has them from the network header on. What cannot be written is the file's error, for whoever
// owns it to look at.
#pragma once

#include <cstdint>
#include <cstdio>
#include <span>

#include "testimony/client.h"

namespace testimony_dump {

class PcapWriter {
 public:
  // Writes the file's header.
  PcapWriter(std::FILE* file, testimony::Link link);

  void write(const testimony::RingPacket& packet);

 private:
  void write_ethernet(const testimony::RingPacket& packet);
  void write_tagged(const testimony::RingPacket& packet);
  void write_raw(const testimony::RingPacket& packet);
  void write_octets(std::span<const uint8_t> octets);

  std::FILE* file_;
  testimony::Link link_;
};

}  // namespace testimony_dump
