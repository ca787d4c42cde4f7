// How the client's parts make the errors that client.h promises. No message holds an octet from
// outside that could do something to a terminal or a log.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <utility>

#include "testimony/client.h"

namespace testimony {

inline std::unexpected<Error> fail(Failure failure, std::string message) {
  return std::unexpected(Error{failure, std::move(message)});
}

// The same with what errno says of `what`.
std::unexpected<Error> fail_by_errno(const std::string& what, int error_number);

// Text of the daemon: printable ASCII, and not too much of it.
std::string printable(std::span<const uint8_t> text);

}  // namespace testimony
