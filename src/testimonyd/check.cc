#include "testimonyd/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/bpf_common.h>
#include <linux/capability.h>
#include <linux/if_packet.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/print.h"
#include "base/privileges.h"
#include "base/quote.h"
#include "base/read_file.h"
#include "capture/kernel_filter.h"
#include "capture/network_interface.h"
#include "command_line/answer.h"
#include "testimonyd/config_problems.h"
#include "testimonyd/ring_group.h"

namespace clerk {
namespace {

constexpr uint64_t kKibibyte = uint64_t{1} << 10;
constexpr uint64_t kMebibyte = uint64_t{1} << 20;

constexpr std::array kFanoutNames{"hash", "lb", "cpu", "rollover", "rnd", "qm", "cbpf", "ebpf"};

// Looks at one socket after the other.
class MachineCheck {
 public:
  explicit MachineCheck(const CheckedMachine& machine)
      : machine_(machine), memory_(machine.memory) {}

  void look_at(const SocketConfig& socket, const SocketPlaces& places) {
    check_path(socket.socket_name, places.socket_name);
    check_directory(socket.socket_name, places.socket_name);
    check_interface(socket, places);
    check_memory(socket, places.blocks);
  }

  [[nodiscard]] std::vector<ConfigProblem> take() { return std::move(problems_); }

 private:
  void add(ConfigPlace place, ConfigSeverity severity, std::string message) {
    problems_.push_back({place.line, place.column, std::move(message), severity});
  }

  void check_path(const std::string& path, ConfigPlace place);
  void check_directory(const std::string& path, ConfigPlace place);
  void check_interface(const SocketConfig& socket, const SocketPlaces& places);
  void check_filter(const SocketConfig& socket, const NetworkInterface& interface,
                    ConfigPlace place);
  void check_memory(const SocketConfig& socket, ConfigPlace place);

  const CheckedMachine& machine_;
  std::optional<MachineMemory> memory_;  // until one problem with it is told
  uint64_t octets_ = 0;                  // of the rings so far
  std::vector<ConfigProblem> problems_;
};

// What an earlier daemon left behind is replaced; nothing else is.
void MachineCheck::check_path(const std::string& path, ConfigPlace place) {
  using std::filesystem::file_type;
  std::error_code unknown;
  const file_type type = std::filesystem::symlink_status(path, unknown).type();
  if (type == file_type::not_found || type == file_type::socket || type == file_type::none) return;
  add(place, ConfigSeverity::Error,
      fmt::format("SocketName {}: there is something at this path that is not a socket; remove it, "
                  "or choose another path",
                  quote_some(path)));
}

void MachineCheck::check_directory(const std::string& path, ConfigPlace place) {
  auto directory = std::filesystem::path(path).parent_path();
  if (directory.empty()) directory = ".";
  std::error_code error;
  const auto type = std::filesystem::status(directory, error).type();
  if (type == std::filesystem::file_type::directory) return;
  const bool is_unknown = type == std::filesystem::file_type::none;
  add(place, is_unknown ? ConfigSeverity::Warning : ConfigSeverity::Error,
      fmt::format("SocketName {}: {} {}", quote_some(path), quote_some(directory.string()),
                  is_unknown ? fmt::format("cannot be looked at: {}", error.message())
                             : "is no directory; create it, by RuntimeDirectory= in a systemd unit "
                               "for example"));
}

void MachineCheck::check_interface(const SocketConfig& socket, const SocketPlaces& places) {
  const auto found = machine_.find_interface(socket.interface);
  const std::string name = quote_some(socket.interface);
  if (!found) {
    add(places.interface, ConfigSeverity::Warning,
        fmt::format("Interface {} cannot be asked for: {}", name, found.error().message));
  } else if (!*found) {
    add(places.interface, ConfigSeverity::Warning,
        fmt::format("Interface {} is not there, and would be waited for; there are {}", name,
                    fmt::join(interface_names(), ", ")));
  } else if (!(*found)->is_up) {
    add(places.interface, ConfigSeverity::Warning,
        fmt::format("Interface {} is down, and would be waited for", name));
  } else {
    check_filter(socket, **found, places.filter);
  }
}

// As the kernel would run it: on the link type that the interface has. Who may not capture cannot
// have it compiled so, and has read the configuration's own check of its syntax.
void MachineCheck::check_filter(const SocketConfig& socket, const NetworkInterface& interface,
                                ConfigPlace place) {
  if (socket.filter.empty() || !has_capability(CAP_NET_RAW)) return;
  const auto filter =
      compile_kernel_filter(socket.filter, kWholePacket, socket.interface, interface);
  if (!filter) {
    const std::string flag = fmt::format("filter '{}': ", socket.filter);
    add(place, ConfigSeverity::Error,
        fmt::format("Filter: {}", message_without_flag(flag, filter.error())));
  } else if (filter->size() > BPF_MAXINSNS) {
    add(place, ConfigSeverity::Error,
        fmt::format(
            "Filter: takes {} instructions, and the kernel no more than {}; make it shorter",
            filter->size(), BPF_MAXINSNS));
  }
}

// What a daemon that runs has taken already is missing from what is available; so that is a
// warning.
void MachineCheck::check_memory(const SocketConfig& socket, ConfigPlace place) {
  octets_ += socket.octets();
  if (!memory_ || fits_memory(octets_, memory_->available_octets)) return;
  const bool is_possible = fits_memory(octets_, memory_->octets);
  add(place, is_possible ? ConfigSeverity::Warning : ConfigSeverity::Error,
      fmt::format(
          "the rings up to this one take {} MiB, and {} MiB {}, of which a fifth is left to "
          "others; choose fewer or smaller blocks",
          octets_ / kMebibyte,
          (is_possible ? memory_->available_octets : memory_->octets) / kMebibyte,
          is_possible ? "are available now" : "are all the memory there is"));
  memory_.reset();  // each further socket only takes more
}

void sort_by_place(std::vector<ConfigProblem>& problems) {
  std::ranges::sort(problems, {}, [](const ConfigProblem& problem) {
    return std::tuple(problem.line, problem.column, std::string_view(problem.message));
  });
}

// Names as they are where they do no harm to a terminal.
std::string printable(const std::string& text) {
  const bool is_plain =
      std::ranges::all_of(text, [](char octet) { return octet > ' ' && octet <= '~'; });
  return is_plain ? text : quote(text);
}

std::string describe_octets(uint64_t octets) {
  if (octets % kMebibyte == 0) return fmt::format("{} MiB", octets / kMebibyte);
  return fmt::format("{} KiB", octets / kKibibyte);
}

std::string describe_fanout(const SocketConfig& socket) {
  if (socket.fanout_size == 1) return "";
  std::string text = fmt::format(", fanout {}", kFanoutNames.at(socket.fanout_type & 0xffU));
  if ((socket.fanout_type & PACKET_FANOUT_FLAG_ROLLOVER) != 0) text += " with rollover";
  if ((socket.fanout_type & PACKET_FANOUT_FLAG_DEFRAG) != 0) text += " of whole datagrams";
  return text;
}

std::string describe_clients(const SocketConfig& socket) {
  std::string text = socket.user.empty() ? "its own account" : printable(socket.user);
  if (!socket.group.empty()) text += fmt::format(" and group {}", printable(socket.group));
  return text;
}

// Whether there is an error among them.
bool print_problems(const std::string& path, const std::vector<ConfigProblem>& problems) {
  std::string text;
  for (const ConfigProblem& problem : problems)
    text += describe(path, problem) + "\n";
  print_to(stderr, text);
  return std::ranges::any_of(problems, [](const ConfigProblem& problem) {
    return problem.severity == ConfigSeverity::Error;
  });
}

}  // namespace

std::vector<ConfigProblem> find_contradictions(const Config& config,
                                               const CheckedMachine& machine) {
  MachineCheck check(machine);
  for (size_t i = 0; i < config.sockets.size(); ++i)
    check.look_at(config.sockets[i], config.places[i]);
  std::vector<ConfigProblem> problems = check.take();
  sort_by_place(problems);
  return problems;
}

std::string describe_plan(const SocketConfig& socket) {
  return fmt::format("{}: interface {}{}, {} ring{} of {} blocks of {}, {} of memory{}; for {}{}",
                     printable(socket.socket_name), printable(socket.interface),
                     socket.promiscuous ? "" : " (not promiscuous)", socket.fanout_size,
                     socket.fanout_size == 1 ? "" : "s", socket.blocks,
                     describe_octets(socket.block_octets), describe_octets(socket.octets()),
                     describe_fanout(socket), describe_clients(socket),
                     socket.filter.empty() ? "" : fmt::format("; filter {}", quote(socket.filter)));
}

int check_config(const std::string& path) {
  const auto text = read_file(path, kConfigOctetsMax);
  if (!text) {
    print_to(stderr,
             fmt::format("testimonyd: {}; --config names another file\n", text.error().message));
    return kExitFailed;
  }
  const auto config = parse_config(*text);
  if (!config) {
    print_problems(path, config.error());
    return kExitFailed;
  }
  std::vector<ConfigProblem> problems = config->warnings;
  std::ranges::copy(find_contradictions(*config, {.memory = read_machine_memory()}),
                    std::back_inserter(problems));
  sort_by_place(problems);
  if (print_problems(path, problems)) return kExitFailed;
  std::string plan;
  for (const SocketConfig& socket : config->sockets)
    plan += describe_plan(socket) + "\n";
  return print_to(stdout, plan) ? kExitDone : kExitFailed;
}

}  // namespace clerk
