// Texts of packets on their way to the record that each goes into.
//
//   add() ──> by count ──counted()──> by record ──released()──> in the order of release ──>
//   take_next()
//                joined(), orphaned()
//
// The middle follows a ledger (LedgerObserver). Bounded: what finds no room is only numbered. One
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "flow/ledger.h"

namespace clerk {

struct ExplainedPacket {
  uint64_t ordinal;  // among all packets of the run
  std::string text;
  bool orphaned = false;  // a fragment that never got its ports
};

// Those of one record.
struct ExplainedGroup {
  std::vector<ExplainedPacket> packets;
  uint64_t left_out = 0;  // had no room

  [[nodiscard]] uint64_t size() const { return packets.size() + left_out; }
};

class ExplainedPackets {
 public:
  // Nobody reads more of one record, and a record of millions is no reason to hold them all.
  static constexpr size_t kPacketsOfRecordMax = 100'000;
  // Half a million packets of the usual four layers.
  static constexpr size_t kOctetsMax = size_t{256} << 20;

  explicit ExplainedPackets(size_t packets_of_record_max = kPacketsOfRecordMax,
                            size_t octets_max = kOctetsMax);
  ExplainedPackets(const ExplainedPackets&) = delete;
  ExplainedPackets& operator=(const ExplainedPackets&) = delete;

  // For Ledger::tell().
  [[nodiscard]] const LedgerObserver& observer() const { return observer_; }

  // A packet that a meter added to the count which the ledger will name by this ordinal.
  void add(uint64_t count, ExplainedPacket packet);

  // The packets that were added of the next record that the ledger gives out, in the order of the
  // input.
  ExplainedGroup take_next();

  // Whether every packet that was added went into a record that was taken.
  [[nodiscard]] bool empty() const;

 private:
  void move_into(ExplainedGroup& to, ExplainedGroup&& from);
  void count_into_record(uint64_t count, uint32_t record);
  void join(uint64_t count, uint64_t earlier);
  void note_orphans(uint64_t count);
  void release(uint32_t record);

  size_t packets_of_record_max_;
  size_t octets_max_;
  LedgerObserver observer_;
  std::unordered_map<uint64_t, ExplainedGroup> by_count_;
  std::unordered_map<uint32_t, ExplainedGroup> by_record_;
  std::deque<ExplainedGroup> released_;  // one a record, also of those without such packets
  size_t octets_ = 0;                    // of all that is held
};

}  // namespace clerk
