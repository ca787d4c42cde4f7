// A thread that has the AS numbers read again, at intervals and on SIGHUP.
#pragma once

#include <chrono>
#include <memory>
#include <thread>

#include "base/unique_fd.h"
#include "flow/enrich.h"

namespace clerk {

// Keeps SIGHUP for a Rereader; without one it does nothing. For main, before any thread exists:
// threads inherit this.
void reserve_hangup_signal();

class Rereader {
 public:
  // The enricher outlives the rereader. An error is one of starting; later ones are logged and
  // leave the numbers in use as they were.
  static Result<std::unique_ptr<Rereader>> start(Enricher& enricher, std::chrono::seconds interval);
  ~Rereader();  // waits for a table that is being read
  Rereader(const Rereader&) = delete;
  Rereader& operator=(const Rereader&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  enum class Event : uint8_t { Hangup, Interval, End };

  Rereader(Enricher& enricher, std::chrono::seconds interval, UniqueFd hangups, UniqueFd end);

  void run();
  void reread();
  Event wait_until(Clock::time_point next);

  Enricher& enricher_;
  std::chrono::seconds interval_;
  UniqueFd hangups_;  // signalfd(2)
  UniqueFd end_;      // eventfd(2): readable when the thread is to end
  std::thread thread_;
};

}  // namespace clerk
