#include "clerk/live_summary.h"

#include <fmt/format.h>

#include <utility>

#include "clerk/counts_text.h"

namespace clerk {

std::string LiveSummary::line(Clock::time_point now, const LedgerCounts& counts,
                              uint32_t flows_held, const ExporterCounts& exported) {
  LedgerCounts counted = counts;
  counted -= std::exchange(counts_, counts);
  SinkCounts sent = exported.sinks;
  sent -= std::exchange(sinks_, exported.sinks);
  const auto passed = std::chrono::round<std::chrono::seconds>(now - std::exchange(since_, now));
  return fmt::format("last {} s: {} flows_held={} records_queued={}", passed.count(),
                     format_counts(counted, sent), flows_held, exported.records_queued);
}

}  // namespace clerk
