// Text to stdout or stderr. Unlike fmt::print to a FILE it throws nothing: when stderr is a full
// disk there is nobody left to tell.
#pragma once

#include <cstdio>
#include <string_view>

namespace clerk {

// Writes and flushes. False when that failed.
inline bool print_to(std::FILE* stream, std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  return std::fflush(stream) == 0 && written;
}

}  // namespace clerk
