// The Exporting Process's own thread: takes released records off the ledger's hands, so that a slow
// collector never holds back a live capture.
//
//   ledger's thread ──add(), tick()──> bounded queue ──exporter's thread──> prepare ──> sinks
//
// The queue is bounded; what finds it full is counted lost. Once a stop is requested there is time:
// then add() waits for room, and nothing is lost.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/stop_request.h"
#include "sink/sinks.h"

namespace clerk {

struct ExporterCounts {
  uint64_t records_queued = 0;
  SinkCounts sinks;  // of all sinks; a record that found no room is lost in each
};

class Exporter {
 public:
  // What is done to records on the exporter's thread before they go to the sinks.
  using Prepare = std::function<void(std::span<FlowRecord>)>;

  // `sinks` and `stop` outlive the exporter; until it goes, its thread alone uses the sinks. A stop
  // is requested when no sink takes anything any more. At most `records_max` records wait.
  Exporter(Sinks& sinks, Prepare prepare, StopRequest& stop, size_t records_max);

  ~Exporter() { finish(); }

  // Returns when everything that was added is exported, with the final counts. Nothing may be added
  // any more.
  ExporterCounts finish();

  // The ledger's thread.
  void add(std::span<const FlowRecord> records, uint32_t second);
  void tick(uint32_t second);

  // Any thread.
  [[nodiscard]] ExporterCounts counts() const;

 private:
  // Records of a tick; without any, the tick itself.
  struct Item {
    std::vector<FlowRecord> records;
    uint32_t second;
  };

  void run();
  void export_item(Item& item);
  void note_loss(size_t records);

  Sinks& sinks_;
  Prepare prepare_;
  StopRequest& stop_;
  size_t records_max_;

  mutable std::mutex mutex_;  // guards all down to the thread
  std::condition_variable filled_;
  std::condition_variable emptied_;
  std::deque<Item> queue_;
  size_t records_queued_ = 0;
  uint64_t records_lost_ = 0;
  SinkCounts sink_counts_;  // the sinks', as of the last item
  bool ends_ = false;
  LogLimiter log_limiter_;

  std::thread thread_;
};

}  // namespace clerk
