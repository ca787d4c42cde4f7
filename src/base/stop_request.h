// The one flag by which SIGINT and SIGTERM end a run in an orderly way.
//
// Sources look at requested() between blocks and poll fd() beside a file that may keep them
// waiting. The second signal ends the process at once, for people who do not want to wait for the
// flush.
#pragma once

#include <atomic>

#include "base/error.h"
#include "base/unique_fd.h"

namespace clerk {

class StopRequest {
 public:
  static Result<StopRequest> create();

  // Any thread, also a signal handler. Returns false when a stop was requested before.
  bool request();
  [[nodiscard]] bool requested() const { return requested_.load(std::memory_order_relaxed); }

  // Becomes readable, and stays so, once a stop was requested.
  [[nodiscard]] int fd() const { return event_.get(); }

  // Routes SIGINT and SIGTERM of the process here, until the object goes. It must not be moved any
  // more.
  void install_signal_handlers();

  StopRequest(StopRequest&& other) noexcept : event_(std::move(other.event_)) {}
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  StopRequest& operator=(StopRequest&&) = delete;
  ~StopRequest();

 private:
  explicit StopRequest(UniqueFd event) : event_(std::move(event)) {}

  UniqueFd event_;
  std::atomic<bool> requested_{false};  // relaxed: it guards no other data
};

}  // namespace clerk
