// Records that left the ledger, gathered until there are enough to hand over.
//
// A shard of the ledger puts them in; who gets them is up to the owner. One thread, but a batch
// that is handed over may go to another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "flow/flow_record.h"

namespace clerk {

struct ReleasedBatch {
  std::vector<FlowRecord> records;
  std::vector<uint64_t> ordinals;  // of their first packets

  explicit ReleasedBatch(size_t records_max) {
    records.reserve(records_max);
    ordinals.reserve(records_max);
  }

  void clear() {
    records.clear();
    ordinals.clear();
  }

  static constexpr size_t octets(size_t records_max) {
    return records_max * (sizeof(FlowRecord) + sizeof(uint64_t));
  }
};

class ReleasedRecords {
 public:
  // Takes what is in the batch and leaves an empty one, this or another of the same size.
  using HandOver = std::function<void(std::unique_ptr<ReleasedBatch>& batch)>;

  ReleasedRecords(size_t records_max, HandOver hand_over)
      : records_max_(records_max),
        hand_over_(std::move(hand_over)),
        batch_(std::make_unique<ReleasedBatch>(records_max)) {}

  // One more record, to be filled in where it lies: a copy of what was just written octet by octet
  // has to wait for it.
  FlowRecord& add(uint64_t ordinal) {
    if (batch_->records.size() == records_max_) hand_over();
    batch_->ordinals.push_back(ordinal);
    return batch_->records.emplace_back();
  }

  void hand_over() {
    if (!empty()) hand_over_(batch_);
  }

  [[nodiscard]] bool empty() const { return batch_->records.empty(); }

 private:
  size_t records_max_;
  HandOver hand_over_;
  std::unique_ptr<ReleasedBatch> batch_;
};

}  // namespace clerk
