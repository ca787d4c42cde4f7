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

enum class AsnFormat : uint8_t { None, Csv, Database };

// The file that AS numbers come from.
struct AsnFile {
  AsnFormat format = AsnFormat::None;
  std::string path;

  // The flag and the file, as the user wrote them.
  [[nodiscard]] std::string name() const;
  friend bool operator==(const AsnFile&, const AsnFile&) = default;
};

class Enricher {
 public:
  // Reads the file. Logs what it holds and which lines of it were skipped. An error names the flag
  // and the file.
  static Result<std::unique_ptr<Enricher>> create(AsnFile file);

  // Sets the AS numbers of all records of IP, 0 where the table knows none. One thread at a time.
  void enrich(std::span<FlowRecord> records) const;

  // Reads the file again, unless it is a pipe. An error, which it has logged, leaves the table as
  // it was. One thread at a time.
  Result<void> reload();

  [[nodiscard]] bool has_file() const { return file_.format != AsnFormat::None; }

  // What reload() may occupy together with the table in use: two tables as large as this one, and
  // what the new one is made from. Any thread.
  [[nodiscard]] size_t octets_max() const;

 private:
  using Table = std::shared_ptr<const AsnTable>;  // null without a file

  explicit Enricher(AsnFile file) : file_(std::move(file)) {}

  [[nodiscard]] Result<AsnTable> load() const;
  [[nodiscard]] bool is_readable_again() const;
  [[nodiscard]] Result<AsnTable> load_if_memory_suffices() const;
  Result<void> replace_table();
  [[nodiscard]] Table table() const;

  AsnFile file_;
  mutable std::mutex mutex_;  // guards the pointer, for as long as it takes to copy it
  Table table_;
};

}  // namespace clerk
