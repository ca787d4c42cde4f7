// Connects to a daemon's socket, and tells people why it cannot.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "testimony/client.h"

namespace testimony {

// Never waits: a daemon that does not take connections any more is Failure::Silent.
[[nodiscard]] Result<clerk::UniqueFd> dial(const std::string& path);

}  // namespace testimony
