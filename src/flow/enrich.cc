#include "flow/enrich.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "flow/asn_csv.h"
#include "flow/asn_db.h"

namespace clerk {
namespace {

bool have_file(const EnricherOptions& options) {
  return !options.asns_csv.empty() || !options.asn_db.empty();
}

std::string with_flag(const EnricherOptions& options, const std::string& text) {
  return (options.asns_csv.empty() ? "--asn_db " : "--asns_csv ") + text;
}

// The flag and the file, as the user wrote them.
std::string name_of(const EnricherOptions& options) {
  return with_flag(options, options.asns_csv.empty() ? options.asn_db : options.asns_csv);
}

uint64_t mebibytes(size_t octets) { return (octets + (size_t{1} << 20) - 1) >> 20; }

void log_problems(const AsnCsv& csv, const std::string& name) {
  for (const std::string& problem : csv.problems)
    spdlog::warn("{}: {}", name, problem);
  const uint64_t more = csv.lines_skipped - csv.problems.size();
  if (more > 0) spdlog::warn("{}: {} more lines skipped", name, more);
}

}  // namespace

Result<std::unique_ptr<Enricher>> Enricher::create(EnricherOptions options) {
  if (!options.asns_csv.empty() && !options.asn_db.empty()) {
    return fail("--asns_csv {} and --asn_db {}: give one of the two", options.asns_csv,
                options.asn_db);
  }
  std::unique_ptr<Enricher> enricher(new Enricher(std::move(options)));
  TRY(enricher->replace_table());
  return enricher;
}

void Enricher::enrich(std::span<FlowRecord> records) const {
  const Table table = this->table();
  if (table == nullptr) return;
  for (FlowRecord& record : records) {
    record.source_as = table->find(record.source);
    record.destination_as = table->find(record.destination);
  }
}

Result<void> Enricher::reload() {
  auto replaced = replace_table();
  if (!replaced) spdlog::error("{}; the table read before stays in use", replaced.error().message);
  return replaced;
}

size_t Enricher::octets() const {
  const Table table = this->table();
  return table == nullptr ? 0 : table->octets();
}

Result<AsnTable> Enricher::load() const {
  if (options_.asns_csv.empty()) return load_asn_db(options_.asn_db);
  AsnCsv csv = TRY(load_asn_csv(options_.asns_csv));
  log_problems(csv, name_of(options_));
  return std::move(csv.table);
}

Result<void> Enricher::replace_table() {
  if (!have_file(options_)) return {};
  auto loaded = load();
  if (!loaded) return fail("{}", with_flag(options_, loaded.error().message));
  Table table = std::make_shared<const AsnTable>(*std::move(loaded));
  spdlog::info("{}: {} ranges, {} MiB", name_of(options_), table->ranges(),
               mebibytes(table->octets()));
  const std::lock_guard lock(mutex_);
  table_.swap(table);  // the old one goes after the lock, unless a batch still uses it
  return {};
}

Enricher::Table Enricher::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

}  // namespace clerk
