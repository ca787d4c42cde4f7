// Finds out from the sequence numbers of the blocks that come how many did not: the kernel numbers
// the blocks of a ring as it fills them. They may come in any order, and late.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace testimony {

class SequenceWatch {
 public:
  void note(uint64_t sequence) {
    if (!any_) first_ = highest_ = sequence;
    any_ = true;
    if (sequence > highest_) {
      skip(sequence - highest_ - 1);
      highest_ = sequence;
    } else if (sequence > first_ && sequence < highest_ && missed_ > 0) {
      --missed_;
    }
  }

  [[nodiscard]] int64_t missed() const { return missed_; }

  [[nodiscard]] std::optional<uint64_t> highest() const {
    return any_ ? std::optional(highest_) : std::nullopt;
  }

 private:
  // A daemon may claim any number; the sum stays at the highest that there is.
  void skip(uint64_t blocks) {
    const auto room = static_cast<uint64_t>(std::numeric_limits<int64_t>::max() - missed_);
    missed_ += static_cast<int64_t>(std::min(blocks, room));
  }

  bool any_ = false;
  uint64_t first_ = 0;
  uint64_t highest_ = 0;
  int64_t missed_ = 0;
};

}  // namespace testimony
