// A whole file in memory, for the ones that are read at start and on request: tables, never
// captures. Read, not mapped: a mapped file that somebody cuts short ends the process.
#pragma once

#include <cstddef>
#include <string>

#include "base/error.h"

namespace clerk {

// The octets of the file, which may be a pipe. Fails when it cannot be read or has more than
// `octets_max`; the message names it.
Result<std::string> read_file(const std::string& path, size_t octets_max);

}  // namespace clerk
