// Any octets as the configuration of testimonyd.
//
// What must hold besides: problems have places in the text, in order, and messages for a terminal;
// what is taken is within the bounds of the rules, and written out and read again it is the same.
#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/check.h"
#include "testimonyd/config.h"
#include "testimonyd/config_keys.h"

namespace clerk {
namespace {

constexpr size_t kPageOctets = 4096;

// Neither accounts nor libpcap: those would be fuzzed with what they read of this machine.
const ConfigMachine& machine() {
  const auto look = [](const std::string& text) -> Result<void> {
    CHECK(!text.empty());
    CHECK(text.find('\0') == std::string::npos);
    if (text.ends_with('x')) return fail("ends with an x");
    return {};
  };
  static const ConfigMachine kMachine{
      .page_octets = kPageOctets, .find_user = look, .find_group = look, .check_filter = look};
  return kMachine;
}

void check_problems(const std::vector<ConfigProblem>& problems, std::string_view text) {
  const auto lines = static_cast<size_t>(std::ranges::count(text, '\n')) + 1;
  ConfigPlace last;
  for (const ConfigProblem& problem : problems) {
    const ConfigPlace place{problem.line, problem.column};
    CHECK(place >= last);
    CHECK(place.line <= lines && place.column <= text.size() + 1);
    CHECK(std::ranges::all_of(problem.message,
                              [](char octet) { return octet >= ' ' && octet <= '~'; }));
    last = place;
  }
}

void check_bounds(const SocketConfig& socket) {
  CHECK(!socket.socket_name.empty() && socket.socket_name.size() <= 107);
  CHECK(!socket.interface.empty() && socket.interface.size() <= 15);
  CHECK(socket.block_octets > 0 && socket.block_octets % kPageOctets == 0);
  CHECK(socket.blocks >= 2 && socket.blocks <= kRingBlocksMax);
  CHECK(socket.fanout_size >= 1 && socket.fanout_size <= kFanoutSizeMax);
  CHECK(socket.octets() <= uint64_t{1} << 40);
  CHECK(socket.reserve_blocks + 2 <= socket.blocks);
  CHECK(socket.clients_max >= 1 && socket.clients_max <= kClientsMaxMax);
}

nlohmann::json written(const SocketConfig& socket) {
  return {{"SocketName", socket.socket_name},
          {"Interface", socket.interface},
          {"BlockSize", socket.block_octets},
          {"NumBlocks", socket.blocks},
          {"BlockTimeoutMillis", socket.block_timeout_ms},
          {"FanoutType", socket.fanout_type},
          {"FanoutSize", socket.fanout_size},
          {"FanoutID", socket.fanout_id},
          {"User", socket.user},
          {"Group", socket.group},
          {"Filter", socket.filter},
          {"Promiscuous", socket.promiscuous},
          {"ReserveBlocks", socket.reserve_blocks},
          {"MaxHoldMillis", socket.max_hold_ms},
          {"MaxClients", socket.clients_max}};
}

void check_written(const Config& config) {
  auto array = nlohmann::json::array();
  for (const SocketConfig& socket : config.sockets)
    array.push_back(written(socket));
  const auto again = parse_config(array.dump() + " and more", machine());
  CHECK(again);
  CHECK(again->sockets == config.sockets);
}

void fuzz(std::string_view text) {
  const auto is_error = [](const ConfigProblem& problem) {
    return problem.severity == ConfigSeverity::Error;
  };
  const auto config = parse_config(text, machine());
  if (!config) {
    check_problems(config.error(), text);
    CHECK(std::ranges::any_of(config.error(), is_error));
    return;
  }
  check_problems(config->warnings, text);
  CHECK(std::ranges::none_of(config->warnings, is_error));
  CHECK(config->places.size() == config->sockets.size());
  std::ranges::for_each(config->sockets, check_bounds);
  check_written(*config);
}

}  // namespace
}  // namespace clerk

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  clerk::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
