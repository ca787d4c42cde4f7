// The configuration of testimonyd: a JSON array of objects, one for each socket, in the format of
// the original daemon (/etc/testimony.conf), read by the same rules: keys in any case, unknown keys
// and what follows the array ignored, null is as good as leaving out.
//
// The keys themselves are in config_keys.h; config_reader.h takes the JSON apart, and what is left
// to say about the values is said here. Plain values; the machine is asked for accounts, the page
// size and whether libpcap understands a filter, nothing else.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace clerk {

// A configuration is typed by hand; whatever is longer is another file.
inline constexpr size_t kConfigOctetsMax = size_t{1} << 20;

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

  // Of all its rings together.
  [[nodiscard]] uint64_t octets() const { return uint64_t{block_octets} * blocks * fanout_size; }

  bool operator==(const SocketConfig&) const = default;
};

// Lines and columns count from 1, columns in octets.
struct ConfigPlace {
  size_t line = 1;
  size_t column = 1;

  auto operator<=>(const ConfigPlace&) const = default;
};

enum class ConfigSeverity : uint8_t { Warning, Error };

// Something about the configuration that its author must know, or should, and where.
struct ConfigProblem {
  size_t line = 0;
  size_t column = 0;
  std::string message;
  ConfigSeverity severity = ConfigSeverity::Error;

  bool operator==(const ConfigProblem&) const = default;
};

// "FILE:LINE:COLUMN: error: text", as compilers write it and editors understand it.
[[nodiscard]] std::string describe(std::string_view file, const ConfigProblem& problem);

// Where a socket's configuration says what the machine may contradict.
struct SocketPlaces {
  ConfigPlace socket_name;
  ConfigPlace interface;
  ConfigPlace blocks;
  ConfigPlace filter;
};

struct Config {
  std::vector<SocketConfig> sockets;
  std::vector<SocketPlaces> places;     // one for each of `sockets`
  std::vector<ConfigProblem> warnings;  // such as unknown keys
};

// What the rules ask of the machine. Errors say what is wrong without naming the key.
struct ConfigMachine {
  size_t page_octets;
  std::function<Result<void>(const std::string&)> find_user;
  std::function<Result<void>(const std::string&)> find_group;
  std::function<Result<void>(const std::string&)> check_filter;
};

[[nodiscard]] ConfigMachine this_machine();

// All problems, in the order of their places; warnings are among them when there is an error, too.
// A filter that names hosts makes libpcap look them up.
[[nodiscard]] std::expected<Config, std::vector<ConfigProblem>> parse_config(
    std::string_view text, const ConfigMachine& machine = this_machine());

}  // namespace clerk
