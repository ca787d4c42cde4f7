// The command line of testimony-dump.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace testimony_dump {

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadUsage = 2;

struct Options {
  std::string socket;
  std::optional<uint32_t> index = {};  // nothing: every part of the ring
  std::optional<uint64_t> count = {};  // nothing: until a signal comes
  std::string file;                    // a pcap file, - for stdout; empty: lines of text

  bool operator==(const Options&) const = default;
};

// What a command line asked for instead of a run: help, the version, or a word of what is wrong.
struct Answer {
  std::string text;
  int exit_status = kExitDone;
};

std::variant<Options, Answer> parse_command_line(int argc, const char* const* argv);

}  // namespace testimony_dump
