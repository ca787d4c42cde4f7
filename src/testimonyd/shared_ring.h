// A capture ring that clients read together: each block that the kernel fills is lent to all of
// them, and goes back to the kernel when the last one has returned it.
//
//   kernel ──full block──> dispatch ──index──> clients ──index──> give_back ──empty──> kernel
//
// A client that keeps a block for so long that the kernel would soon have to drop packets is late:
// whoever owns the clients ends its connection, and so its loans. Clients may write to the ring,
// for the kernel cannot forbid it; so what a block says of itself is checked before it is lent.
//
// One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "capture/ring.h"
#include "testimonyd/block_ledger.h"
#include "testimonyd/client.h"
#include "testimonyd/stats.h"

namespace clerk {

struct SharedRingLimits {
  // How many blocks of room for the kernel are too few while one is held.
  uint32_t reserve_blocks = 0;
  // The longest that a client may keep a block; 0: no limit.
  std::chrono::milliseconds hold_max{0};
};

class SharedRing {
 public:
  using Clock = std::chrono::steady_clock;

  // Counts on from `counts`, of the ring that was there before.
  SharedRing(Ring ring, const SharedRingLimits& limits, const RingCounts& counts);

  [[nodiscard]] const Ring& ring() const { return ring_; }

  // For EPOLLERR.
  void clear_error() { ring_.clear_error(); }

  // The client gets the blocks that are filled from now on.
  [[nodiscard]] bool join(Client& client);

  // What it holds is returned.
  void leave(Client& client);

  // False when the client does not hold the block.
  [[nodiscard]] bool give_back(Client& client, uint32_t index);

  // Lends every block that the kernel has filled. False when the ring is not as the kernel would
  // leave it: somebody wrote to it, and it cannot be used any more.
  [[nodiscard]] bool dispatch();

  // Whoever must give a block back at once.
  [[nodiscard]] std::vector<Client*> late_clients(Clock::time_point now) const;

  // When somebody may become late, if nothing comes back until then.
  [[nodiscard]] Clock::time_point deadline() const;

  // The kernel may need the oldest block that is held too soon.
  [[nodiscard]] bool is_short_of_room() const;

  // To be called each second. False as with dispatch().
  [[nodiscard]] bool tick();

  // Tells the kernel's counters to the clients.
  void tell_counters();

  void note_eviction() { ++counts_.evictions; }

  // Up to now.
  [[nodiscard]] RingCounts counts();
  [[nodiscard]] uint32_t held_by(const Client& client) const {
    return ledger_.held_by(client.number);
  }

 private:
  [[nodiscard]] bool is_as_filled(std::span<const uint8_t> block) const;
  [[nodiscard]] bool is_out_of_phase() const;
  [[nodiscard]] bool is_burst_ready() const;
  void lend(std::span<const uint8_t> block, std::chrono::milliseconds behind);
  [[nodiscard]] std::vector<uint8_t> counters_message();

  Ring ring_;
  SharedRingLimits limits_;
  BlockLedger ledger_;
  std::map<BlockLedger::Holder, Client*> clients_;
  RingCounts counts_;
  uint32_t ticks_out_of_phase_ = 0;
};

}  // namespace clerk
