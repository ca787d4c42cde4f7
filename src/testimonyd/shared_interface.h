// One entry of the configuration at work: a socket, the rings of its interface behind it, and the
// clients of those.
//
// While the interface is gone there are no rings: clients are told so and sent away, and new rings
// are made when an interface of that name is back. What happens to the interface is logged, a line
// an event. A client that misbehaves is sent away alone.
//
// One thread: the event loop's.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "capture/promiscuity.h"
#include "testimonyd/client.h"
#include "testimonyd/config.h"
#include "testimonyd/event_loop.h"
#include "testimonyd/listener.h"
#include "testimonyd/shared_ring.h"
#include "testimonyd/stats.h"

namespace clerk {

class SharedInterface {
 public:
  using Clock = std::chrono::steady_clock;

  // An interface that is not there, or not up where that is needed, is waited for. An error is one
  // of the socket, or one that does not pass by waiting. The loop outlives it.
  static Result<std::unique_ptr<SharedInterface>> open(const SocketConfig& config, EventLoop& loop);

  SharedInterface(const SharedInterface&) = delete;
  SharedInterface& operator=(const SharedInterface&) = delete;
  ~SharedInterface();  // clients get EOF

  [[nodiscard]] const SocketConfig& config() const { return config_; }

  // Does what is due. To be called when the loop has handled events, and at the deadline.
  void work(Clock::time_point now);
  [[nodiscard]] Clock::time_point deadline() const;

  [[nodiscard]] SocketStats stats(Clock::time_point now);

 private:
  SharedInterface(SocketConfig config, EventLoop& loop, Listener listener);

  // Rings
  Result<void> open_first();
  Result<void> open_rings(const NetworkInterface& interface);
  Result<void> add_ring(Ring ring);
  void close_rings();
  void keep_counts();
  void lend_blocks(Clock::time_point now);
  void evict_late_clients(SharedRing& ring, Clock::time_point now);
  [[nodiscard]] std::string why_late(const SharedRing& ring) const;
  void evict(SharedRing& ring, Client& client);
  void note_damage();

  // Interface
  void tick(Clock::time_point now);
  void watch_interface(Clock::time_point now);
  void watch_name(const std::string& name);
  void watch_state();
  void try_to_reopen();

  // Clients
  void accept_clients();
  void add_client(UniqueFd socket);
  void greet(Client& client);
  void handle(Client& client, uint32_t events);
  void listen_to(Client& client);
  void obey(Client& client);
  void join(Client& client, uint32_t index);
  void give_up(Client& client, std::string_view why);
  void send_away_at_once(Client& client, std::string_view why);
  void send_away(Client& client, std::string_view why);
  void end_overdue_clients(Clock::time_point now);
  void close_clients();

  SocketConfig config_;
  EventLoop& loop_;
  Listener listener_;
  EventLoop::Watch listener_watch_;
  bool is_accepting_ = true;

  Promiscuity promiscuity_;
  std::vector<std::unique_ptr<SharedRing>> rings_;  // by index; none while the interface is gone
  std::vector<EventLoop::Watch> ring_watches_;
  std::vector<RingCounts> counts_before_;  // by index, of rings that are gone
  uint64_t rings_made_ = 0;
  std::string current_name_;    // of the interface, which may be renamed
  NetworkInterface interface_;  // that the rings are bound to
  bool is_down_ = false;
  bool tells_rings_ = true;                                  // new ones have a line of their own
  Clock::time_point closing_at_ = Clock::time_point::max();  // the interface is gone

  std::map<uint64_t, std::unique_ptr<Client>> clients_;
  uint64_t clients_accepted_ = 0;
  uint64_t clients_refused_ = 0;
  Clock::time_point next_tick_;
  Clock::time_point next_look_;
  LogLimiter evictions_;
  LogLimiter refusals_;
  LogLimiter absence_{std::chrono::minutes(10)};
  LogLimiter failures_;
};

}  // namespace clerk
