// Who holds which block of a shared ring, and so when a block may go back to the kernel. It only
// counts: it sees neither the ring nor a socket.
//
// The kernel fills the blocks in ring order, and in that order they are lent: each to all holders
// of the moment. A block is free again when the last of them has given it back, in whatever order
// blocks come back. From the oldest one that is lent to the latest is a stretch of the ring; what
// is left of it is room for the kernel:
//
//        oldest          next
//   |    | 2 | 0 | 1 | 1 |    |    |        numbers: how many hold it
//          \___ lent ___/ \_ room _ ...
//
// One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace clerk {

class BlockLedger {
 public:
  using Clock = std::chrono::steady_clock;
  using Holder = uint64_t;

  explicit BlockLedger(uint32_t blocks);

  // A holder takes part in what is lent from then on.
  void add(Holder holder);

  // Returns the blocks that became free.
  std::vector<uint32_t> remove(Holder holder);

  // The block that the kernel hands over next. It must not be lent while it is out: no room.
  [[nodiscard]] uint32_t next() const { return index_of(lent_); }
  [[nodiscard]] uint32_t room() const { return blocks() - static_cast<uint32_t>(lent_ - oldest_); }

  // Lends the next block to everyone. False when there is nobody, and it is free at once.
  bool lend(Clock::time_point now);

  enum class Return : uint8_t { Foreign, Held, Free };

  // Foreign: the holder does not have it. Held: somebody else still has it.
  Return give_back(Holder holder, uint32_t index);

  // The block that was lent first of those which are out, and when.
  [[nodiscard]] std::optional<uint32_t> oldest_held() const;
  [[nodiscard]] Clock::time_point lent_at(uint32_t index) const { return lent_at_[index]; }

  [[nodiscard]] std::vector<Holder> holders_of(uint32_t index) const;
  [[nodiscard]] bool is_held(uint32_t index) const { return holders_[index] > 0; }
  [[nodiscard]] uint32_t held_by(Holder holder) const;
  [[nodiscard]] uint32_t held() const { return held_; }

  // How many blocks were lent or free at once.
  [[nodiscard]] uint64_t lent() const { return lent_; }

 private:
  struct Account {
    std::vector<bool> holds;  // by block
    uint32_t held = 0;
  };

  [[nodiscard]] uint32_t blocks() const { return static_cast<uint32_t>(holders_.size()); }
  [[nodiscard]] uint32_t index_of(uint64_t number) const {
    return static_cast<uint32_t>(number % holders_.size());
  }
  bool release(uint32_t index);
  void move_oldest();

  std::vector<uint32_t> holders_;  // by block: how many hold it
  std::vector<Clock::time_point> lent_at_;
  std::map<Holder, Account> accounts_;
  uint64_t lent_ = 0;    // counts blocks, round after round of the ring
  uint64_t oldest_ = 0;  // of those, the first that is out; lent_ when none is
  uint32_t held_ = 0;
};

}  // namespace clerk
