// Writes what --explain asks for to stdout: each record of the flow with its packets, packets
// between its addresses that were not metered, and at the end what was found.
//
// ExplainPipeline tells it what became of each packet, the ledger's output which records left. One
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "capture/slice.h"
#include "clerk/explain_expression.h"
#include "clerk/explain_text.h"
#include "clerk/explained_packets.h"
#include "sink/output_file.h"

namespace clerk {

class Explainer {
 public:
  // `files` are those of --read, in order. `non_ip`: as --non_ip says.
  Explainer(const ExplainExpression& expression, std::vector<std::string> files, OutputFile output,
            bool non_ip = false)
      : expression_(expression),
        files_(std::move(files)),
        output_(std::move(output)),
        non_ip_(non_ip) {}

  [[nodiscard]] const ExplainExpression& expression() const { return expression_; }

  // For Ledger::tell().
  [[nodiscard]] const LedgerObserver& observer() const { return packets_.observer(); }

  // A packet that may match was added to the count of this ordinal. `ordinal` is its own.
  void metered(const Packet& packet, const PacketOrigin& origin, const LayerTrace& layers,
               const Headers& headers, uint64_t ordinal, uint64_t count);

  // A packet was not metered.
  void ignored(const Packet& packet, const PacketOrigin& origin, const LayerTrace& layers,
               Stop stop);

  // All records of the run, in the order in which the ledger gives them out.
  void add(std::span<const FlowRecord> records);

  // Hands what was written to the kernel.
  void flush() { output_.flush(); }

  // All records were added.
  void finish(const PacketCounts& counts);

  // Why nothing is written any more.
  [[nodiscard]] const std::optional<Error>& failure() const { return output_.error(); }

 private:
  [[nodiscard]] PacketPlace place_of(const Packet& packet, const PacketOrigin& origin) const {
    return {packet, files_[origin.file], origin.number};
  }
  void write(const FlowRecord& record, const ExplainedGroup& group);

  ExplainExpression expression_;
  std::vector<std::string> files_;
  OutputFile output_;
  bool non_ip_;
  ExplainedPackets packets_;
  uint64_t records_ = 0;  // added, whether they match or not
  ExplainTotals totals_;
};

}  // namespace clerk
