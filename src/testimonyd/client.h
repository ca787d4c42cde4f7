// A client of the daemon: its connection, what it has said, and what it has got.
//
// One thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "testimonyd/client_protocol.h"
#include "testimonyd/connection.h"
#include "testimonyd/event_loop.h"

namespace clerk {

class SharedRing;

struct Client {
  using Clock = std::chrono::steady_clock;

  // Twice the indexes of the largest ring: more of them are unread only where blocks were returned
  // on a guess, which could go on for ever.
  static constexpr size_t kUnsentOctetsMax = size_t{1} << 19;

  Client(uint64_t client_number, UniqueFd socket, Clock::time_point now)
      : number(client_number), connection(std::move(socket)), since(now) {}

  // What the client does not take yet is sent when it does; one that takes nothing is over.
  void send(std::span<const uint8_t> octets) {
    if (!is_over && !connection.send(octets)) is_over = true;
    if (connection.octets_unsent() > kUnsentOctetsMax) is_over = true;
    await_events();
  }
  void flush() {
    if (!is_over && !connection.flush()) is_over = true;
    await_events();
  }

  uint64_t number;  // counts the clients of a socket from 1
  Connection connection;
  ClientProtocol protocol;
  Clock::time_point since;
  Clock::time_point deadline = Clock::time_point::max();  // of a message that is not whole
  SharedRing* ring = nullptr;                             // once it has joined one
  uint64_t blocks_sent = 0;
  uint64_t blocks_returned = 0;
  bool is_over = false;  // to be closed as soon as nobody looks at it
  EventLoop::Watch watch;

 private:
  // Most sends leave nothing behind, and nothing to ask the kernel for.
  void await_events() {
    if (connection.has_unsent() == awaits_room_) return;
    awaits_room_ = !awaits_room_;
    watch.change(EPOLLIN | EPOLLRDHUP | (awaits_room_ ? EPOLLOUT : 0U));
  }

  bool awaits_room_ = false;
};

}  // namespace clerk
