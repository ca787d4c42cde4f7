// A meter's flow table for one kind of flow: what its packets added up to since the last tick.
//
// Entries lie in the order of their first packets, one (IPv4, no IP) or one and a half (IPv6) cache
// lines each, so that the ledger reads them in sequence. A directory of 8-byte slots finds them:
//
//   slot   generation 24 bits | tag 20 bits | entry 20 bits
//
// A slot of an older generation is empty: clearing the table is one increment. Capacity and memory
// are fixed. One thread at a time: the meter's until it is handed over, then the ledger's.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/check.h"
#include "base/lazy_array.h"
#include "base/prefetch.h"
#include "flow/flow_key.h"

namespace clerk {

template <typename Key>
struct MeterEntry {
  Key key;
  uint64_t octets;
  uint64_t first_ns;
  uint64_t last_ns;
  uint64_t hash;
  uint32_t packets;
  uint32_t ordinal;            // of the first packet, within the delta
  uint16_t noted_source_port;  // of a datagram: its transport key, once mark::kHasFirst is set
  uint16_t noted_destination_port;
  uint8_t noted_protocol;
  uint8_t tcp_flags;
  uint8_t tos;
  uint8_t marks;
};
static_assert(sizeof(MeterEntry<Ipv4Key>) == 64 && sizeof(MeterEntry<Ipv6Key>) == 88 &&
              sizeof(MeterEntry<LinkKey>) == 64);

template <typename Key>
class MeterTable {
 public:
  // At most 2^20 entries, a power of two.
  explicit MeterTable(uint32_t capacity)
      : capacity_(capacity), entries_(capacity), slots_(size_t{capacity} * kSlotsPerEntry) {
    CHECK(capacity <= kCapacityMax && (capacity & (capacity - 1)) == 0);
  }

  struct Found {
    MeterEntry<Key>* entry;  // none when the table is full
    bool is_new;             // only key and hash are set
  };

  // The newest entry of the key, or a new one.
  Found find_or_insert(const Key& key, uint64_t hash) {
    uint64_t* slot = find_slot(key, hash);
    if (is_used(*slot)) [[likely]]
      return {&entries_[entry_of(*slot)], false};
    return insert(slot, key, hash);
  }

  // A new entry that takes the place of the key's newest one in later searches; the old one stays.
  Found supersede(const Key& key, uint64_t hash) { return insert(find_slot(key, hash), key, hash); }

  CLERK_ALWAYS_INLINE void prefetch_slot(uint64_t hash) const {
    prefetch_for_write(&slots_[home(hash)]);
  }

  // Fetches the entry that probably has this hash. Between the home slot and the one behind it
  // there is no branch, for nobody can foretell which it is.
  CLERK_ALWAYS_INLINE void prefetch_entry(uint64_t hash) const {
    const uint64_t wanted = label(hash);
    size_t at = home(hash);
    const uint64_t here = slots_[at] ^ wanted;
    uint64_t behind = slots_[at = next(at)] ^ wanted;
    const uint64_t unused = (here | behind) >> kGenerationShift;  // 0: neither is
    if ((unused | is_wanted(std::min(here, behind))) == 0) [[unlikely]] {
      do
        behind = slots_[at = next(at)] ^ wanted;
      while (is_anothers(behind));
    }
    prefetch_for_write(&entries_[entry_of(is_wanted(here) ? here : behind)]);
  }

  void clear() {
    size_ = 0;
    if (++generation_ > kGenerationMax) forget_slots();
  }

  [[nodiscard]] uint32_t size() const { return size_; }
  [[nodiscard]] uint32_t room() const { return capacity_ - size_; }
  const MeterEntry<Key>& operator[](uint32_t i) const { return entries_[i]; }

  // What one table of this capacity may occupy.
  static constexpr size_t octets(uint32_t capacity) {
    return capacity * (sizeof(MeterEntry<Key>) + kSlotsPerEntry * sizeof(uint64_t));
  }

 private:
  static constexpr unsigned kTagShift = 20;
  static constexpr unsigned kGenerationShift = 40;
  static constexpr unsigned kTagBits = kGenerationShift - kTagShift;
  static constexpr uint32_t kCapacityMax = 1U << kTagShift;
  static constexpr uint32_t kSlotsPerEntry = 2;  // at most half full: short probes
  static constexpr uint64_t kGenerationMax = (1U << (64 - kGenerationShift)) - 1;

  [[nodiscard]] size_t home(uint64_t hash) const { return hash & (slots_.size() - 1); }
  [[nodiscard]] size_t next(size_t i) const { return (i + 1) & (slots_.size() - 1); }
  [[nodiscard]] bool is_used(uint64_t slot) const {
    return slot >> kGenerationShift == generation_;
  }
  static uint32_t entry_of(uint64_t slot) { return slot & (kCapacityMax - 1); }

  // Of a slot xor the label that is looked for: that leaves the entry as it is.
  static bool is_wanted(uint64_t difference) { return difference >> kTagShift == 0; }
  static bool is_anothers(uint64_t difference) {
    return !is_wanted(difference) && difference >> kGenerationShift == 0;
  }

  // Generation and tag of a slot for this hash; the tag is of hash bits that home() does not use.
  [[nodiscard]] uint64_t label(uint64_t hash) const {
    return generation_ << kGenerationShift | hash >> (64 - kTagBits) << kTagShift;
  }

  // The slot of the key's newest entry, or the unused one where it would go.
  uint64_t* find_slot(const Key& key, uint64_t hash) {
    const uint64_t wanted = label(hash);
    for (size_t i = home(hash);; i = next(i)) {
      uint64_t& slot = slots_[i];
      if (is_anothers(slot ^ wanted)) continue;
      if (!is_used(slot) || entries_[entry_of(slot)].key == key) return &slot;
    }
  }

  Found insert(uint64_t* slot, const Key& key, uint64_t hash) {
    if (size_ == capacity_) return {nullptr, true};
    MeterEntry<Key>& entry = entries_[size_];
    *slot = label(hash) | size_;
    ++size_;
    entry.key = key;
    entry.hash = hash;
    return {&entry, true};
  }

  void forget_slots() {
    for (size_t i = 0; i < slots_.size(); ++i)
      slots_[i] = 0;
    generation_ = 1;
  }

  uint32_t capacity_;
  uint32_t size_ = 0;
  uint64_t generation_ = 1;  // 0 is that of untouched memory
  LazyArray<MeterEntry<Key>> entries_;
  LazyArray<uint64_t> slots_;
};

}  // namespace clerk
