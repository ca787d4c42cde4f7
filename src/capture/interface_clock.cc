#include "capture/interface_clock.h"

#include "base/time.h"

namespace clerk {
namespace {

using Wide = unsigned __int128;

constexpr uint8_t kNanosecondExponent = 9;
constexpr uint8_t kDecimalExponentMax = 19 + kNanosecondExponent;  // beyond it every time reads 0

uint64_t power_of_ten(unsigned exponent) {
  uint64_t value = 1;
  while (exponent-- > 0)
    value *= 10;
  return value;
}

Wide to_nanoseconds(uint64_t units, bool binary_exponent, uint8_t exponent) {
  if (binary_exponent) return (Wide{units} * kNanosecondsPerSecond) >> exponent;
  if (exponent <= kNanosecondExponent) {
    return Wide{units} * power_of_ten(unsigned{kNanosecondExponent} - exponent);
  }
  if (exponent > kDecimalExponentMax) return 0;
  return Wide{units} / power_of_ten(exponent - unsigned{kNanosecondExponent});
}

}  // namespace

uint64_t InterfaceClock::time_ns(uint64_t units) const {
  const auto time = static_cast<__int128>(to_nanoseconds(units, binary_exponent, exponent));
  const __int128 sum = time + static_cast<__int128>(offset_seconds) * kNanosecondsPerSecond;
  return sum < 0 || sum >= static_cast<__int128>(kTimeEnd) ? kTimeEnd : static_cast<uint64_t>(sum);
}

}  // namespace clerk
