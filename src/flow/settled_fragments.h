// Counts of fragments whose datagram's flow is settled, on their way to the ledger's shards.
//
// The ledger, which sees all deltas in order, puts them in; each shard's thread then adds those of
// its own flows, while nobody changes the list. Fixed capacity, and memory is touched only when
// there are fragments.
#pragma once

#include <cstdint>

#include "base/check.h"
#include "base/lazy_array.h"
#include "flow/delta.h"
#include "flow/flow_counters.h"
#include "flow/flow_key.h"
#include "flow/fragments.h"

namespace clerk {

template <typename Key>
struct SettledCount {
  Key key;
  uint64_t hash;
  FlowCounters counters;
  // The ordinal, within the delta, of the entry that settled it: there it is added.
  uint64_t position;
};

template <typename Key>
class SettledList {
 public:
  // A delta settles as many counts as it has entries, and those that waited.
  explicit SettledList(uint32_t delta_entries)
      : counts_(delta_entries + DatagramTable<Key>::kDatagramsMax) {}

  void add(const SettledCount<Key>& count) {
    CHECK(size_ < counts_.size());
    counts_[size_++] = count;
  }
  void clear() { size_ = 0; }

  [[nodiscard]] uint32_t size() const { return size_; }
  const SettledCount<Key>& operator[](uint32_t i) const { return counts_[i]; }

  static constexpr size_t octets(uint32_t delta_entries) {
    return (delta_entries + DatagramTable<Key>::kDatagramsMax) * sizeof(SettledCount<Key>);
  }

 private:
  LazyArray<SettledCount<Key>> counts_;
  uint32_t size_ = 0;
};

struct SettledFragments {
  SettledList<Ipv4Key> ipv4{kDeltaCapacityMax.ipv4};
  SettledList<Ipv6Key> ipv6{kDeltaCapacityMax.ipv6};

  void add(const SettledCount<Ipv4Key>& count) { ipv4.add(count); }
  void add(const SettledCount<Ipv6Key>& count) { ipv6.add(count); }
  void clear() {
    ipv4.clear();
    ipv6.clear();
  }
  [[nodiscard]] bool empty() const { return ipv4.size() + ipv6.size() == 0; }

  static constexpr size_t octets() {
    return SettledList<Ipv4Key>::octets(kDeltaCapacityMax.ipv4) +
           SettledList<Ipv6Key>::octets(kDeltaCapacityMax.ipv6);
  }
};

}  // namespace clerk
