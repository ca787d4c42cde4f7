// testimonyd --check: everything that can be known of a configuration without opening a ring or a
// socket. Nothing is created or changed, and a daemon that runs meanwhile is not disturbed.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/machine_memory.h"
#include "capture/network_interface.h"
#include "testimonyd/config.h"

namespace clerk {

// What is asked of the machine beside its files.
struct CheckedMachine {
  std::optional<MachineMemory> memory;
  std::function<Result<std::optional<NetworkInterface>>(const std::string&)> find_interface =
      clerk::find_interface;
};

// Where the machine is not as the configuration would have it, in the order of the places. What can
// come good is a warning: an interface that is not there is waited for.
[[nodiscard]] std::vector<ConfigProblem> find_contradictions(const Config& config,
                                                             const CheckedMachine& machine);

// One line: the socket, its interface, rings and memory, who may connect, the filter.
[[nodiscard]] std::string describe_plan(const SocketConfig& socket);

// Prints what is wrong with the file to stderr, or what it would serve to stdout. Returns the exit
// status.
[[nodiscard]] int check_config(const std::string& path);

}  // namespace clerk
