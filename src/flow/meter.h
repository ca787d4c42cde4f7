// The Metering Process's fast half: decodes packets to flow keys and adds them to a delta.
//
// One for each capture thread, shared with nobody. It takes no lock, allocates nothing, makes no
// system call and knows nothing of timeouts. Packets are taken in batches so that table lines are
// on their way from memory while other packets are decoded.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/keyed_hash.h"
#include "capture/block.h"
#include "capture/packet.h"
#include "flow/delta.h"

namespace clerk {

class Meter {
 public:
  static constexpr uint32_t kBatchMax = 32;

  // Looks into `tunnels`. IP packets longer than `mtu` octets did not come over the link as they
  // are and are counted as super packets. The hash must be the ledger's. It outlives the meter.
  explicit Meter(const KeyedHash& hash, TunnelSet tunnels = {}, uint32_t mtu = kEthernetMtu)
      : hash_(hash), tunnels_(tunnels), mtu_(mtu) {}

  // For the packets to come.
  void set_mtu(uint32_t mtu) { mtu_ = mtu; }

  // At most kBatchMax packets. A packet of a new flow that finds its table full is counted as
  // ignored for lack of resources; Delta::has_room_for() tells beforehand.
  void count(std::span<const Packet> packets, Delta& delta);

  // Decodes a packet as count() does.
  [[nodiscard]] Stop decode(const Packet& packet, Headers& headers,
                            LayerTrace* trace = nullptr) const;

 private:
  template <typename Key>
  struct Keyed {
    Key key;
    uint64_t hash;
  };

  // One packet of a batch between its decoding and its counting.
  struct Pending {
    Headers headers;
    Stop stop;
    union {
      Keyed<Ipv4Key> ipv4;
      Keyed<Ipv6Key> ipv6;
    };
  };

  void decode_all(std::span<const Packet> packets, const Delta& delta);
  void prefetch_entries(size_t packets, const Delta& delta);
  template <typename Key>
  Keyed<Key> keyed(const Headers& headers, const MeterTable<Key>& table) const;

  const KeyedHash& hash_;
  TunnelSet tunnels_;
  uint32_t mtu_;
  std::array<Pending, kBatchMax> pending_;
};

}  // namespace clerk
