// The octets of a packet that are still to be read, between here and its two ends
// (docs/decoding.md): the captured end, where the capture cut it, and the wire end, where it ended
// on the wire.
//
// A value: whoever wants to look ahead copies it. Reading behind an end throws.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "testing/reference_decoder.h"

namespace clerk::reference {

// Thrown: nothing further can be told of the packet, or of the tunnel that is looked into.
struct Ended {
  Stop stop;
};

// The big-endian integer of `octets` octets that stands `at` octets into a header.
[[nodiscard]] inline uint64_t big_endian(const Octets& header, size_t at, size_t octets) {
  uint64_t value = 0;
  for (size_t i = 0; i < octets; ++i)
    value = value << 8 | header.at(at + i);
  return value;
}

[[nodiscard]] inline uint64_t little_endian(const Octets& header, size_t at, size_t octets) {
  uint64_t value = 0;
  for (size_t i = octets; i > 0; --i)
    value = value << 8 | header.at(at + i - 1);
  return value;
}

[[nodiscard]] inline Octets part_of(const Octets& header, size_t at, size_t octets) {
  Octets part;
  for (size_t i = 0; i < octets; ++i)
    part.push_back(header.at(at + i));
  return part;
}

class Reader {
 public:
  // The octets must outlive it.
  Reader(const Octets& captured, size_t wire)
      : captured_(captured), wire_(std::max(wire, captured.size())) {}

  [[nodiscard]] size_t wire_left() const { return wire_; }
  [[nodiscard]] size_t captured_left() const { return captured_.size(); }

  // A copy of the next octets. A header that the wire had none of is malformed even when the
  // capture lacks it too.
  [[nodiscard]] Octets peek(size_t octets) const {
    if (octets > wire_) throw Ended{Stop::Malformed};
    if (octets > captured_.size()) throw Ended{Stop::Truncated};
    return {captured_.begin(), captured_.begin() + static_cast<std::ptrdiff_t>(octets)};
  }

  // The same, and goes behind them.
  [[nodiscard]] Octets take(size_t octets) {
    Octets taken = peek(octets);
    skip(octets);
    return taken;
  }

  // Goes behind octets that must be there.
  void pass(size_t octets) { static_cast<void>(take(octets)); }

  // The next octets as an integer, and goes behind them.
  [[nodiscard]] uint64_t number(size_t octets) { return big_endian(take(octets), 0, octets); }

  // Goes behind octets that need not be there: what follows them is then missing at the end that
  // they are behind of.
  void skip(size_t octets) {
    captured_ = captured_.subspan(std::min(octets, captured_.size()));
    wire_ -= std::min(octets, wire_);
  }

  // A layer says that the packet has only so many octets from here on.
  void draw_in(size_t octets) {
    wire_ = std::min(wire_, octets);
    captured_ = captured_.first(std::min(captured_.size(), octets));
  }

  // For looking ahead: whether the wire has so many octets more. Truncated if it has and the
  // capture does not.
  [[nodiscard]] bool holds(size_t octets) const {
    if (octets > wire_) return false;
    if (octets > captured_.size()) throw Ended{Stop::Truncated};
    return true;
  }

  // The octets behind the next ones, without going there.
  [[nodiscard]] Reader behind(size_t octets) const {
    Reader there = *this;
    there.skip(octets);
    return there;
  }

 private:
  std::span<const uint8_t> captured_;  // from here on
  size_t wire_;                        // octets that the wire had from here on
};

}  // namespace clerk::reference
