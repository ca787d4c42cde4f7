// The Metering Process's fast half: decodes packets to flow keys and adds them to a delta.
//
// A packet without IP is metered by its link headers when the delta has a table for it.
//
// One for each capture thread, shared with nobody. It takes no lock, allocates nothing, makes no
// system call and knows nothing of timeouts. Packets are taken in batches, so that table lines and
// packets are on their way from memory while others are decoded.
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
  static constexpr uint32_t kBatch = 32;

  // The hash must be the ledger's. It outlives the meter.
  explicit Meter(const KeyedHash& hash, const MeterOptions& options = {})
      : hash_(hash), options_(options) {}

  // For the packets to come.
  void set_mtu(uint32_t mtu) { options_.mtu = mtu; }

  // Any number of packets. One of a new flow that finds its table full is counted as ignored for
  // lack of resources; Delta::room() tells beforehand.
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
      Keyed<LinkKey> link;
    };
  };

  void count_batch(std::span<const Packet> batch, std::span<const Packet> next, Delta& delta);
  void decode_all(std::span<const Packet> batch, std::span<const Packet> next, const Delta& delta);
  void prefetch_entries(size_t packets, const Delta& delta);
  template <typename Key>
  Keyed<Key> keyed(const Key& key, const MeterTable<Key>& table) const;

  const KeyedHash& hash_;
  MeterOptions options_;
  std::array<Pending, kBatch> pending_;
};

}  // namespace clerk
