// The keys of the configuration, the single truth about them: the reader finds its keys here, the
// rules their bounds and defaults, and --help its text.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "testimony/protocol.h"

namespace clerk {

enum class ConfigKey : uint8_t {
  SocketName,
  Interface,
  BlockSize,
  NumBlocks,
  BlockTimeoutMillis,
  FanoutType,
  FanoutSize,
  FanoutID,
  User,
  Group,
  Filter,
  Promiscuous,
  ReserveBlocks,
  MaxHoldMillis,
  MaxClients,
};

// The types of JSON, and integers apart from other numbers.
enum class ConfigType : uint8_t { Null, Bool, Integer, OtherNumber, String, Array, Object };

// No client takes more (testimony/protocol.h says why).
inline constexpr int64_t kFanoutSizeMax = testimony::kFanoutSizeMax;
inline constexpr int64_t kRingBlocksMax = testimony::kBlocksMax;

// Half of what the kernel takes for the size of a block, an int.
inline constexpr int64_t kBlockOctetsMax = int64_t{1} << 30;

// A day. Who wants to wait longer does not mind who holds a block.
inline constexpr int64_t kMaxHoldMillisMax = 86'400'000;

// Each takes a file descriptor, and whatever is told to all must be told to each.
inline constexpr int64_t kClientsMaxMax = 4096;
inline constexpr uint32_t kClientsOfIndex =
    16;  // unless told otherwise, where that is more than 64

struct ConfigKeyDescription {
  ConfigKey key;
  std::string_view name;
  ConfigType type;
  std::string_view example;  // of a key that must be there; empty: it may be left out
  std::string_view meaning;  // with the default, for --help

  // Of integers.
  int64_t minimum = 0;
  int64_t maximum = 0;
  int64_t default_value = 0;
  std::string_view why_bounded = {};

  [[nodiscard]] bool is_required() const { return !example.empty(); }
};

inline constexpr std::array kConfigKeys = std::to_array<ConfigKeyDescription>({
    {.key = ConfigKey::SocketName,
     .name = "SocketName",
     .type = ConfigType::String,
     .example = "\"/run/testimony.sock\"",
     .meaning = "path of the socket that clients connect to"},
    {.key = ConfigKey::Interface,
     .name = "Interface",
     .type = ConfigType::String,
     .example = "\"eth0\"",
     .meaning = "network interface to capture on; one that is not there is waited for"},
    {.key = ConfigKey::BlockSize,
     .name = "BlockSize",
     .type = ConfigType::Integer,
     .example = "1048576",
     .meaning = "octets of a block, a multiple of the page size",
     .minimum = 1,
     .maximum = kBlockOctetsMax,
     .why_bounded = "packets are shared by the block"},
    {.key = ConfigKey::NumBlocks,
     .name = "NumBlocks",
     .type = ConfigType::Integer,
     .example = "16",
     .meaning = "blocks of each ring, at least 2",
     .minimum = 2,
     .maximum = kRingBlocksMax,
     .why_bounded =
         "a ring of one block cannot be shared without loss, and the kernel counts blocks in 16 "
         "bits"},
    {.key = ConfigKey::BlockTimeoutMillis,
     .name = "BlockTimeoutMillis",
     .type = ConfigType::Integer,
     .meaning = "age at which a block that is not full is handed over; 0: the kernel chooses [0]",
     .maximum = UINT16_MAX,
     .why_bounded = "the kernel keeps 16 bits of it"},
    {.key = ConfigKey::FanoutType,
     .name = "FanoutType",
     .type = ConfigType::Integer,
     .meaning = "how packets are spread over the rings: 0 hash, 1 lb, 2 cpu, 3 rollover, 4 rnd, "
                "5 qm [0]",
     .maximum = UINT16_MAX,
     .why_bounded = "it is a number of packet(7), with its flags"},
    {.key = ConfigKey::FanoutSize,
     .name = "FanoutSize",
     .type = ConfigType::Integer,
     .meaning = "rings that share the interface's packets [1]",
     .maximum = kFanoutSizeMax,
     .default_value = 1,
     .why_bounded = "the kernel lets no more sockets share an interface's packets, and each has a "
                    "ring of its own"},
    {.key = ConfigKey::FanoutID,
     .name = "FanoutID",
     .type = ConfigType::Integer,
     .meaning = "number of the fanout group; 0: one that nobody uses [0]",
     .maximum = INT32_MAX,
     .why_bounded = "its low 16 bits name a group of the kernel's"},
    {.key = ConfigKey::User,
     .name = "User",
     .type = ConfigType::String,
     .meaning = "account that owns the socket, a name or a number [who runs testimonyd]"},
    {.key = ConfigKey::Group,
     .name = "Group",
     .type = ConfigType::String,
     .meaning = "group whose members may connect, too [none]"},
    {.key = ConfigKey::Filter,
     .name = "Filter",
     .type = ConfigType::String,
     .meaning = "share only packets that match this pcap filter, see pcap-filter(7)"},
    {.key = ConfigKey::Promiscuous,
     .name = "Promiscuous",
     .type = ConfigType::Bool,
     .meaning = "whether to take packets for other hosts too [true]"},
    {.key = ConfigKey::ReserveBlocks,
     .name = "ReserveBlocks",
     .type = ConfigType::Integer,
     .meaning = "blocks of each ring that stay free for the kernel, whatever clients hold\n"
                "[a quarter of NumBlocks]",
     .maximum = kRingBlocksMax - 2,
     .why_bounded = "two blocks at least must be left for clients to hold"},
    {.key = ConfigKey::MaxHoldMillis,
     .name = "MaxHoldMillis",
     .type = ConfigType::Integer,
     .meaning = "how long a client may hold a block; 0: as long as there is room [0]",
     .maximum = kMaxHoldMillisMax,
     .why_bounded = "that is a day; 0 sets no limit"},
    {.key = ConfigKey::MaxClients,
     .name = "MaxClients",
     .type = ConfigType::Integer,
     .meaning = "connections at once; a program has one to each index\n"
                "[64, or 16 for each index]",
     .minimum = 1,
     .maximum = kClientsMaxMax,
     .default_value = 64,
     .why_bounded = "each takes a file descriptor"},
});

[[nodiscard]] constexpr const ConfigKeyDescription& description_of(ConfigKey key) {
  return kConfigKeys[static_cast<size_t>(key)];
}

static_assert(
    [] {
      size_t place = 0;
      for (const ConfigKeyDescription& each : kConfigKeys)
        if (static_cast<size_t>(each.key) != place++) return false;
      return true;
    }(),
    "the table is in the order of the enumeration");

}  // namespace clerk
