// A MAC address as a value, and its text.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace clerk {

struct MacAddress {
  std::array<uint8_t, 6> octets;  // without a value of its own, so that it may lie in a union

  // Copies 6 octets from `from`; zeros where there is none.
  static MacAddress from_wire(const uint8_t* from) {
    MacAddress address{};
    if (from != nullptr) std::memcpy(address.octets.data(), from, address.octets.size());
    return address;
  }

  friend bool operator==(const MacAddress&, const MacAddress&) = default;
};

// "02:00:00:00:0a:ff".
inline constexpr size_t kMacAddressTextOctets = 17;

// Writes the text into `buffer` and returns a view of it. Allocates nothing.
std::string_view format_mac_address(const MacAddress& address,
                                    std::array<char, kMacAddressTextOctets>& buffer);

std::string to_string(const MacAddress& address);

}  // namespace clerk
