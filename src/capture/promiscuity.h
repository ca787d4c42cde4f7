// Asks a device for packets that are not addressed to it, as long as the object lives. The wish
// hangs on a socket of its own, which nobody else ever holds. A plain value without a wish when
// default made.
#pragma once

#include "base/error.h"
#include "base/unique_fd.h"
#include "capture/network_interface.h"

namespace clerk {

class Promiscuity {
 public:
  Promiscuity() = default;

  static Result<Promiscuity> ask(const NetworkInterface& interface);

 private:
  explicit Promiscuity(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

}  // namespace clerk
