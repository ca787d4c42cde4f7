// A bounded cursor over the octets of a packet, which has two ends: where the capture cut it, and
// where it ended on the wire.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/big_endian.h"
#include "decode/decode.h"

namespace clerk {

class ByteReader {
 public:
  // On the wire there were `octets_cut` more.
  ByteReader(const uint8_t* begin, size_t octets, size_t octets_cut)
      : position_(begin), end_(begin + octets), cut_(octets_cut) {}

  [[nodiscard]] size_t left() const { return static_cast<size_t>(end_ - position_); }
  [[nodiscard]] size_t left_on_wire() const { return left() + cut_; }
  [[nodiscard]] bool has(size_t octets) const { return left() >= octets; }
  [[nodiscard]] const uint8_t* position() const { return position_; }

  // Why has() said no: the capture cut these octets off, or there never were as many.
  [[nodiscard]] Stop missing(size_t octets) const {
    return left_on_wire() >= octets ? Stop::Truncated : Stop::Malformed;
  }

  // The caller made sure, with has(), that these octets are there.
  [[nodiscard]] uint8_t octet(size_t at) const { return position_[at]; }
  template <typename T>
  [[nodiscard]] T load(size_t at) const {
    return load_big_endian<T>(position_ + at);
  }
  template <typename T>
  [[nodiscard]] T load_little_endian(size_t at) const {
    return std::byteswap(load<T>(at));
  }
  void skip(size_t octets) { position_ += octets; }

  // As far as there are so many captured octets.
  void skip_at_most(size_t octets) {
    const size_t captured = std::min(octets, left());
    position_ += captured;
    cut_ -= std::min(octets - captured, cut_);
  }

  // Forgets all but the next `octets`, if there are more.
  void limit(size_t octets) {
    if (octets <= left()) {
      end_ = position_ + octets;
      cut_ = 0;
    } else {
      cut_ = std::min(cut_, octets - left());
    }
  }

 private:
  const uint8_t* position_;
  const uint8_t* end_;
  size_t cut_;
};

}  // namespace clerk
