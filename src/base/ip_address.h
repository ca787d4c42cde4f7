// An IPv4 or IPv6 address as a value, and its text as RFC 5952 writes it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace clerk {

enum class IpVersion : uint8_t { V4 = 4, V6 = 6 };

// Octets in network order; an IPv4 address uses the first four and leaves the rest zero.
struct IpAddress {
  IpVersion version = IpVersion::V4;
  std::array<uint8_t, 16> octets{};

  // Copies 4 or 16 octets from `from`.
  static IpAddress from_wire(IpVersion version, const uint8_t* from);

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// Room for the longest text and a terminating zero.
inline constexpr size_t kIpAddressTextMax = 46;

// Writes the text into `buffer` and returns a view of it. Allocates nothing.
std::string_view format_address(const IpAddress& address,
                                std::array<char, kIpAddressTextMax>& buffer);

std::string to_string(const IpAddress& address);

}  // namespace clerk
