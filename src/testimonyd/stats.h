// What the daemon has counted, as plain values, and as text: JSON for programs, a line each for the
// log.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "capture/ring.h"

namespace clerk {

// Of one fanout index, since the daemon serves its socket: also over several rings, when the
// interface went and came back.
struct RingCounts {
  RingStatistics kernel;         // packets that passed the filter, drops of these, freezes
  uint64_t blocks = 0;           // filled by the kernel
  uint64_t blocks_losing = 0;    // of those, flagged: packets were dropped before
  uint64_t blocks_sent = 0;      // one to three clients counts three
  uint64_t blocks_returned = 0;  // by clients; the others went back when their clients ended
  uint32_t blocks_held = 0;      // now
  uint64_t clients_joined = 0;
  uint64_t evictions = 0;  // clients whose connection was ended because they kept a block
};

struct ClientStats {
  uint64_t number = 0;
  pid_t process = 0;
  uid_t user = 0;
  double connected_seconds = 0;
  uint64_t blocks_sent = 0;
  uint64_t blocks_returned = 0;
  uint32_t blocks_held = 0;
};

struct RingStats {
  uint32_t index = 0;
  RingCounts counts;
  std::vector<ClientStats> clients;
};

struct SocketStats {
  std::string socket;
  std::string interface;
  bool is_capturing = false;      // not while the interface is gone
  uint32_t clients_greeting = 0;  // connected, and have not said which index they want
  uint64_t clients_refused = 0;  // beyond the limit, silent for too long, or wrong in what they say
  uint64_t rings_made = 0;       // how often
  std::vector<RingStats> rings;
};

struct DaemonStats {
  double uptime_seconds = 0;
  std::vector<SocketStats> sockets;
};

// One JSON object and a line feed.
[[nodiscard]] std::string to_json(const DaemonStats& stats);

// A line for each ring and each client.
[[nodiscard]] std::vector<std::string> to_lines(const DaemonStats& stats);

}  // namespace clerk
