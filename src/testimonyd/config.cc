#include "testimonyd/config.h"

#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "base/privileges.h"
#include "capture/packet_filter.h"
#include "testimonyd/config_keys.h"
#include "testimonyd/config_problems.h"
#include "testimonyd/config_reader.h"

namespace clerk {
namespace {

// Both end with a NUL that is not part of the name.
constexpr size_t kSocketNameOctetsMax = sizeof(sockaddr_un::sun_path) - 1;
constexpr size_t kInterfaceOctetsMax = IFNAMSIZ - 1;

// More than a machine has today, and far from where sizes in 64 bits would overflow.
constexpr uint64_t kRingsOctetsMax = uint64_t{1} << 40;

constexpr int64_t kFanoutFlags = PACKET_FANOUT_FLAG_ROLLOVER | PACKET_FANOUT_FLAG_DEFRAG;
constexpr int64_t kFanoutModes = 0xff;  // of the remaining bits
constexpr int64_t kFanoutIdMax = UINT16_MAX;

bool is_directory_name(const std::string& path) {
  const auto last = std::filesystem::path(path).filename();
  return last.empty() || last == "." || last == "..";
}

// The object's values against the rules for each; what several objects say together is not seen
// here. Every problem is told, and a value at fault leaves the default.
class SocketRules {
 public:
  SocketRules(const ConfigObject& object, const ConfigMachine& machine, ConfigProblems& problems)
      : object_(object), machine_(machine), problems_(problems) {}

  SocketConfig apply();

 private:
  std::string text(ConfigKey key);
  std::string socket_name();
  std::string interface();
  std::string account(ConfigKey key, const std::function<Result<void>(const std::string&)>& find);
  std::string filter();
  int64_t integer(ConfigKey key);
  int64_t block_octets();
  int64_t fanout_type();
  int64_t fanout_id();
  uint32_t clients_max(uint32_t fanout_size);
  int64_t reserve_blocks(int64_t blocks);
  void check_fanout_mode(int64_t mode, int64_t type);
  void check_size(const SocketConfig& socket);

  [[nodiscard]] bool is_good(ConfigKey key) const {
    return object_[key].state == ConfigValue::State::Good;
  }

  // The problem is with this value, whose name begins the message.
  template <typename... Args>
  void refuse(ConfigKey key, fmt::format_string<Args...> format, Args&&... args) {
    problems_.error(object_[key].offset,
                    fmt::format("{}{}", description_of(key).name,
                                fmt::format(format, std::forward<Args>(args)...)));
  }

  const ConfigObject& object_;
  const ConfigMachine& machine_;
  ConfigProblems& problems_;
};

// What is written, unless no name can be like that.
std::string SocketRules::text(ConfigKey key) {
  const ConfigKeyDescription& description = description_of(key);
  const ConfigValue& value = object_[key];
  if (value.state == ConfigValue::State::Wrong) return "";
  if (value.text.empty() && description.is_required()) {
    refuse(key, " is {}; write for example \"{}\": {}", is_good(key) ? "empty" : "missing",
           description.name, description.example);
  }
  if (value.text.find('\0') == std::string::npos) return value.text;
  refuse(key, " has an octet of zero (\\u0000), where its text would end; remove it");
  return "";
}

std::string SocketRules::socket_name() {
  constexpr auto kKey = ConfigKey::SocketName;
  std::string name = text(kKey);
  if (name.empty()) return name;
  if (name.starts_with('@')) {
    refuse(kKey,
           " {} is not a path: an abstract socket has no file that says who may connect; write for "
           "example {}",
           quote_some(name), description_of(kKey).example);
  } else if (name.size() > kSocketNameOctetsMax) {
    refuse(kKey, " has {} octets, and the path of a socket no more than {} (unix(7))", name.size(),
           kSocketNameOctetsMax);
  } else if (is_directory_name(name)) {
    refuse(kKey, " {} is a directory's name; add the name of a file in it", quote_some(name));
  }
  return name;
}

std::string SocketRules::interface() {
  std::string name = text(ConfigKey::Interface);
  if (name.size() > kInterfaceOctetsMax) {
    refuse(ConfigKey::Interface,
           " has {} octets, and no interface's name more than {}; see ip link", name.size(),
           kInterfaceOctetsMax);
  }
  return name;
}

std::string SocketRules::account(ConfigKey key,
                                 const std::function<Result<void>(const std::string&)>& find) {
  std::string name = text(key);
  if (name.empty()) return name;
  if (const auto found = find(name); !found)
    refuse(key, " {}: {}", quote_some(name), found.error().message);
  return name;
}

std::string SocketRules::filter() {
  std::string expression = text(ConfigKey::Filter);
  if (expression.empty()) return expression;
  if (const auto checked = machine_.check_filter(expression); !checked)
    refuse(ConfigKey::Filter, ": {}", checked.error().message);
  return expression;
}

int64_t SocketRules::integer(ConfigKey key) {
  const ConfigKeyDescription& description = description_of(key);
  const ConfigValue& value = object_[key];
  if (value.state == ConfigValue::State::Absent && description.is_required()) {
    refuse(key, " is missing; write for example \"{}\": {}", description.name, description.example);
  }
  if (!is_good(key)) return description.default_value;
  if (value.number >= description.minimum && value.number <= description.maximum)
    return value.number;
  refuse(key, " must be between {} and {}: {}", description.minimum, description.maximum,
         description.why_bounded);
  return description.default_value;
}

int64_t SocketRules::block_octets() {
  const int64_t octets = integer(ConfigKey::BlockSize);
  const auto page = static_cast<int64_t>(machine_.page_octets);
  if (octets % page == 0) return octets;
  refuse(ConfigKey::BlockSize, " must be a multiple of the page size, {}; the next one is {}", page,
         (octets / page + 1) * page);
  return 0;
}

int64_t SocketRules::fanout_type() {
  constexpr auto kKey = ConfigKey::FanoutType;
  const int64_t type = integer(kKey);
  const int64_t mode = type & kFanoutModes;
  if ((type & ~kFanoutModes & ~kFanoutFlags) != 0) {
    refuse(kKey,
           " has flags that are not for it; {} (PACKET_FANOUT_FLAG_ROLLOVER) and {} "
           "(PACKET_FANOUT_FLAG_DEFRAG) may be added to its number",
           PACKET_FANOUT_FLAG_ROLLOVER, PACKET_FANOUT_FLAG_DEFRAG);
  } else {
    check_fanout_mode(mode, type);
  }
  return type;
}

void SocketRules::check_fanout_mode(int64_t mode, int64_t type) {
  constexpr auto kKey = ConfigKey::FanoutType;
  if (mode > PACKET_FANOUT_EBPF) {
    refuse(kKey,
           " is none that the kernel has; choose 0 (hash), 1 (lb), 2 (cpu), 3 (rollover), 4 (rnd) "
           "or 5 (qm)");
  } else if (mode == PACKET_FANOUT_ROLLOVER && (type & PACKET_FANOUT_FLAG_ROLLOVER) != 0) {
    refuse(kKey,
           " 3 rolls over by itself, and the kernel does not take the flag {} with it; write 3",
           PACKET_FANOUT_FLAG_ROLLOVER);
  } else if (mode >= PACKET_FANOUT_CBPF) {
    problems_.warning(
        object_[kKey].offset,
        fmt::format("FanoutType {} lets a program choose the ring, and there is none: "
                    "all packets go to index 0",
                    mode));
  }
}

// The original daemon used the low 16 bits.
int64_t SocketRules::fanout_id() {
  const int64_t id = integer(ConfigKey::FanoutID);
  if (id <= kFanoutIdMax) return id;
  const int64_t used = id & kFanoutIdMax;
  problems_.warning(
      object_[ConfigKey::FanoutID].offset,
      fmt::format("FanoutID has 16 bits; {} is taken for {}", id,
                  used == 0 ? "0, which is any that nobody uses" : fmt::to_string(used)));
  return used;
}

// By default a quarter, one at least, so that the kernel goes on while clients are slow, but two
// blocks stay for them.
int64_t SocketRules::reserve_blocks(int64_t blocks) {
  const int64_t most = std::max<int64_t>(blocks - 2, 0);
  const int64_t reserve = integer(ConfigKey::ReserveBlocks);
  if (!is_good(ConfigKey::ReserveBlocks)) return std::min(std::max<int64_t>(blocks / 4, 1), most);
  if (blocks > 0 && reserve > most) {
    refuse(
        ConfigKey::ReserveBlocks,
        " must be no more than {}, two less than NumBlocks: clients need a block to hold and one "
        "that comes meanwhile",
        most);
  }
  return reserve;
}

// A program is a client of each index.
uint32_t SocketRules::clients_max(uint32_t fanout_size) {
  const auto given = static_cast<uint32_t>(integer(ConfigKey::MaxClients));
  return is_good(ConfigKey::MaxClients) ? given : std::max(given, kClientsOfIndex * fanout_size);
}

void SocketRules::check_size(const SocketConfig& socket) {
  if (socket.octets() <= kRingsOctetsMax) return;
  refuse(ConfigKey::NumBlocks,
         " * BlockSize * FanoutSize is {} GiB of memory, and must be no more than {}; choose fewer "
         "or smaller blocks",
         socket.octets() >> 30, kRingsOctetsMax >> 30);
}

SocketConfig SocketRules::apply() {
  SocketConfig socket{
      .socket_name = socket_name(),
      .interface = interface(),
      .block_octets = static_cast<uint32_t>(block_octets()),
      .blocks = static_cast<uint32_t>(integer(ConfigKey::NumBlocks)),
      .block_timeout_ms = static_cast<uint32_t>(integer(ConfigKey::BlockTimeoutMillis)),
      .fanout_type = static_cast<uint16_t>(fanout_type()),
      .fanout_size = static_cast<uint32_t>(std::max<int64_t>(integer(ConfigKey::FanoutSize), 1)),
      .fanout_id = static_cast<uint16_t>(fanout_id()),
      .user = account(ConfigKey::User, machine_.find_user),
      .group = account(ConfigKey::Group, machine_.find_group),
      .filter = filter(),
      .promiscuous =
          !is_good(ConfigKey::Promiscuous) || object_[ConfigKey::Promiscuous].number != 0,
      .max_hold_ms = static_cast<uint32_t>(integer(ConfigKey::MaxHoldMillis))};
  socket.clients_max = clients_max(socket.fanout_size);
  socket.reserve_blocks = static_cast<uint32_t>(reserve_blocks(socket.blocks));
  check_size(socket);
  return socket;
}

// What no two sockets may have in common.
class Uniqueness {
 public:
  explicit Uniqueness(ConfigProblems& problems) : problems_(problems) {}

  void check(const SocketConfig& socket, const ConfigObject& object) {
    check_name(socket.socket_name, object[ConfigKey::SocketName].offset);
    check_fanout_id(socket.fanout_id, object[ConfigKey::FanoutID].offset);
  }

 private:
  // Paths are compared as they are written, but for what changes nothing: ./ and // and x/../
  void check_name(const std::string& name, size_t offset) {
    if (name.empty()) return;
    const auto path = std::filesystem::path(name).lexically_normal().string();
    const auto [first, is_new] = names_.try_emplace(path, offset);
    if (is_new) return;
    problems_.error(offset,
                    fmt::format("SocketName {} is that of line {}; each socket needs a path "
                                "of its own",
                                quote_some(name), problems_.place_of(first->second).line));
  }

  void check_fanout_id(uint16_t id, size_t offset) {
    if (id == 0) return;
    const auto [first, is_new] = fanout_ids_.try_emplace(id, offset);
    if (is_new) return;
    problems_.error(offset,
                    fmt::format("FanoutID {} is that of line {}, and the sockets would take each "
                                "other's packets; write another, or 0 for one that nobody uses",
                                id, problems_.place_of(first->second).line));
  }

  ConfigProblems& problems_;
  std::map<std::string, size_t> names_;  // offsets of their values
  std::map<uint16_t, size_t> fanout_ids_;
};

SocketPlaces places_of(const ConfigObject& object, const ConfigProblems& problems) {
  const auto place = [&](ConfigKey key) { return problems.place_of(object[key].offset); };
  return {.socket_name = place(ConfigKey::SocketName),
          .interface = place(ConfigKey::Interface),
          .blocks = place(ConfigKey::NumBlocks),
          .filter = place(ConfigKey::Filter)};
}

Result<void> find_user(const std::string& name) {
  const auto found = find_account(name);
  if (found) return {};
  return fail("{}", message_without_flag(fmt::format("--user {}: ", name), found.error()));
}

Result<void> check_group(const std::string& name) {
  const auto found = find_group(name);
  if (found) return {};
  return std::unexpected(found.error());
}

Result<void> check_filter(const std::string& expression) {
  const auto created = PacketFilter::create(expression);
  if (created) return {};
  return fail("{}",
              message_without_flag(fmt::format("--filter '{}': ", expression), created.error()));
}

}  // namespace

ConfigMachine this_machine() {
  return {.page_octets = static_cast<size_t>(::sysconf(_SC_PAGESIZE)),
          .find_user = find_user,
          .find_group = check_group,
          .check_filter = check_filter};
}

std::expected<Config, std::vector<ConfigProblem>> parse_config(std::string_view text,
                                                               const ConfigMachine& machine) {
  ConfigProblems problems(text);
  Uniqueness uniqueness(problems);
  Config config;
  for (const ConfigObject& object : read_config_objects(text, problems)) {
    config.sockets.push_back(SocketRules(object, machine, problems).apply());
    config.places.push_back(places_of(object, problems));
    uniqueness.check(config.sockets.back(), object);
  }
  const bool is_refused = problems.has_errors();
  if (config.sockets.empty() && !is_refused)
    problems.warning(text.find('['), "the array is empty: nothing will be served");
  config.warnings = problems.take();
  if (is_refused) return std::unexpected(std::move(config.warnings));
  return config;
}

}  // namespace clerk
