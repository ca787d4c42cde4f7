// Gives the fragments of a datagram their flow, whatever order they come in.
//
// Only the first fragment has the ports. This table remembers them for the others, and keeps counts
// of fragments that came before it. A datagram is forgotten 30 s after its last first fragment, or
// after its first sight when none came; what still waits then never gets its ports. Another first
// fragment begins a datagram of the same identification, whose ports hold for what comes behind it:
// which of two that disagree a later fragment belongs to, nobody can tell.
//
// Fixed capacity, nothing is allocated, memory of datagrams not held is not touched: a flood of
// fragments makes the oldest datagrams go early, and that is all. The ledger's thread only.
#pragma once

#include <cstdint>
#include <optional>

#include "base/check.h"
#include "base/keyed_hash.h"
#include "base/lazy_array.h"
#include "flow/flow_counters.h"
#include "flow/flow_directory.h"
#include "flow/flow_key.h"
#include "flow/index_lists.h"

namespace clerk {

// Fragments that wait for their datagram's first one. The key is their datagram key.
template <typename Key>
struct WaitingFragments {
  Key key;
  FlowCounters counters;
};

template <typename Key>
class DatagramTable {
 public:
  // RFC 791 suggests 15 s for reassembly, RFC 8200 asks for 60; 30 is what Linux uses for IPv4.
  static constexpr uint32_t kSecondsMax = 30;
  // Of datagrams, and of counts that wait.
  static constexpr uint32_t kDatagramsMax = 32768;

  // The hash outlives the table.
  explicit DatagramTable(const KeyedHash& hash, uint32_t datagrams_max = kDatagramsMax)
      : hash_(hash),
        datagrams_max_(datagrams_max),
        directory_(datagrams_max),
        datagrams_(datagrams_max),
        order_(datagrams_max, kLists),
        waiting_(datagrams_max) {}

  // The transport key of the fragment's datagram, if its first fragment was seen.
  [[nodiscard]] std::optional<TransportKey> find(const Key& fragment) const {
    const Key key = datagram_of(fragment);
    const uint32_t at = find(key, hash_(key));
    if (at == kNone || !datagrams_[at].has_transport) return std::nullopt;
    return datagrams_[at].transport;
  }

  // Notes what a first fragment tells, and gives out what waited for it, in the order it came. The
  // table must not be full.
  template <typename Take>
  void learn(const Key& fragment, const TransportKey& transport, uint32_t second, Take take) {
    const uint32_t at = find_or_begin(fragment, second);
    Datagram& datagram = datagrams_[at];
    // Whether a first one came before is not asked: a meter adds up two that agree.
    begin_anew(at, second);
    datagram.transport = transport;
    datagram.has_transport = true;
    give_out(datagram, take);
  }

  // Keeps fragments until their first one comes, and returns the ordinal of the count that they
  // wait in: their own, or that of an earlier one. Nothing when their datagram has too many counts
  // waiting already, which takes tags or DSCPs that change from fragment to fragment. The table
  // must not be full.
  [[nodiscard]] std::optional<uint64_t> wait(const WaitingFragments<Key>& fragments,
                                             uint32_t second) {
    Datagram& datagram = datagrams_[find_or_begin(fragments.key, second)];
    uint32_t* link = &datagram.first_waiting;
    uint32_t kinds = 0;
    for (; *link != kNone; ++kinds) {
      Waiting& waiting = waiting_[*link];
      if (waiting.fragments.key == fragments.key) {
        waiting.fragments.counters.add(fragments.counters);
        return waiting.fragments.counters.ordinal;
      }
      link = &waiting.next;
    }
    if (kinds == kWaitingPerDatagram) return std::nullopt;
    const uint32_t added = take_waiting();
    waiting_[added] = {.fragments = fragments, .next = kNone};
    *link = added;
    return fragments.counters.ordinal;
  }

  // Whether forget_oldest() must make room before anything is added.
  [[nodiscard]] bool full() const {
    return datagrams_held_ == datagrams_max_ || waiting_held_ == datagrams_max_;
  }

  // Forgets the datagram whose time ends first and gives out what waited for it. The table must not
  // be empty.
  template <typename Take>
  void forget_oldest(Take take) {
    const uint32_t at = order_.front(kHeld);
    Datagram& datagram = datagrams_[at];
    give_out(datagram, take);
    directory_.remove(hash_(datagram.key), at);
    order_.remove(at);
    order_.push_back(kFree, at);
    --datagrams_held_;
  }

  // Forgets the datagrams whose time is over at this second.
  template <typename Take>
  void expire(uint32_t second, Take take) {
    while (!empty() && datagrams_[order_.front(kHeld)].until <= second)
      forget_oldest(take);
  }

  [[nodiscard]] bool empty() const { return datagrams_held_ == 0; }

  // Adds what is counted here and nowhere else yet. Looks at everything: for checks.
  void add_waiting_to(uint64_t& packets, uint64_t& octets) const {
    for (uint32_t at = order_.front(kHeld); at != kNone; at = order_.next(at)) {
      for (uint32_t i = datagrams_[at].first_waiting; i != kNone; i = waiting_[i].next) {
        packets += waiting_[i].fragments.counters.packets;
        octets += waiting_[i].fragments.counters.octets;
      }
    }
  }

  // What a table may occupy.
  static constexpr size_t octets() {
    return kDatagramsMax * (sizeof(Datagram) + sizeof(Waiting) + IndexLists::kOctetsPerIndex) +
           FlowDirectory::octets(kDatagramsMax);
  }

 private:
  static constexpr uint32_t kNone = IndexLists::kNone;
  static constexpr uint32_t kWaitingPerDatagram = 16;

  struct Datagram {
    Key key;
    uint32_t until;          // the second at which it is forgotten
    uint32_t first_waiting;  // kNone when nothing waits
    TransportKey transport;
    bool has_transport;
  };

  struct Waiting {
    WaitingFragments<Key> fragments;
    uint32_t next;  // of the same datagram, or kNone; of those that are free
  };

  // The lists of order_: datagrams held, in the order of `until`, and those that may be taken
  // again.
  static constexpr uint32_t kHeld = 0;
  static constexpr uint32_t kFree = 1;
  static constexpr uint32_t kLists = 2;

  // Addresses, protocol and identification; neither VLAN nor DSCP tell datagrams apart.
  static Key datagram_of(Key fragment) {
    fragment.tail.dscp = 0;
    fragment.tail.vlan_and_datagram = kDatagramBit;
    return fragment;
  }

  [[nodiscard]] uint32_t find(const Key& datagram, uint64_t hash) const {
    return directory_.find(hash, [&](uint32_t at) { return datagrams_[at].key == datagram; });
  }

  uint32_t find_or_begin(const Key& fragment, uint32_t second) {
    const Key key = datagram_of(fragment);
    const uint64_t hash = hash_(key);
    const uint32_t found = find(key, hash);
    if (found != kNone) return found;
    if (directory_.is_crowded()) grow_directory();
    const uint32_t at = take_datagram();
    datagrams_[at] = {.key = key,
                      .until = second + kSecondsMax,
                      .first_waiting = kNone,
                      .transport = {},
                      .has_transport = false};
    directory_.insert(hash, at);
    order_.push_back(kHeld, at);
    return at;
  }

  // The table stays in the order of `until`, since the clock never goes back while it holds any.
  void begin_anew(uint32_t at, uint32_t second) {
    datagrams_[at].until = second + kSecondsMax;
    order_.remove(at);
    order_.push_back(kHeld, at);
  }

  void grow_directory() {
    directory_.grow();
    for (uint32_t at = order_.front(kHeld); at != kNone; at = order_.next(at))
      directory_.insert(hash_(datagrams_[at].key), at);
  }

  uint32_t take_datagram() {
    CHECK(datagrams_held_ < datagrams_max_);
    ++datagrams_held_;
    const uint32_t free = order_.front(kFree);
    if (free == kNone) return datagrams_touched_++;
    order_.remove(free);
    return free;
  }

  uint32_t take_waiting() {
    CHECK(waiting_held_ < datagrams_max_);
    ++waiting_held_;
    const uint32_t free = free_waiting_;
    if (free == kNone) return waiting_touched_++;
    free_waiting_ = waiting_[free].next;
    return free;
  }

  template <typename Take>
  void give_out(Datagram& datagram, Take& take) {
    while (datagram.first_waiting != kNone) {
      const uint32_t at = datagram.first_waiting;
      take(waiting_[at].fragments);
      datagram.first_waiting = waiting_[at].next;
      waiting_[at].next = free_waiting_;
      free_waiting_ = at;
      --waiting_held_;
    }
  }

  const KeyedHash& hash_;
  uint32_t datagrams_max_;
  FlowDirectory directory_;
  LazyArray<Datagram> datagrams_;
  IndexLists order_;
  LazyArray<Waiting> waiting_;
  uint32_t datagrams_held_ = 0;
  uint32_t datagrams_touched_ = 0;
  uint32_t waiting_held_ = 0;
  uint32_t waiting_touched_ = 0;
  uint32_t free_waiting_ = kNone;
};

}  // namespace clerk
