// A delta: what one meter counted since it last handed over. The meter fills it, the ledger merges
// it and gives it back empty.
#pragma once

#include <algorithm>
#include <optional>

#include "decode/tunnels.h"
#include "flow/meter_table.h"
#include "flow/packet_counts.h"

namespace clerk {

// What is metered.
struct MeterOptions {
  TunnelSet tunnels = {};  // to look into
  // IP packets that are longer did not come over the link as they are: super packets.
  uint32_t mtu = kEthernetMtu;
  bool non_ip = false;  // packets without IP too, by their link headers
};

// How many entries of each kind a delta has; a full one is handed over before its time. Powers of
// two.
struct DeltaCapacity {
  uint32_t ipv4;
  uint32_t ipv6;
  uint32_t link = 0;  // 0: no table of them, and packets without IP are ignored

  // What a delta may occupy.
  [[nodiscard]] constexpr size_t octets() const {
    return MeterTable<Ipv4Key>::octets(ipv4) + MeterTable<Ipv6Key>::octets(ipv6) +
           (link > 0 ? MeterTable<LinkKey>::octets(link) : 0);
  }
};

// The hosts of a large broadcast domain.
inline constexpr uint32_t kDeltaLinkEntries = 4096;

// For slices of a file (capture/slice.h): they stay in a core's caches.
constexpr DeltaCapacity file_delta(const MeterOptions& options = {}) {
  return {.ipv4 = 32768, .ipv6 = 8192, .link = options.non_ip ? kDeltaLinkEntries : 0};
}

// For a second of a link, so that a flow is merged once in it and not with nearly each packet.
constexpr DeltaCapacity live_delta(const MeterOptions& options = {}) {
  return {.ipv4 = 262'144, .ipv6 = 65'536, .link = options.non_ip ? kDeltaLinkEntries : 0};
}

// No delta has more.
inline constexpr DeltaCapacity kDeltaCapacityMax = live_delta({.non_ip = true});

struct Delta {
  explicit Delta(const DeltaCapacity& capacity) : ipv4(capacity.ipv4), ipv6(capacity.ipv6) {
    if (capacity.link > 0) link.emplace(capacity.link);
  }

  // How many packets find room, whatever they are.
  [[nodiscard]] uint32_t room() const {
    const uint32_t ip = std::min(ipv4.room(), ipv6.room());
    return link ? std::min(ip, link->room()) : ip;
  }

  void clear() {
    ipv4.clear();
    ipv6.clear();
    if (link) link->clear();
    counts = {};
  }

  MeterTable<Ipv4Key> ipv4;
  MeterTable<Ipv6Key> ipv6;
  std::optional<MeterTable<LinkKey>> link;
  PacketCounts counts;
  uint32_t second = 0;  // the clock's second while these packets came
};

}  // namespace clerk
