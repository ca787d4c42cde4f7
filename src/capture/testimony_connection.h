// The connection to one index of a testimony socket, whether it is there or not: when to try again,
// and what it counted and nobody has taken yet.
//
// Belongs to one member of a TestimonySocket, and to its thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "capture/source.h"
#include "testimony/client.h"

namespace clerk {

class TestimonyConnection {
 public:
  using Clock = std::chrono::steady_clock;

  explicit TestimonyConnection(uint32_t index) : index_(index) {}

  [[nodiscard]] uint32_t index() const { return index_; }
  [[nodiscard]] bool is_open() const { return client_.has_value(); }
  [[nodiscard]] testimony::Client& client() { return *client_; }

  // The same of the client, with a look at what the kernel counted: from the first on that the
  // daemon tells drops add up.
  testimony::Result<std::optional<testimony::Block>> next_block(std::chrono::milliseconds patience);

  // When to try to open it, while it is not.
  [[nodiscard]] Clock::time_point next_try() const { return next_try_; }

  void open(testimony::Client client, Clock::time_point now);

  // An attempt failed.
  void put_off(Clock::time_point now);

  // Closes its socket and its ring. Adds to `counts` what collect() would.
  void close(SourceCounts& counts, Clock::time_point now);

  // Adds what was counted since the last call.
  void collect(SourceCounts& counts);

 private:
  void note_drops();
  void collect_drops(SourceCounts& counts);
  void collect_blocks(SourceCounts& counts);

  uint32_t index_;
  std::optional<testimony::Client> client_;
  Clock::time_point opened_at_;
  Clock::time_point next_try_;
  Clock::duration pause_{0};  // before the try behind the next one; 0: the shortest

  std::optional<testimony::Position> position_;      // where the connection before this one ended
  std::optional<testimony::KernelCounters> kernel_;  // as seen last
  uint64_t drops_ = 0;                               // seen and not collected yet
  testimony::BlockCounts blocks_;                    // as collected last
};

}  // namespace clerk
