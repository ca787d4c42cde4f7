#include "testimonyd/event_loop.h"

#include <array>
#include <cerrno>
#include <span>

namespace clerk {
namespace {

// At a time; the others wait for the next one.
constexpr size_t kEventsMax = 256;

}  // namespace

EventLoop::Watch::~Watch() {
  if (loop_ == nullptr) return;
  ::epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  loop_->handlers_.erase(number_);
}

void EventLoop::Watch::change(uint32_t events) const {
  if (loop_ == nullptr) return;
  epoll_event event{.events = events, .data = {.u64 = number_}};
  ::epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_MOD, fd_, &event);
}

Result<EventLoop> EventLoop::create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail("epoll: {}", errno_text(errno));
  return EventLoop(std::move(epoll));
}

Result<EventLoop::Watch> EventLoop::watch(int fd, uint32_t events, Handler handler) {
  const uint64_t number = next_number_++;
  epoll_event event{.events = events, .data = {.u64 = number}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return fail("epoll: {}", errno_text(errno));
  handlers_.emplace(number, std::make_shared<Handler>(std::move(handler)));
  return Watch(*this, number, fd);
}

void EventLoop::wait(std::chrono::milliseconds patience) {
  std::array<epoll_event, kEventsMax> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 static_cast<int>(patience.count()));
  if (count <= 0) return;
  for (const epoll_event& event : std::span(events).first(static_cast<size_t>(count))) {
    const uint64_t number =
        event.data.u64;  // events are packed, so none of their parts is referred to
    const auto found = handlers_.find(number);
    if (found == handlers_.end()) continue;
    const auto handler = found->second;  // it may forget itself
    (*handler)(event.events);
  }
}

}  // namespace clerk
