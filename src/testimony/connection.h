// The client's end of the socket: octets come in, sometimes with descriptors, and go out. Never
// waits but in receive(), whose patience the caller sets. Owns the socket; one thread at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "testimony/client.h"
#include "testimony/protocol.h"

namespace testimony {

using Clock = std::chrono::steady_clock;

// Now and so much, whatever a caller thinks of as forever.
Clock::time_point deadline_after(std::chrono::milliseconds patience);

class Connection {
 public:
  using Descriptors = std::vector<clerk::UniqueFd>;

  explicit Connection(clerk::UniqueFd socket) : socket_(std::move(socket)) {}

  [[nodiscard]] int fd() const { return socket_.get(); }

  // What was received and not looked at.
  MessageReader& arrived() { return arrived_; }

  // Waits for octets and adds them to arrived(); sends meanwhile what is queued. Returns the
  // descriptors that came with them, or nothing when no octet came in time. Failure::Ended when the
  // daemon has closed the connection, and everything that it sent was received.
  Result<std::optional<Descriptors>> receive(Clock::time_point deadline);

  // Queues a message and sends what can be sent now: each message in one piece, unless others wait
  // before it, which is what a daemon that reads by the word needs. Failure::Ended when the daemon
  // reads no more; it may still have said something.
  Result<void> send(std::span<const uint8_t> message);

  // The same for what is queued.
  Result<void> flush();

  [[nodiscard]] size_t octets_queued() const { return queued_.size(); }

 private:
  void wait(Clock::time_point deadline) const;
  Result<std::optional<Descriptors>> receive_now();

  clerk::UniqueFd socket_;
  MessageReader arrived_;
  std::vector<uint8_t> queued_;
};

}  // namespace testimony
