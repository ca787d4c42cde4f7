// The daemon: every socket of the configuration, what signals ask for, and the statistics.
//
//   SIGHUP            reads the configuration again; what did not change goes on undisturbed
//   SIGUSR1           writes the counters to the log
//   SIGTERM, SIGINT   ends
//
// One thread, which sleeps unless something happens, and looks around each second.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "testimonyd/config.h"
#include "testimonyd/event_loop.h"
#include "testimonyd/options.h"
#include "testimonyd/shared_interface.h"
#include "testimonyd/stats.h"
#include "testimonyd/stats_socket.h"

namespace clerk {

class Daemon {
 public:
  // Opens everything. Errors name the socket at fault.
  static Result<std::unique_ptr<Daemon>> open(const Config& config, const DaemonOptions& options);

  // Works until a signal ends it.
  void run();

  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() = default;

 private:
  using Clock = std::chrono::steady_clock;

  explicit Daemon(DaemonOptions options, EventLoop loop)
      : options_(std::move(options)), loop_(std::move(loop)), start_(Clock::now()) {}

  Result<void> open_all(const Config& config);
  Result<void> watch_signals();
  void handle_signals();
  void reread_config();
  void apply(const Config& config);
  std::vector<Error> open_unserved();
  void retry_unserved(Clock::time_point now);
  void log_stats();
  [[nodiscard]] std::chrono::milliseconds patience() const;
  [[nodiscard]] DaemonStats stats();

  DaemonOptions options_;
  EventLoop loop_;
  Clock::time_point start_;
  std::vector<std::unique_ptr<SharedInterface>> interfaces_;
  std::vector<SocketConfig> unserved_;  // that SIGHUP asked for and that cannot be opened yet
  Clock::time_point next_try_;          // for these
  LogLimiter unserved_limiter_{std::chrono::minutes(10)};
  UniqueFd signals_;  // signalfd(2)
  EventLoop::Watch signals_watch_;
  std::unique_ptr<StatsSocket> stats_socket_;  // where one is wanted
  bool is_ending_ = false;
};

// Reads and checks the configuration at a path. What is wrong with it is logged, with its places.
[[nodiscard]] Result<Config> load_config(const std::string& path);

// The capabilities of <linux/capability.h> that the daemon keeps: to make rings anew, to give
// sockets to their owners, and where it may not write to a socket's directory otherwise, to do
// that.
[[nodiscard]] std::vector<int> kept_capabilities(const Config& config,
                                                 const DaemonOptions& options);

}  // namespace clerk
