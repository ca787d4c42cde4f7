#include "base/ip_address.h"

#include <arpa/inet.h>

#include <cstring>

#include "base/check.h"

namespace clerk {

IpAddress IpAddress::from_wire(IpVersion version, const uint8_t* from) {
  IpAddress address{.version = version};
  std::memcpy(address.octets.data(), from, version == IpVersion::V4 ? 4 : 16);
  return address;
}

// glibc's inet_ntop writes lower case, drops leading zeros and shortens the first longest run of at
// least two zero groups: the canonical form of RFC 5952, section 4.
std::string_view format_address(const IpAddress& address,
                                std::array<char, kIpAddressTextMax>& buffer) {
  const int family = address.version == IpVersion::V4 ? AF_INET : AF_INET6;
  const char* text = ::inet_ntop(family, address.octets.data(), buffer.data(),
                                 static_cast<socklen_t>(buffer.size()));
  CHECK(text != nullptr);
  return text;
}

std::string to_string(const IpAddress& address) {
  std::array<char, kIpAddressTextMax> buffer;
  return std::string(format_address(address, buffer));
}

}  // namespace clerk
