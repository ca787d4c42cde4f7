// XXH3 under a secret drawn once for each process, so that nobody outside can aim for one bucket.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace clerk {

class KeyedHash {
 public:
  // Draws the secret from the kernel.
  KeyedHash();

  // All values of one type under one KeyedHash agree; T must have no padding.
  template <typename T>
  [[nodiscard]] uint64_t operator()(const T& value) const {
    static_assert(__has_unique_object_representations(T));
    return XXH3_64bits_withSecret(&value, sizeof value, secret_.data(), secret_.size());
  }

 private:
  static constexpr size_t kSecretOctets = 192;  // XXH3's own default; at least XXH3_SECRET_SIZE_MIN
  std::array<uint8_t, kSecretOctets> secret_;
};

}  // namespace clerk
