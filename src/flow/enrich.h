// Fills in the AS numbers of flow records, between the ledger and the sinks.
//
// The table comes from --asns_csv FILE or --asn_db FILE; with neither, records stay as they are.
// enrich() is called by the thread that exports, reload() by any other one: it builds a new table
// beside the one in use, which takes over with the next batch of records.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "flow/asn_table.h"
#include "flow/flow_record.h"

namespace clerk {

// Paths; empty when not given. At most one of them is.
struct EnricherOptions {
  std::string asns_csv;
  std::string asn_db;
};

class Enricher {
 public:
  // Reads the file. Logs what it holds and which lines of it were skipped. An error names the flag
  // and the file.
  static Result<std::unique_ptr<Enricher>> create(EnricherOptions options);

  // Sets the AS numbers of all records, 0 where the table knows none. One thread at a time.
  void enrich(std::span<FlowRecord> records) const;

  // Reads the file again. An error, which it has logged, leaves the table as it was. One thread at
  // a time.
  Result<void> reload();

  // What the table in use occupies. While reload() is at work there are two, and what the new one
  // is made from: the file and some 130 octets a range. Any thread.
  [[nodiscard]] size_t octets() const;

 private:
  using Table = std::shared_ptr<const AsnTable>;  // null without a file

  explicit Enricher(EnricherOptions options) : options_(std::move(options)) {}

  [[nodiscard]] Result<AsnTable> load() const;
  Result<void> replace_table();
  [[nodiscard]] Table table() const;

  EnricherOptions options_;
  mutable std::mutex mutex_;  // guards the pointer, for as long as it takes to copy it
  Table table_;
};

}  // namespace clerk
