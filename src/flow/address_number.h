// An address as a number: one that has a next one, and whose first bits are a prefix.
//
// Numbers of both IP versions are 128 bits wide; those of IPv4 use the lower 32.
#pragma once

#include "base/big_endian.h"
#include "base/ip_address.h"

namespace clerk {

using AddressNumber = unsigned __int128;  // GCC and clang have it on every 64-bit machine

[[nodiscard]] constexpr int address_bits(IpVersion version) {
  return version == IpVersion::V4 ? 32 : 128;
}

// The lowest `bits` bits set; 0 to 128.
[[nodiscard]] constexpr AddressNumber low_bits(int bits) {
  return bits == 0 ? 0 : ~AddressNumber{0} >> (128 - bits);
}

[[nodiscard]] inline AddressNumber number_of(const IpAddress& address) {
  const uint8_t* octets = address.octets.data();
  if (address.version == IpVersion::V4) return load_big_endian<uint32_t>(octets);
  return AddressNumber{load_big_endian<uint64_t>(octets)} << 64 |
         load_big_endian<uint64_t>(octets + 8);
}

// IPv4 comes before IPv6.
[[nodiscard]] inline bool is_before(const IpAddress& left, const IpAddress& right) {
  if (left.version != right.version) return left.version < right.version;
  return number_of(left) < number_of(right);
}

// Bits above those of an address of this version are ignored.
[[nodiscard]] inline IpAddress address_from(IpVersion version, AddressNumber number) {
  IpAddress address{.version = version};
  if (version == IpVersion::V4) {
    store_big_endian(address.octets.data(), static_cast<uint32_t>(number));
  } else {
    uint8_t* rest = store_big_endian(address.octets.data(), static_cast<uint64_t>(number >> 64));
    store_big_endian(rest, static_cast<uint64_t>(number));
  }
  return address;
}

}  // namespace clerk
