#include "frame.h"

#include <algorithm>

namespace clerk::bench {
namespace {

constexpr std::uint8_t kHopLimit = 64;
constexpr std::uint8_t kIcmpv6 = 58;

// Writes network byte order, front to back. The caller knows that the bytes fit.
class Writer {
 public:
  explicit Writer(std::uint8_t* at) : at_(at) {}

  void u8(std::uint8_t value) { *at_++ = value; }
  void u16(std::uint16_t value) {
    u8(static_cast<std::uint8_t>(value >> 8));
    u8(static_cast<std::uint8_t>(value));
  }
  void u32(std::uint32_t value) {
    u16(static_cast<std::uint16_t>(value >> 16));
    u16(static_cast<std::uint16_t>(value));
  }
  std::uint8_t* at() const { return at_; }

 private:
  std::uint8_t* at_;
};

// The sum behind the internet checksum (RFC 1071) of an even number of bytes.
std::uint32_t sum_of(const std::uint8_t* bytes, std::size_t octets) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < octets; i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  }
  return sum;
}

std::uint16_t checksum_of(std::uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void store_u16(std::uint8_t* at, std::uint16_t value) { Writer(at).u16(value); }

std::size_t transport_header_octets(const Packet& packet) {
  if (packet.protocol != Protocol::Tcp) return 8;
  return (packet.tcp_flags & tcp_flag::kSyn) != 0 ? 24
                                                  : 20;  // a SYN carries the maximum segment size
}

std::uint8_t protocol_number(const Packet& packet) {
  if (packet.protocol == Protocol::Icmp && packet.is_ipv6) return kIcmpv6;
  return static_cast<std::uint8_t>(packet.protocol);
}

void write_ethernet(Writer& out, const Packet& packet) {
  // Locally administered addresses that say nothing: a flow has none of them in its key.
  for (const std::uint32_t host : {1U, 2U}) {
    out.u16(0x0200);
    out.u32(host);
  }
  if (packet.vlan_id != 0) {
    out.u16(0x8100);
    out.u16(packet.vlan_id);
  }
  out.u16(packet.is_ipv6 ? 0x86dd : 0x0800);
}

void write_ipv4(Writer& out, const Packet& packet, std::size_t ip_octets) {
  std::uint8_t* const header = out.at();
  out.u8(0x45);
  out.u8(static_cast<std::uint8_t>(packet.dscp << 2));
  out.u16(static_cast<std::uint16_t>(ip_octets));
  out.u16(0);       // identification: of no meaning in an atomic datagram (RFC 6864)
  out.u16(0x4000);  // do not fragment
  out.u8(kHopLimit);
  out.u8(protocol_number(packet));
  out.u16(0);
  out.u32(packet.source);
  out.u32(packet.destination);
  store_u16(header + 10, checksum_of(sum_of(header, 20)));
}

// 2001:db8:HASH:HASH:HASH:HASH:ADDR:ADDR, so that the bits that differ are spread as real hosts
// spread them.
void write_ipv6_address(Writer& out, std::uint32_t address) {
  const std::uint32_t hash = address * 0x9e3779b1U;
  out.u32(0x20010db8);
  out.u32(hash);
  out.u32(hash ^ hash >> 15);
  out.u32(address);
}

void write_ipv6(Writer& out, const Packet& packet, std::size_t ip_octets) {
  out.u32(6U << 28 | static_cast<std::uint32_t>(packet.dscp) << 22);
  out.u16(static_cast<std::uint16_t>(ip_octets - 40));
  out.u8(protocol_number(packet));
  out.u8(kHopLimit);
  write_ipv6_address(out, packet.source);
  write_ipv6_address(out, packet.destination);
}

void write_tcp(Writer& out, const Packet& packet) {
  const std::size_t words = transport_header_octets(packet) / 4;
  out.u16(packet.source_port);
  out.u16(packet.destination_port);
  out.u32(packet.tcp_sequence);
  out.u32(packet.tcp_acknowledgment);
  out.u8(static_cast<std::uint8_t>(words << 4));
  out.u8(packet.tcp_flags);
  out.u16(0xffff);  // window
  out.u32(0);       // checksum, urgent pointer
  if (words == 6) out.u32(0x02040000 | 1440);
}

void write_udp(Writer& out, const Packet& packet) {
  out.u16(packet.source_port);
  out.u16(packet.destination_port);
  out.u16(static_cast<std::uint16_t>(packet.payload_octets + 8));
  out.u16(0);
}

void write_icmp(Writer& out, const Packet& packet) {
  out.u8(packet.icmp_type);
  out.u8(0);
  out.u16(0);
  out.u16(packet.source_port);
  out.u16(packet.destination_port);
}

void write_transport(Writer& out, const Packet& packet) {
  switch (packet.protocol) {
    case Protocol::Tcp: return write_tcp(out, packet);
    case Protocol::Udp: return write_udp(out, packet);
    case Protocol::Icmp: return write_icmp(out, packet);
  }
}

std::size_t checksum_offset(Protocol protocol) {
  switch (protocol) {
    case Protocol::Tcp: return 16;
    case Protocol::Udp: return 6;
    case Protocol::Icmp: break;
  }
  return 2;
}

// The pseudo-header is the two addresses, which end right before `transport`, the length and the
// protocol. Zero payload adds nothing to the sum. ICMP over IPv4 alone has no pseudo-header.
void store_transport_checksum(std::uint8_t* transport, const Packet& packet) {
  const std::size_t header_octets = transport_header_octets(packet);
  std::uint32_t sum = sum_of(transport, header_octets);
  if (packet.is_ipv6 || packet.protocol != Protocol::Icmp) {
    const std::size_t address_octets = packet.is_ipv6 ? 32 : 8;
    sum += sum_of(transport - address_octets, address_octets);
    sum += static_cast<std::uint32_t>(header_octets + packet.payload_octets);
    sum += protocol_number(packet);
  }
  std::uint16_t checksum = checksum_of(sum);
  // In UDP a checksum of zero means that there is none (RFC 768).
  if (packet.protocol == Protocol::Udp && checksum == 0) checksum = 0xffff;
  store_u16(transport + checksum_offset(packet.protocol), checksum);
}

}  // namespace

Frame FrameBuilder::build(const Packet& packet) {
  std::fill_n(bytes_.begin(), kHeaderOctetsMax, std::uint8_t{0});
  Writer out(bytes_.data());
  write_ethernet(out, packet);
  const auto link_octets = static_cast<std::size_t>(out.at() - bytes_.data());
  const std::size_t ip_octets =
      (packet.is_ipv6 ? 40 : 20) + transport_header_octets(packet) + packet.payload_octets;
  if (packet.is_ipv6) {
    write_ipv6(out, packet, ip_octets);
  } else {
    write_ipv4(out, packet, ip_octets);
  }
  std::uint8_t* const transport = out.at();
  write_transport(out, packet);
  store_transport_checksum(transport, packet);
  const std::size_t octets = std::max(octets_min_, link_octets + ip_octets);
  return {.bytes = {bytes_.data(), octets}, .ip_octets = ip_octets};
}

}  // namespace clerk::bench
