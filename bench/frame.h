// A packet of a benchmark trace, first as the numbers that matter (Packet), then as the bytes of an
// Ethernet frame.
//
// The traffic (traffic.h) decides on Packets, FrameBuilder lays them out and the pcap writer
// (trace.cc) stores them. Every frame is valid: lengths agree, header and transport checksums are
// right, and Ethernet padding lies outside the IP length. Payload is all zero, so that a checksum
// needs to look at the headers only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace clerk::bench {

// IANA protocol numbers of what the traces carry; ICMP stands for ICMPv6 (58) too and is told apart
// by the IP version.
enum class Protocol : std::uint8_t { Icmp = 1, Tcp = 6, Udp = 17 };

namespace tcp_flag {
inline constexpr std::uint8_t kFin = 0x01;
inline constexpr std::uint8_t kSyn = 0x02;
inline constexpr std::uint8_t kRst = 0x04;
inline constexpr std::uint8_t kPsh = 0x08;
inline constexpr std::uint8_t kAck = 0x10;
}  // namespace tcp_flag

struct Packet {
  std::uint64_t time_ns = 0;  // since 1970
  std::uint32_t source = 0;   // an IPv4 address; an IPv6 address is derived from it, one for one
  std::uint32_t destination = 0;       // the same
  std::uint16_t source_port = 0;       // of ICMP: the echo identifier
  std::uint16_t destination_port = 0;  // of ICMP: the echo sequence number
  std::uint16_t vlan_id = 0;           // 0: no 802.1Q tag
  std::uint16_t payload_octets = 0;    // behind the transport header
  std::uint32_t tcp_sequence = 0;
  std::uint32_t tcp_acknowledgment = 0;
  std::uint8_t tcp_flags = 0;
  std::uint8_t icmp_type = 0;
  std::uint8_t dscp = 0;
  Protocol protocol = Protocol::Udp;
  bool is_ipv6 = false;
};

// The bytes live in the builder until its next build().
struct Frame {
  std::span<const std::uint8_t> bytes;  // as on the wire, without the frame check sequence
  std::size_t ip_octets;                // IPv4 total length, or IPv6 payload length + 40
};

class FrameBuilder {
 public:
  // `octets_min` pads short frames: 60 is Ethernet's own minimum without the frame check sequence.
  explicit FrameBuilder(std::size_t octets_min) : octets_min_(octets_min) {}

  // The packet's headers and payload together must fit an Ethernet frame of 1518 octets.
  Frame build(const Packet& packet);

 private:
  // Ethernet 14, tag 4, IPv6 40, TCP 20 with a 4-octet option: what a build may write, and must
  // find zero.
  static constexpr std::size_t kHeaderOctetsMax = 82;

  // 1500 octets of IP, an Ethernet header and a tag.
  static constexpr std::size_t kFrameOctetsMax = 1518;

  std::array<std::uint8_t, kFrameOctetsMax> bytes_{};
  std::size_t octets_min_;
};

}  // namespace clerk::bench
