// The Exporting Process's own threads, one for each sink: they take released records off the
// ledger's hands, so that no collector holds back a live capture, nor another collector.
//
//   ledger's thread ──add(), tick()──┬──> bounded queue ──exporter's thread──> sink
//                                    └──> bounded queue ──exporter's thread──> sink
//
// A queue is bounded; what finds it full is counted lost. Once a stop is requested there is time:
// then add() waits for room, and nothing is lost. What waits and for how long is logged.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
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
  SinkCounts sinks;  // with what found no room

  ExporterCounts& operator+=(const ExporterCounts& other) {
    records_queued += other.records_queued;
    sinks += other.sinks;
    return *this;
  }
};

// Of one sink.
class Exporter {
 public:
  // Shared by the exporters, and not changed any more.
  using Records = std::shared_ptr<const std::vector<FlowRecord>>;

  // `sink` and `stop` outlive the exporter; until it goes, its thread alone uses the sink. At most
  // `records_max` records wait.
  Exporter(Sink& sink, const StopRequest& stop, size_t records_max);
  ~Exporter() { finish(); }
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;

  // The ledger's thread.
  void add(const Records& records, uint32_t second);
  void tick(uint32_t second);

  // Returns when everything that was added is exported. Nothing may be added any more.
  void finish();

  // Any thread.
  [[nodiscard]] ExporterCounts counts() const;
  [[nodiscard]] bool has_failed() const;

 private:
  using Clock = std::chrono::steady_clock;

  // Records of a tick; without any, the tick itself.
  struct Item {
    Records records;
    uint32_t second;
  };

  void run();
  void export_item(const Item& item);
  void note_loss(size_t records);
  void warn_of_standstill();
  void wait_until_exported();

  Sink& sink_;
  const StopRequest& stop_;
  size_t records_max_;

  mutable std::mutex mutex_;  // guards all down to the thread
  std::condition_variable filled_;
  std::condition_variable emptied_;
  std::deque<Item> queue_;
  size_t records_queued_ = 0;  // with those that the sink is taking
  uint64_t records_lost_ = 0;
  SinkCounts sink_counts_;  // as of the last item
  bool has_failed_ = false;
  bool ends_ = false;
  Clock::time_point progress_at_;  // when the sink took something, or there came something to take
  LogLimiter loss_limiter_;
  LogLimiter standstill_limiter_;

  std::thread thread_;
};

// Of all sinks of a run.
class Exporters {
 public:
  // `sinks` and `stop` outlive the exporters. A stop is requested when no sink takes anything any
  // more.
  Exporters(Sinks& sinks, StopRequest& stop, size_t records_max);

  void add(std::span<const FlowRecord> records, uint32_t second);
  void tick(uint32_t second);

  // Returns when everything that was added is exported, with the final counts.
  ExporterCounts finish();

  // The sum over all sinks.
  [[nodiscard]] ExporterCounts counts() const;

 private:
  StopRequest& stop_;
  std::vector<std::unique_ptr<Exporter>> exporters_;
};

}  // namespace clerk
