// Waits for descriptors and calls whoever watches them (epoll(7)).
//
// One thread. A handler may watch and forget anything, itself too.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "base/error.h"
#include "base/unique_fd.h"

namespace clerk {

class EventLoop {
 public:
  // Gets the events of epoll_ctl(2) that came.
  using Handler = std::function<void(uint32_t events)>;

  // A descriptor that is watched, until the object goes. The descriptor lives longer.
  class Watch {
   public:
    Watch() = default;
    Watch(EventLoop& loop, uint64_t number, int fd) : loop_(&loop), number_(number), fd_(fd) {}
    Watch(Watch&& other) noexcept { *this = std::move(other); }
    Watch& operator=(Watch&& other) noexcept {
      std::swap(loop_, other.loop_);
      std::swap(number_, other.number_);
      std::swap(fd_, other.fd_);
      return *this;
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

    // Other events from now on.
    void change(uint32_t events) const;

   private:
    EventLoop* loop_ = nullptr;
    uint64_t number_ = 0;
    int fd_ = -1;
  };

  static Result<EventLoop> create();

  [[nodiscard]] Result<Watch> watch(int fd, uint32_t events, Handler handler);

  // Waits for events, no longer than `patience`, and has them handled.
  void wait(std::chrono::milliseconds patience);

 private:
  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  UniqueFd epoll_;
  uint64_t next_number_ = 0;
  // By number: one that is forgotten stays so, though its descriptor may be somebody else's by
  // then.
  std::unordered_map<uint64_t, std::shared_ptr<Handler>> handlers_;
};

}  // namespace clerk
