// The least that a meter must take from a packet, for the programs that say what a machine can do
// at best (roofline.cc, ring_reader.cc): flow key, hash and octets. It shares no code with clerk.
//
// Ethernet with at most one 802.1Q tag, IPv4 or IPv6 without extension headers, TCP, UDP or ICMP:
// what the traces of this folder carry. Whatever else comes is refused by parse_headers().
//
//   key  | word 0                                            | 1           2, 3 and 4   |
//        | ports 4 | protocol 1 | IP version 1 | tag 2       | addresses: IPv4 in word 1 |
//
// In the place of ports ICMP has its type and code, as a meter does. Nothing is kept: the caller
// owns the frame. Any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace clerk::bench {

struct BareKey {
  static constexpr std::size_t kIpv4Words = 2;  // the others are zero

  std::array<std::uint64_t, 5> words{};

  friend bool operator==(const BareKey&, const BareKey&) = default;
};

struct BareHeaders {
  BareKey key;
  std::uint64_t hash = 0;
  std::uint32_t ip_octets = 0;
  std::uint8_t tcp_flags = 0;
};

template <typename Number>
inline Number load_raw(const std::uint8_t* at) {
  Number number{};
  std::memcpy(&number, at, sizeof number);
  return number;
}

inline std::uint16_t load_big_endian_u16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

// Where IP begins in a frame, and which. EtherTypes are in the order of the bytes in memory.
struct IpPlace {
  std::size_t offset = 14;
  std::uint16_t type = 0;
  std::uint16_t tag = 0;
};

inline constexpr std::uint16_t kRawIpv4 = 0x0008;
inline constexpr std::uint16_t kRawIpv6 = 0xdd86;
inline constexpr std::uint16_t kRawTag = 0x0081;
static_assert(std::endian::native == std::endian::little);

// The frame has at least 18 octets.
inline IpPlace place_of_ip(const std::uint8_t* frame) {
  const auto type = load_raw<std::uint16_t>(frame + 12);
  if (type != kRawTag) [[likely]]
    return {.type = type};
  return {.offset = 18,
          .type = load_raw<std::uint16_t>(frame + 16),
          .tag = load_raw<std::uint16_t>(frame + 14)};
}

// The 128-bit product of two numbers, folded: one multiplication mixes 16 octets.
inline std::uint64_t folded_product(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = Wide{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Not keyed with a secret: a bare program has no enemies.
inline std::uint64_t hash_of(const BareKey& key) {
  constexpr std::array<std::uint64_t, 5> kOdd = {0xa0761d6478bd642f, 0xe7037ed1a0b428db,
                                                 0x8ebc6af09c88c6e3, 0x589965cc75374cc3,
                                                 0x1d8e4e27c47d124f};
  std::uint64_t hash = folded_product(key.words[0] ^ kOdd[0], key.words[1] ^ kOdd[1]);
  if ((key.words[0] >> 40 & 0xff) == 6) {
    hash ^= folded_product(key.words[2] ^ kOdd[2], key.words[3] ^ kOdd[3]);
    hash = folded_product(hash ^ kOdd[4], key.words[4] ^ kOdd[0]);
  }
  return hash;
}

namespace bare {

inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kIcmpv6 = 58;

// The transport header's share of the key; false when it is none that is known here, or is cut.
inline bool add_transport(const std::uint8_t* at, std::size_t octets, std::uint8_t protocol,
                          BareHeaders& headers) {
  std::uint64_t ports = 0;
  if (protocol == kTcp && octets >= 14) [[likely]] {
    ports = load_raw<std::uint32_t>(at);
    headers.tcp_flags = at[13];
  } else if (protocol == kUdp && octets >= 4) {
    ports = load_raw<std::uint32_t>(at);
  } else if ((protocol == kIcmp || protocol == kIcmpv6) && octets >= 2) {
    ports = load_raw<std::uint16_t>(at);
  } else {
    return false;
  }
  headers.key.words[0] |= ports | std::uint64_t{protocol} << 32;
  headers.hash = hash_of(headers.key);
  return true;
}

}  // namespace bare

// False when the packet is none of those above. `captured` is how many octets of it are there.
inline bool parse_headers(const std::uint8_t* frame, std::size_t captured, BareHeaders& headers) {
  if (captured < 18 + 20) return false;
  const IpPlace place = place_of_ip(frame);
  const std::uint8_t* const ip = frame + place.offset;
  const std::size_t octets = captured - place.offset;
  headers.tcp_flags = 0;
  if (place.type == kRawIpv4) [[likely]] {
    const std::size_t header_octets = std::size_t{ip[0] & 0xfU} * 4;
    if (header_octets < 20 || header_octets > octets) return false;
    headers.key.words = {4ULL << 40 | std::uint64_t{place.tag} << 48,
                         load_raw<std::uint64_t>(ip + 12)};
    headers.ip_octets = load_big_endian_u16(ip + 2);
    return bare::add_transport(ip + header_octets, octets - header_octets, ip[9], headers);
  }
  if (place.type != kRawIpv6 || octets < 40) return false;
  headers.key.words = {6ULL << 40 | std::uint64_t{place.tag} << 48, load_raw<std::uint64_t>(ip + 8),
                       load_raw<std::uint64_t>(ip + 16), load_raw<std::uint64_t>(ip + 24),
                       load_raw<std::uint64_t>(ip + 32)};
  headers.ip_octets = load_big_endian_u16(ip + 4) + 40U;
  return bare::add_transport(ip + 40, octets - 40, ip[6], headers);
}

}  // namespace clerk::bench
