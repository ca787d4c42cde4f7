// A delta: what one meter counted since it last handed over. The meter fills it, the ledger merges
// it and gives it back empty.
#pragma once

#include "flow/meter_table.h"
#include "flow/packet_counts.h"

namespace clerk {

struct Delta {
  // As fast as four times as many (they stay in a core's caches), and enough for a second of most
  // links.
  static constexpr uint32_t kIpv4Entries = 32768;
  static constexpr uint32_t kIpv6Entries = 8192;

  Delta() : Delta(kIpv4Entries, kIpv6Entries) {}
  Delta(uint32_t ipv4_entries, uint32_t ipv6_entries) : ipv4(ipv4_entries), ipv6(ipv6_entries) {}

  // Whether this many packets find room whatever they are.
  [[nodiscard]] bool has_room_for(uint32_t packets) const {
    return ipv4.room() >= packets && ipv6.room() >= packets;
  }

  void clear() {
    ipv4.clear();
    ipv6.clear();
    counts = {};
  }

  static constexpr size_t octets() {
    return MeterTable<Ipv4Key>::octets(kIpv4Entries) + MeterTable<Ipv6Key>::octets(kIpv6Entries);
  }

  MeterTable<Ipv4Key> ipv4;
  MeterTable<Ipv6Key> ipv6;
  PacketCounts counts;
  uint32_t second = 0;  // the clock's second while these packets came
};

}  // namespace clerk
