// The daemon's greeting and the answer to it, as drawn in protocol.h, before one deadline. Octets
// and descriptors may come in any pieces; what comes behind the ring's descriptor stays in the
// connection. One thread at a time.
#pragma once

#include <cstdint>

#include "base/unique_fd.h"
#include "testimony/client.h"
#include "testimony/connection.h"
#include "testimony/protocol.h"

namespace testimony {

class Handshake {
 public:
  Handshake(Connection& connection, Clock::time_point deadline)
      : connection_(connection), deadline_(deadline) {}

  // Reads up to WaitingForFanoutIndex. The geometry is_possible().
  Result<Geometry> hear_geometry();

  // Then: asks for this part of the ring, and returns the descriptor that comes.
  Result<clerk::UniqueFd> ask_ring(uint32_t index);

 private:
  Result<void> hear_version();
  Result<void> send_index(uint32_t index);
  Result<clerk::UniqueFd> take_ring();

  // The next TLV or block. An Error of the daemon is one here.
  Result<Message> next_message();
  Result<uint8_t> next_octet();

  // Receives some more.
  Result<void> receive();

  Connection& connection_;
  Clock::time_point deadline_;
  // Of the octets that were received last: any others were too early, and are closed.
  Connection::Descriptors descriptors_;
};

}  // namespace testimony
