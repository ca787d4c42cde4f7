// The log: spdlog to stderr, a line an event. Never from the packet path. Any thread may write to
// it through spdlog's own functions (spdlog::info and so on) once main has called start_log.
//
//   clerk: warning: text                              on a terminal, in a file or pipe
//   2026-01-02T03:04:05.678Z clerk: warning: text     the same, of a run that lasts
//   <4>clerk: text                                    where systemd's journal reads stderr
//
// The journal keeps time and level itself; the level travels as the number that sd-daemon(3) names.
// Nobody is told of a line that cannot be written: a log that is gone never ends the program, and
// one that nobody reads never holds it up.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace clerk {

enum class LogLevel : uint8_t { Debug, Info, Warn, Error };

// The value of --log_level: debug, info, warn or error.
[[nodiscard]] Result<LogLevel> parse_log_level(std::string_view text);

// Sets the program's default spdlog logger, at level info. Call once, before anything is logged.
// `program` begins each line.
void start_log(const std::string& program = "clerk");

// From now on lines go to syslog(3), facility daemon, instead of stderr. Fails where nobody listens
// to it.
[[nodiscard]] Result<void> log_to_syslog();

// Lets events of this level and the graver ones through.
void set_log_level(LogLevel level);

// From now on lines begin with the time: RFC 3339 in UTC, with milliseconds. The journal's do not.
void stamp_log_with_time();

// Lets one event of a kind through each interval, so that a failing collector cannot fill a disk.
// Not thread-safe: it belongs to the thread that logs.
class LogLimiter {
 public:
  // A line a minute tells what goes on and fills no disk.
  explicit LogLimiter(std::chrono::steady_clock::duration interval = std::chrono::minutes(1))
      : interval_(interval) {}

  // How many events were held back since the last one let through, or nothing: hold this one back
  // too.
  std::optional<uint64_t> allow(std::chrono::steady_clock::time_point now);

 private:
  std::chrono::steady_clock::duration interval_;
  std::optional<std::chrono::steady_clock::time_point> last_;
  uint64_t held_back_ = 0;
};

}  // namespace clerk
