// What a run counted, as text: one line of counters for programs, at the end and live each minute,
// and a short summary for people.
#pragma once

#include <string>

#include "clerk/largest_flows.h"
#include "flow/ledger.h"
#include "sink/sink.h"

namespace clerk {

// "packets_received=5 packets_metered=4 packets_dropped=0 ignored_non_ip=1 ..." without an end of
// line. Causes and rarities that did not happen are left out.
std::string format_counts(const LedgerCounts& counts, const SinkCounts& sinks);

// Period, rates, the largest flows, what was ignored and what that means: several lines, for a
// terminal.
std::string format_summary(const LedgerCounts& counts, const LargestFlows& flows);

}  // namespace clerk
