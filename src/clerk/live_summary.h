// The log's line a minute of a live run: what came, what was lost, what is held. One thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "flow/ledger.h"
#include "sink/exporter.h"

namespace clerk {

class LiveSummary {
 public:
  using Clock = std::chrono::steady_clock;

  explicit LiveSummary(Clock::time_point start) : since_(start) {}

  [[nodiscard]] bool is_due(Clock::time_point now) const { return now - since_ >= kInterval; }

  // What happened since the last line, or the start.
  std::string line(Clock::time_point now, const LedgerCounts& counts, uint32_t flows_held,
                   const ExporterCounts& exported);

 private:
  static constexpr std::chrono::seconds kInterval{60};

  Clock::time_point since_;
  LedgerCounts counts_;
  SinkCounts sinks_;
};

}  // namespace clerk
