// The configuration of testimonyd: a JSON array of objects, one for each socket, in the format of
// the original daemon (/etc/testimony.conf), read by the same rules: keys in any case, unknown keys
// and what follows the array ignored, null is as good as leaving out.
//
// Plain values; nothing here looks at the machine but for accounts and the page size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace clerk {

// One socket and the rings behind it.
struct SocketConfig {
  std::string socket_name;
  std::string interface;
  uint32_t block_octets = 0;
  uint32_t blocks = 0;
  uint32_t block_timeout_ms = 0;  // 0: the kernel chooses
  uint16_t fanout_type = 0;       // PACKET_FANOUT_ of packet(7), with its flags
  uint32_t fanout_size = 1;
  uint16_t fanout_id = 0;  // 0: one that nobody uses
  std::string user;        // owner of the socket; empty: whoever the daemon is
  std::string group;       // its group, which may connect; empty: nobody else may
  std::string filter;      // pcap expression; empty: everything

  // Additions of this daemon.
  bool promiscuous = true;
  uint32_t reserve_blocks = 0;  // how near the kernel may come to a block that is held
  uint32_t max_hold_ms = 0;     // how long a client may hold a block; 0: as long as there is room
  uint32_t clients_max = 0;

  bool operator==(const SocketConfig&) const = default;
};

// Something wrong with the configuration, and where. Lines and columns count from 1, columns in
// octets.
struct ConfigProblem {
  size_t line = 0;
  size_t column = 0;
  std::string message;
};

struct Config {
  std::vector<SocketConfig> sockets;
  std::vector<ConfigProblem> warnings;  // such as unknown keys
};

// All problems, in the order of their places.
[[nodiscard]] std::expected<Config, std::vector<ConfigProblem>> parse_config(std::string_view text);

}  // namespace clerk
