// A hash under a secret drawn once for each process, so that nobody outside can aim for one bucket.
//
// Pairs of words, each word masked by a part of the secret, are multiplied to 128 bits whose halves
// are folded; the sum of all pairs goes through one more such step. It is for tables in memory, and
// nothing that anybody relies on elsewhere: it differs from run to run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace clerk {

class KeyedHash {
 public:
  // Draws the secret from the kernel.
  KeyedHash();

  // All values of one type under one KeyedHash agree; T must have no padding.
  template <typename T>
  [[nodiscard]] uint64_t operator()(const T& value) const {
    static_assert(std::has_unique_object_representations_v<T>);
    constexpr size_t kWords = sizeof(T) / sizeof(uint64_t);
    std::array<uint64_t, kWords + kWords % 2> words{};
    static_assert(sizeof(T) == kWords * sizeof(uint64_t) && words.size() + 2 <= kSecretWords);
    std::memcpy(words.data(), &value, sizeof value);
    uint64_t sum = 0;
    for (size_t i = 0; i < words.size(); i += 2)
      sum += fold(words[i] ^ secret_[i], words[i + 1] ^ secret_[i + 1]);
    return fold(sum ^ secret_[words.size()], secret_[words.size() + 1]);
  }

 private:
  static constexpr size_t kSecretWords = 8;  // for an IPv6 flow key, and the last step

  static uint64_t fold(uint64_t a, uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  std::array<uint64_t, kSecretWords> secret_;
};

}  // namespace clerk
