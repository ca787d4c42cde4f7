// Integers as the network writes them: most significant octet first, at any alignment.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace clerk {

template <std::unsigned_integral T>
[[nodiscard]] constexpr T to_big_endian(T value) {
  if constexpr (std::endian::native == std::endian::little) return std::byteswap(value);
  return value;
}

// The caller guarantees sizeof(T) readable octets at `from`.
template <std::unsigned_integral T>
[[nodiscard]] inline T load_big_endian(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return to_big_endian(value);
}

// The caller guarantees sizeof(T) writable octets at `to`. Returns the octet behind what it wrote.
template <std::unsigned_integral T>
inline uint8_t* store_big_endian(uint8_t* to, T value) {
  const T wire = to_big_endian(value);
  std::memcpy(to, &wire, sizeof wire);
  return to + sizeof wire;
}

}  // namespace clerk
