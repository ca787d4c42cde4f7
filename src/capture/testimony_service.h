// What the members of a testimony socket have in common: how many indexes there are, which of them
// are connected, since when not all are, and the lines of the log about all that.
//
// An outage begins when a connection is lost, or cannot be had beside others that are there, and
// ends when every index is connected again: one outage, however many connections it took. Waiting
// for a daemon that was not there yet is none.
//
// Any thread; a mutex that no packet passes. Times are given, so that tests need not wait.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "capture/source.h"
#include "testimony/client.h"

namespace clerk {

class TestimonyService {
 public:
  using Clock = std::chrono::steady_clock;

  explicit TestimonyService(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] const std::string& path() const { return path_; }

  // 0 until the daemon has told it. A daemon that comes back may tell another.
  [[nodiscard]] uint32_t fanout_size() const {
    return fanout_size_.load(std::memory_order_relaxed);
  }

  void note_geometry(const testimony::Geometry& geometry);
  void note_connected(uint32_t index, const testimony::Geometry& geometry, Clock::time_point now);
  void note_lost(uint32_t index, const testimony::Error& error, Clock::time_point now);

  // The daemon is not there, from the start, or nothing came of an attempt to connect.
  void note_absent(const testimony::Error& error, Clock::time_point now);
  void note_not_connected(uint32_t index, const testimony::Error& error, Clock::time_point now);

  void note_block(Clock::time_point now) {
    last_block_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }

  // Tells when no block has come for a minute, and when they come again. A ring that is silent may
  // be healthy, so nothing is done about it.
  void watch_silence(Clock::time_point now);

  // Outages that began, and how long there was one, since the last call.
  SourceCounts take_outages(Clock::time_point now);

 private:
  // One for each value of testimony::Failure.
  static constexpr size_t kFailures = static_cast<size_t>(testimony::Failure::System) + 1;

  void set_geometry(const testimony::Geometry& geometry);
  [[nodiscard]] bool all_connected() const;
  [[nodiscard]] bool any_connected() const;
  void begin_outage(Clock::time_point now);
  void end_outage(Clock::time_point now);
  void count_outage(Clock::time_point now);
  bool may_log(const testimony::Error& error, Clock::time_point now);

  const std::string path_;

  // Relaxed, both: they guard no other data. A member that sees an old value looks again.
  std::atomic<uint32_t> fanout_size_{0};
  std::atomic<Clock::rep> last_block_{0};

  std::mutex mutex_;  // guards all below
  testimony::Geometry geometry_;
  std::vector<bool> connected_;  // by index
  bool is_serving_ = false;      // all indexes are connected
  bool tells_return_ = true;     // the next return to service has a line of its own

  std::optional<Clock::time_point> outage_counted_;  // up to here; nothing while there is none
  Clock::duration outage_{0};                        // counted and not taken yet
  uint64_t outages_ = 0;

  std::optional<Clock::time_point> silence_told_;  // when a line last said that no block comes
  LogLimiter loss_limiter_{std::chrono::seconds(10)};
  std::array<LogLimiter, kFailures> failure_limiters_;
};

}  // namespace clerk
