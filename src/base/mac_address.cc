#include "base/mac_address.h"

namespace clerk {

std::string_view format_mac_address(const MacAddress& address,
                                    std::array<char, kMacAddressTextOctets>& buffer) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  char* to = buffer.data();
  for (const uint8_t octet : address.octets) {
    if (to != buffer.data()) *to++ = ':';
    *to++ = kDigits[octet >> 4];
    *to++ = kDigits[octet & 0xf];
  }
  return {buffer.data(), buffer.size()};
}

std::string to_string(const MacAddress& address) {
  std::array<char, kMacAddressTextOctets> buffer;
  return std::string(format_mac_address(address, buffer));
}

}  // namespace clerk
