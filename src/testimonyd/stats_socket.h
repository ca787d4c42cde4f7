// A socket that tells the counters to whoever connects: one text, and the connection is closed.
//
// Anybody may ask, as often as they like, so the answers are rationed: they must not keep the
// daemon from its rings.
//
// One thread: the event loop's.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "testimonyd/connection.h"
#include "testimonyd/event_loop.h"
#include "testimonyd/listener.h"

namespace clerk {

class StatsSocket {
 public:
  using Clock = std::chrono::steady_clock;

  // `text` makes the answer. The loop outlives the socket.
  static Result<std::unique_ptr<StatsSocket>> open(const std::string& path, EventLoop& loop,
                                                   std::function<std::string()> text);

  StatsSocket(const StatsSocket&) = delete;
  StatsSocket& operator=(const StatsSocket&) = delete;
  ~StatsSocket() = default;

  // Does what is due. To be called when the loop has handled events, and at the deadline.
  void work(Clock::time_point now);
  [[nodiscard]] Clock::time_point deadline() const { return resume_at_; }

 private:
  // Somebody who has not taken the whole answer yet.
  struct Inquiry {
    Inquiry(UniqueFd socket, Clock::time_point until)
        : connection(std::move(socket)), deadline(until) {}

    Connection connection;
    Clock::time_point deadline;
    EventLoop::Watch watch;
  };

  StatsSocket(Listener listener, EventLoop& loop, std::function<std::string()> text)
      : listener_(std::move(listener)), loop_(loop), text_(std::move(text)) {}

  void accept_one();
  void pause_until(Clock::time_point resume_at);
  void answer(UniqueFd socket);

  Listener listener_;
  EventLoop& loop_;
  std::function<std::string()> text_;
  EventLoop::Watch watch_;
  Clock::time_point counting_since_;
  int answers_ = 0;                                         // since then
  Clock::time_point resume_at_ = Clock::time_point::max();  // while it does not listen
  std::map<int, std::unique_ptr<Inquiry>> inquiries_;       // by descriptor
};

}  // namespace clerk
