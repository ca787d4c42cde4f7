// The command line of testimonyd, which takes the original daemon's flags too.
#pragma once

#include <string>
#include <variant>

#include "base/log.h"
#include "command_line/answer.h"

namespace clerk {

struct DaemonOptions {
  std::string config = "/etc/testimony.conf";
  std::string stats_socket;  // where counters are told; empty: nowhere
  bool syslog = false;       // the log goes there, and not to stderr
  LogLevel log_level = LogLevel::Info;
  bool check = false;
};

// Without arguments the daemon runs: unlike clerk it knows where to look for what to do.
std::variant<DaemonOptions, Answer> parse_daemon_command_line(int argc, const char* const* argv);

}  // namespace clerk
