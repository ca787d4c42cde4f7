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

struct Delta {
  // As fast as four times as many (they stay in a core's caches), and enough for a second of most
  // links.
  static constexpr uint32_t kIpv4Entries = 32768;
  static constexpr uint32_t kIpv6Entries = 8192;
  // The hosts of a large broadcast domain; with more, deltas are handed over sooner.
  static constexpr uint32_t kLinkEntries = 4096;

  explicit Delta(const MeterOptions& options = {})
      : Delta(kIpv4Entries, kIpv6Entries, options.non_ip ? kLinkEntries : 0) {}
  // Without link entries there is no table of them, and packets without IP are ignored.
  Delta(uint32_t ipv4_entries, uint32_t ipv6_entries, uint32_t link_entries = 0)
      : ipv4(ipv4_entries), ipv6(ipv6_entries) {
    if (link_entries > 0) link.emplace(link_entries);
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

  static constexpr size_t octets(const MeterOptions& options = {}) {
    return MeterTable<Ipv4Key>::octets(kIpv4Entries) + MeterTable<Ipv6Key>::octets(kIpv6Entries) +
           (options.non_ip ? MeterTable<LinkKey>::octets(kLinkEntries) : 0);
  }

  MeterTable<Ipv4Key> ipv4;
  MeterTable<Ipv6Key> ipv6;
  std::optional<MeterTable<LinkKey>> link;
  PacketCounts counts;
  uint32_t second = 0;  // the clock's second while these packets came
};

}  // namespace clerk
