// The log: spdlog to stderr, a line an event. Never from the packet path.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace clerk {

// Sets the program's default spdlog logger: stderr, "clerk: level: text". Call once, at start.
void start_log();

// Lets one event of a kind through each interval, so that a failing collector cannot fill a disk.
// Not thread-safe: it belongs to the thread that logs.
class LogLimiter {
 public:
  explicit LogLimiter(std::chrono::steady_clock::duration interval) : interval_(interval) {}

  // How many events were held back since the last one let through, or nothing: hold this one back
  // too.
  std::optional<uint64_t> allow(std::chrono::steady_clock::time_point now);

 private:
  std::chrono::steady_clock::duration interval_;
  std::optional<std::chrono::steady_clock::time_point> last_;
  uint64_t held_back_ = 0;
};

}  // namespace clerk
