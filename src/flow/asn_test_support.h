// For the tests of the AS numbers: addresses as text, and random ones.
#pragma once

#include <arpa/inet.h>

#include <array>
#include <string>

#include "base/check.h"
#include "flow/address_number.h"
#include "flow/flow_test_support.h"

namespace clerk {

inline IpAddress address(const std::string& text) {
  const bool is_v6 = text.find(':') != std::string::npos;
  std::array<uint8_t, 16> octets{};
  CHECK(::inet_pton(is_v6 ? AF_INET6 : AF_INET, text.c_str(), octets.data()) == 1);
  return IpAddress::from_wire(is_v6 ? IpVersion::V6 : IpVersion::V4, octets.data());
}

inline AddressNumber random_number(Dice& dice) {
  return AddressNumber{dice.bits()} << 64 | dice.bits();
}

}  // namespace clerk
