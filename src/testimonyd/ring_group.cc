#include "testimonyd/ring_group.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "capture/kernel_filter.h"

namespace clerk {
namespace {

RingShape shape_of(const SocketConfig& config) {
  return {.blocks = config.blocks,
          .block_octets = config.block_octets,
          .retire = std::chrono::milliseconds(config.block_timeout_ms)};
}

Result<std::vector<Ring>> create_rings(const SocketConfig& config,
                                       const NetworkInterface& interface) {
  std::vector<Ring> rings;
  rings.reserve(config.fanout_size);
  for (uint32_t i = 0; i < config.fanout_size; ++i)
    rings.push_back(TRY(Ring::create(interface, shape_of(config))));
  return rings;
}

Result<std::vector<Ring>> make_own_group(const SocketConfig& config,
                                         const NetworkInterface& interface) {
  std::vector<Ring> rings = TRY(create_rings(config, interface));
  const auto mode = static_cast<Fanout>(config.fanout_type);
  const uint16_t group = TRY(rings.front().found_group(mode));
  for (size_t i = 1; i < rings.size(); ++i)
    TRY(rings[i].join_group(mode, group));
  return rings;
}

Result<std::vector<Ring>> make_numbered_group(const SocketConfig& config,
                                              const NetworkInterface& interface) {
  std::vector<Ring> rings = TRY(create_rings(config, interface));
  const auto mode = static_cast<Fanout>(config.fanout_type);
  for (Ring& ring : rings)
    TRY(ring.join_closed_group(mode, config.fanout_id, config.fanout_size));
  return rings;
}

// A group even for one: the kernel refuses to bind a member to another interface, which whoever
// holds its socket could do otherwise.
//
// A group that is there already is somebody else's, and would keep a share of the packets from the
// clients: that of a client, perhaps, which still has a ring of an earlier daemon, or of the
// interface that was there before.
Result<std::vector<Ring>> make_group(const SocketConfig& config,
                                     const NetworkInterface& interface) {
  if (config.fanout_id == 0) return make_own_group(config, interface);
  auto numbered = make_numbered_group(config, interface);
  if (numbered) return numbered;
  std::vector<Ring> rings = TRY(make_own_group(config, interface));
  spdlog::warn(
      "{}: FanoutID {} cannot be had ({}), perhaps because a client keeps an earlier ring of that "
      "number; the kernel has chosen another",
      config.socket_name, config.fanout_id, numbered.error().message);
  return rings;
}

}  // namespace

Result<RingGroup> make_ring_group(const SocketConfig& config, const NetworkInterface& interface) {
  const KernelFilter filter =
      TRY(compile_kernel_filter(config.filter, kWholePacket, config.interface, interface));
  TRY(Ring::check_memory(shape_of(config).octets() * config.fanout_size));
  RingGroup group;
  group.rings = TRY(make_group(config, interface));
  if (config.promiscuous) group.promiscuity = TRY(Promiscuity::ask(interface));
  for (Ring& ring : group.rings)
    TRY(ring.listen(filter));
  return group;
}

}  // namespace clerk
