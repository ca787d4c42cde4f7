// A bounded cursor over the captured octets of a packet.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/big_endian.h"

namespace clerk {

class ByteReader {
 public:
  ByteReader(const uint8_t* begin, size_t octets) : position_(begin), end_(begin + octets) {}

  [[nodiscard]] size_t left() const { return static_cast<size_t>(end_ - position_); }
  [[nodiscard]] bool has(size_t octets) const { return left() >= octets; }
  [[nodiscard]] const uint8_t* position() const { return position_; }

  // The caller made sure, with has(), that these octets are there.
  [[nodiscard]] uint8_t octet(size_t at) const { return position_[at]; }
  template <typename T>
  [[nodiscard]] T load(size_t at) const {
    return load_big_endian<T>(position_ + at);
  }
  void skip(size_t octets) { position_ += octets; }

  // Forgets all but the next `octets`, if there are more.
  void limit(size_t octets) {
    if (left() > octets) end_ = position_ + octets;
  }

 private:
  const uint8_t* position_;
  const uint8_t* end_;
};

}  // namespace clerk
