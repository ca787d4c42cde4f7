// How a program ends: the exit status, and what it prints when the command line asks for nothing
// else.
#pragma once

#include <string>

namespace clerk {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadUsage = 2;

// What to print instead of running, and the exit status that goes with it: help and version on
// stdout (0), bad usage on stderr (2).
struct Answer {
  std::string text;
  int exit_status;
};

}  // namespace clerk
