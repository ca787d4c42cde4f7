// The random numbers of the benchmark traces: splitmix64, in integers only, so that a seed gives
// the same trace on every machine and with every standard library (the std:: distributions promise
// neither).
//
// mix() is a bijection of the 64-bit numbers: distinct inputs give distinct outputs. The traces
// rely on it for keys that never repeat without remembering any of them.
#pragma once

#include <cstdint>

namespace clerk::bench {

// The finalizer of splitmix64: two rounds of xor-shift and multiply by an odd number, each of them
// invertible.
constexpr std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() {
    state_ += kGoldenGamma;
    return mix(state_);
  }

  // A number in [0, limit), limit > 0. The remainder's bias is below limit / 2^64: of no weight
  // here.
  constexpr std::uint64_t below(std::uint64_t limit) { return next() % limit; }

 private:
  // 2^64 divided by the golden ratio, made odd: the step that splitmix64 is defined with.
  static constexpr std::uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

  std::uint64_t state_;
};

}  // namespace clerk::bench
