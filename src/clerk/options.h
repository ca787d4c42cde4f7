// The command line: what the user asked for, checked as far as words can be.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ipfix/timestamp.h"
#include "sink/destination.h"

namespace clerk {

struct Options {
  std::vector<std::string> read;
  std::string filter;
  uint32_t threads = 1;
  std::vector<Destination> collectors;  // at least one
  uint64_t idle_timeout_ns = 0;
  uint64_t active_timeout_ns = 0;
  uint32_t flows_max = 0;
  uint32_t observation_domain = 0;
  uint64_t udp_records_per_second = 0;
  ipfix::TimeUnit time_unit = ipfix::TimeUnit::Nanoseconds;
  bool check = false;
};

// What to print instead of running, and the exit status that goes with it: help and version on
// stdout (0), bad usage on stderr (2).
struct Answer {
  std::string text;
  int exit_status;
};

std::variant<Options, Answer> parse_command_line(int argc, const char* const* argv);

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitBadUsage = 2;

}  // namespace clerk
