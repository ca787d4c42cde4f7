// What the command lines of the programs have in common: how flags may be spelled, what is said of
// one that nobody knows, and the exit status.
//
// CLI11 reads the arguments; each program has its own flags, in its options.h.
#pragma once

#include <string>

namespace CLI {
class App;
}

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

// --Some-flag=a-b becomes --Some_flag=a-b: one spelling is registered, both are accepted, also with
// one dash, as the flags of the original programs were.
void spell_as_registered(const CLI::App& app, std::string& argument);

// "unknown flag --colector; did you mean --collector?", of an argument that begins with a dash.
[[nodiscard]] std::string describe_unknown_flag(const CLI::App& app, const std::string& argument);

}  // namespace clerk
