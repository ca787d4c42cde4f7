// Gives the fragments of a datagram their flow, whatever order they come in.
//
// Only the first fragment has the ports. This table remembers them for the others, and keeps counts
// of fragments that came before it. A datagram is forgotten 30 s after its first sight; what still
// waits then never gets its ports. Bounded: a flood of fragments makes the oldest datagrams go
// early. The ledger's thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/keyed_hash.h"
#include "flow/flow_counters.h"
#include "flow/flow_key.h"

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
  static constexpr size_t kDatagramsMax = 32768;
  // What one datagram and one waiting count may occupy, with what the containers add (an estimate).
  static constexpr size_t kOctetsMax = kDatagramsMax * 2 * 256;

  using Waiting = std::vector<WaitingFragments<Key>>;

  explicit DatagramTable(const KeyedHash& hash) : datagrams_(0, Hash{&hash}) {}

  // The transport key of the fragment's datagram, if its first fragment was seen.
  [[nodiscard]] std::optional<TransportKey> find(const Key& fragment) const {
    const auto found = datagrams_.find(datagram_of(fragment));
    return found == datagrams_.end() ? std::nullopt : found->second.transport;
  }

  // Notes what a first fragment tells, and takes out what waited for it. The table must not be
  // full.
  Waiting learn(const Key& fragment, const TransportKey& transport, uint32_t second) {
    Datagram& datagram = find_or_begin(fragment, second);
    // A first fragment behind another one reuses the identification: the datagram's time begins
    // anew.
    if (datagram.transport) begin(datagram, datagram_of(fragment), second);
    datagram.transport = transport;
    waiting_ -= datagram.waiting.size();
    return std::exchange(datagram.waiting, {});
  }

  // Keeps fragments until their first one comes, and returns the ordinal of the count that they
  // wait in: their own, or that of an earlier one. Nothing when their datagram has too many counts
  // waiting already, which takes tags or DSCPs that change from fragment to fragment. The table
  // must not be full.
  [[nodiscard]] std::optional<uint64_t> wait(const WaitingFragments<Key>& fragments,
                                             uint32_t second) {
    Waiting& waiting = find_or_begin(fragments.key, second).waiting;
    for (WaitingFragments<Key>& other : waiting) {
      if (other.key != fragments.key) continue;
      other.counters.add(fragments.counters);
      return other.counters.ordinal;
    }
    if (waiting.size() == kWaitingPerDatagram) return std::nullopt;
    waiting.push_back(fragments);
    ++waiting_;
    return fragments.counters.ordinal;
  }

  // Whether forget_oldest() must make room before anything is added.
  [[nodiscard]] bool full() const {
    return order_.size() >= kDatagramsMax || waiting_ >= kDatagramsMax;
  }

  // Forgets the datagram begun first and returns what waited for it. The table must not be empty.
  Waiting forget_oldest() {
    drop_outdated();
    const auto at = datagrams_.find(order_.front().datagram);
    order_.pop_front();
    Waiting orphans = std::move(at->second.waiting);
    waiting_ -= orphans.size();
    datagrams_.erase(at);
    return orphans;
  }

  // Forgets a datagram whose time is over at this second and returns what waited for it; nothing
  // when there is none.
  std::optional<Waiting> expire(uint32_t second) {
    drop_outdated();
    if (order_.empty() || order_.front().until > second) return std::nullopt;
    return forget_oldest();
  }

  [[nodiscard]] bool empty() const { return datagrams_.empty(); }

  // Adds what is counted here and nowhere else yet. Looks at everything: for checks.
  void add_waiting_to(uint64_t& packets, uint64_t& octets) const {
    for (const auto& [key, datagram] : datagrams_) {
      for (const auto& waiting : datagram.waiting) {
        packets += waiting.counters.packets;
        octets += waiting.counters.octets;
      }
    }
  }

 private:
  static constexpr size_t kWaitingPerDatagram = 16;

  struct Datagram {
    uint32_t until = 0;  // the second at which it is forgotten
    std::optional<TransportKey> transport;
    Waiting waiting;
  };
  struct Hash {
    const KeyedHash* hash;
    size_t operator()(const Key& key) const { return (*hash)(key); }
  };
  struct Begun {
    Key datagram;
    uint32_t until;
  };

  // Addresses, protocol and identification; neither VLAN nor DSCP tell datagrams apart.
  static Key datagram_of(Key fragment) {
    fragment.tail.dscp = 0;
    fragment.tail.vlan_and_datagram = kDatagramBit;
    return fragment;
  }

  Datagram& find_or_begin(const Key& fragment, uint32_t second) {
    const Key key = datagram_of(fragment);
    const auto [at, is_new] = datagrams_.try_emplace(key);
    if (is_new) begin(at->second, key, second);
    return at->second;
  }

  void begin(Datagram& datagram, const Key& key, uint32_t second) {
    const uint32_t until = second + kSecondsMax;
    if (datagram.until == until) return;
    datagram.until = until;
    order_.push_back({key, until});
  }

  // Drops entries of datagrams that began anew since.
  void drop_outdated() {
    while (!order_.empty()) {
      const auto at = datagrams_.find(order_.front().datagram);
      if (at != datagrams_.end() && at->second.until == order_.front().until) return;
      order_.pop_front();
    }
  }

  std::unordered_map<Key, Datagram, Hash> datagrams_;
  std::deque<Begun>
      order_;  // every datagram of the table, oldest first; outdated entries may be among them
  size_t waiting_ = 0;
};

}  // namespace clerk
