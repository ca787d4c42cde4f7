// What --explain says, as text: of a packet, of a record, and at the end of the run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "capture/packet.h"
#include "clerk/explain_expression.h"
#include "decode/decode.h"
#include "decode/headers.h"
#include "decode/layer_trace.h"
#include "flow/flow_record.h"
#include "flow/packet_counts.h"

namespace clerk {

// A packet and where it stands.
struct PacketPlace {
  const Packet& packet;
  std::string_view file;  // as it was named behind --read
  uint64_t number;        // in that file, counted from 1
};

// A packet that was metered: its layers and what was counted of it. Several lines.
std::string describe_metered(const PacketPlace& place, const LayerTrace& layers,
                             const Headers& headers);

// A packet that was not, and why.
std::string describe_ignored(const PacketPlace& place, const LayerTrace& layers, Stop stop);

// A record, which is the run's `number`th: its flow key, its counts, and its line of CSV, which has
// one more column in a run with --non_ip.
std::string describe_record(const FlowRecord& record, uint64_t number, bool non_ip = false);

struct ExplainTotals {
  uint64_t packets = 0;  // that matched
  uint64_t records = 0;  // they went into
  uint64_t ignored = 0;  // packets between the addresses that were not metered
};

// What was found, and what became of packets that are in no record.
std::string describe_totals(const ExplainExpression& expression, const ExplainTotals& totals,
                            const PacketCounts& counts);

// Whether an IP header among these layers has addresses of the expression.
bool has_addresses(const LayerTrace& layers, const Packet& packet,
                   const ExplainExpression& expression);

}  // namespace clerk
