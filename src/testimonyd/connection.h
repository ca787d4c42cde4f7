// One end of a connected Unix socket that never waits: what the other end does not take yet is kept
// and sent later.
//
// One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace clerk {

class Connection {
 public:
  explicit Connection(UniqueFd socket);

  [[nodiscard]] int fd() const { return socket_.get(); }

  // Who is there, as the kernel knows: "pid 1234, uid 1000".
  [[nodiscard]] std::string peer() const;
  [[nodiscard]] pid_t process() const { return process_; }
  [[nodiscard]] uid_t user() const { return user_; }

  // False when the connection is over.
  [[nodiscard]] bool send(std::span<const uint8_t> octets);
  [[nodiscard]] bool flush();

  // One octet and the descriptor with it. False also when there is something unsent before it.
  [[nodiscard]] bool send_descriptor(int descriptor);

  [[nodiscard]] size_t octets_unsent() const { return unsent_.size(); }
  [[nodiscard]] bool has_unsent() const { return !unsent_.empty(); }

  enum class Received : uint8_t { Octets, Nothing, End };

  // What has arrived, in octets(); not all of it, when that is much. End: nothing will come again.
  [[nodiscard]] Received receive();
  [[nodiscard]] std::span<const uint8_t> octets() const { return received_; }

 private:
  UniqueFd socket_;
  pid_t process_ = 0;
  uid_t user_ = 0;
  std::vector<uint8_t> unsent_;
  std::vector<uint8_t> buffer_;
  std::span<const uint8_t> received_;
};

}  // namespace clerk
