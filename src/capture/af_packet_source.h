// A network interface as the source of live packets: one ring for each thread that captures on it,
// together a fanout group of the kernel (packet(7)).
//
//   AfPacketInterface ──┬── member 0 (PacketSource) ── Ring
//                       └── member 1 (PacketSource) ── Ring
//
// All rings are opened together and none hears a packet before all are members, so that each packet
// is counted once. When the interface is removed, each member reads its ring to the end; the last
// one to close it looks for an interface of the same name and opens all rings anew. What happens to
// the interface is logged, a line an event. The members are used by one thread each; what they
// share is behind a mutex that no packet passes.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "capture/promiscuity.h"
#include "capture/ring.h"
#include "capture/source.h"

namespace clerk {

struct AfPacketOptions {
  uint32_t members = 1;
  Fanout fanout = Fanout::Hash;
  std::string filter;  // pcap expression
  uint32_t snaplen = 0;
  size_t ring_octets = 0;  // of each member
  bool promiscuous = true;
  bool wait = false;  // for an interface that is not there yet
};

class AfPacketInterface {
 public:
  // Errors name the interface and the way out.
  static Result<std::unique_ptr<AfPacketInterface>> open(std::string name, AfPacketOptions options);

  AfPacketInterface(const AfPacketInterface&) = delete;
  AfPacketInterface& operator=(const AfPacketInterface&) = delete;
  ~AfPacketInterface();

  // One for each thread. They live as long as the interface.
  [[nodiscard]] std::vector<PacketSource*> sources() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Rings = std::vector<std::unique_ptr<Ring>>;
  class Member;

  AfPacketInterface(std::string name, AfPacketOptions options);

  // For members.
  std::unique_ptr<Ring> take_ring(size_t member);
  void note_removal();
  void note_closed_ring();
  void watch_state();
  void watch_name();

  Result<void> open_first();
  Result<void> open_rings(const NetworkInterface& interface);
  Result<Rings> make_rings(const NetworkInterface& interface);
  void try_to_reopen();
  [[nodiscard]] Result<void> check_possible() const;
  void warn_of_offloads() const;

  std::string name_;
  AfPacketOptions options_;
  std::vector<std::unique_ptr<Member>> members_;

  std::mutex mutex_;  // guards all below
  Rings fresh_;       // opened, and not taken by their members yet
  Promiscuity promiscuity_;
  size_t open_rings_ = 0;
  bool is_removed_ = false;
  bool is_up_ = true;
  int index_ = 0;                // of the interface that the rings are bound to
  std::string current_name_;     // of the same, which may be renamed
  Clock::time_point next_look_;  // for whether it is up, or there again
  LogLimiter log_limiter_;
  LogLimiter absence_limiter_{std::chrono::minutes(10)};
};

}  // namespace clerk
