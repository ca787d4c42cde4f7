// A table of flows and nothing more, for the programs that say what a machine can do at best
// (roofline.cc, ring_reader.cc): no expiry, no export, no bound on the flows but the one it is made
// for. It shares no code with clerk.
//
//   directory  | tag 4 | number of the entry 4 |  8 octets a slot, linear probing, number 0: free
//   entries    | key 40 | first 8 | last 8 | octets 8 | packets 4 | TCP flags 1 |  72 octets, in
//   the order of the flows' first packets
//
// Both are in memory of huge pages that the kernel zeroes at the first touch. add() takes one
// packet; add_batch() takes up to kBatch, and has the lines of the table on their way from memory
// while it looks at the others. One thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "bare_headers.h"
#include "huge_memory.h"

namespace clerk::bench {

struct BarePacket {
  BareHeaders headers;
  std::uint64_t time_ns = 0;
};

struct BareTotals {
  std::uint64_t packets = 0;
  std::uint64_t octets = 0;  // of IP
};

class BareTable {
 public:
  static constexpr std::size_t kBatch = 32;

  // Exits with an error when it meets more flows than that.
  explicit BareTable(std::uint64_t flows_max)
      : flows_max_(flows_max),
        mask_(slots_for(flows_max) - 1),
        directory_(slots_for(flows_max)),
        entries_(flows_max + 1) {}

  void add(const BarePacket& packet) { count(entry_of(packet), packet); }

  void add_batch(std::span<const BarePacket> packets) {
    for (const BarePacket& packet : packets) {
      __builtin_prefetch(&directory_[slot_of(packet.headers.hash)]);
    }
    for (const BarePacket& packet : packets) {
      prefetch_entry(packet.headers.hash);
    }
    for (const BarePacket& packet : packets) {
      add(packet);
    }
  }

  std::uint64_t flows() const { return flows_; }

  // The sums over all entries: what was added must be there.
  BareTotals totals() const {
    BareTotals totals;
    for (std::uint64_t i = 1; i <= flows_; ++i) {
      totals.packets += entries_[i].packets;
      totals.octets += entries_[i].octets;
    }
    return totals;
  }

 private:
  struct Slot {
    std::uint32_t tag;
    std::uint32_t number;
  };
  static_assert(sizeof(Slot) == 8);

  struct Entry {
    BareKey key;
    std::uint64_t first_ns;
    std::uint64_t last_ns;
    std::uint64_t octets;
    std::uint32_t packets;
    std::uint8_t tcp_flags;
  };
  static_assert(sizeof(Entry) == 72);

  // Half full at most.
  static std::uint64_t slots_for(std::uint64_t flows) { return std::bit_ceil(2 * flows); }

  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }
  std::uint64_t slot_of(std::uint64_t hash) const { return hash & mask_; }

  // Inlined by force: g++ 12 takes a function that does nothing but prefetch for one without
  // effect, and deletes the calls. Look for the prefetch instructions when this is changed.
  [[gnu::always_inline]] void prefetch_entry(std::uint64_t hash) const {
    std::uint64_t at = slot_of(hash);
    while (directory_[at].number != 0 && directory_[at].tag != tag_of(hash)) {
      at = (at + 1) & mask_;
    }
    const auto* const entry =
        reinterpret_cast<const std::uint8_t*>(&entries_[directory_[at].number]);
    __builtin_prefetch(entry, 1);
    __builtin_prefetch(entry + sizeof(Entry) - 1, 1);
  }

  Entry& entry_of(const BarePacket& packet) {
    const std::uint64_t hash = packet.headers.hash;
    for (std::uint64_t at = slot_of(hash);; at = (at + 1) & mask_) {
      Slot& slot = directory_[at];
      if (slot.number == 0) return new_entry(slot, packet);
      if (slot.tag != tag_of(hash)) continue;
      Entry& entry = entries_[slot.number];
      if (entry.key == packet.headers.key) [[likely]]
        return entry;
    }
  }

  Entry& new_entry(Slot& slot, const BarePacket& packet) {
    if (flows_ == flows_max_) fail_for_flows(flows_max_);
    ++flows_;
    slot = {.tag = tag_of(packet.headers.hash), .number = static_cast<std::uint32_t>(flows_)};
    Entry& entry = entries_[flows_];
    entry.key = packet.headers.key;
    entry.first_ns = packet.time_ns;
    return entry;
  }

  static void count(Entry& entry, const BarePacket& packet) {
    entry.last_ns = packet.time_ns;
    entry.octets += packet.headers.ip_octets;
    entry.tcp_flags |= packet.headers.tcp_flags;
    ++entry.packets;
  }

  [[noreturn]] static void fail_for_flows(std::uint64_t flows_max);

  std::uint64_t flows_max_;
  std::uint64_t flows_ = 0;
  std::uint64_t mask_;
  HugeArray<Slot> directory_;
  HugeArray<Entry> entries_;  // the one with number 0 is never used
};

// Collects packets for a table until a batch is full. Whoever is done calls flush().
class BareBatch {
 public:
  explicit BareBatch(BareTable& table) : table_(table) {}

  // Where the next packet's headers go; keep() makes it part of the batch.
  BarePacket& next() { return packets_[size_]; }

  void keep() {
    if (++size_ == packets_.size()) flush();
  }

  void flush() {
    table_.add_batch(std::span(packets_).first(size_));
    size_ = 0;
  }

 private:
  BareTable& table_;
  std::size_t size_ = 0;
  std::array<BarePacket, BareTable::kBatch> packets_{};
};

}  // namespace clerk::bench
