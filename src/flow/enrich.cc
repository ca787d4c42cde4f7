#include "flow/enrich.h"

#include <spdlog/spdlog.h>

#include <filesystem>
#include <new>
#include <utility>

#include "flow/asn_csv.h"
#include "flow/asn_db.h"

namespace clerk {
namespace {

std::string flag_of(AsnFormat format) {
  return format == AsnFormat::Csv ? "--asns_csv" : "--asn_db";
}

uint64_t mebibytes(size_t octets) { return (octets + (size_t{1} << 20) - 1) >> 20; }

void log_problems(const AsnCsv& csv, const std::string& name) {
  for (const std::string& problem : csv.problems)
    spdlog::warn("{}: {}", name, problem);
  const uint64_t more = csv.lines_skipped - csv.problems.size();
  if (more > 0) spdlog::warn("{}: {} more lines skipped", name, more);
}

}  // namespace

std::string AsnFile::name() const { return fmt::format("{} {}", flag_of(format), path); }

Result<std::unique_ptr<Enricher>> Enricher::create(AsnFile file) {
  std::unique_ptr<Enricher> enricher(new Enricher(std::move(file)));
  TRY(enricher->replace_table());
  return enricher;
}

void Enricher::enrich(std::span<FlowRecord> records) const {
  const Table table = this->table();
  if (table == nullptr) return;
  for (FlowRecord& record : records) {
    if (record.without_ip) continue;
    record.source_as = table->find(record.source);
    record.destination_as = table->find(record.destination);
  }
}

Result<void> Enricher::reload() {
  if (!is_readable_again()) {
    spdlog::warn("{}: is no regular file and is not read again", file_.name());
    return {};
  }
  auto replaced = replace_table();
  if (!replaced) spdlog::error("{}; the table read before stays in use", replaced.error().message);
  return replaced;
}

size_t Enricher::octets_max() const {
  constexpr size_t kOctetsOfARange = 130;  // while it is parsed, sorted and checked
  const Table table = this->table();
  if (table == nullptr) return 0;
  std::error_code unknown;
  const auto file_octets = std::filesystem::file_size(file_.path, unknown);
  return 2 * table->octets() + kOctetsOfARange * table->ranges() + (unknown ? 0 : file_octets);
}

// A pipe would keep the reader waiting. What is not there is an error to be told.
bool Enricher::is_readable_again() const {
  std::error_code unknown;
  return !std::filesystem::exists(file_.path, unknown) ||
         std::filesystem::is_regular_file(file_.path, unknown);
}

Result<AsnTable> Enricher::load() const {
  if (file_.format == AsnFormat::Database) return load_asn_db(file_.path);
  AsnCsv csv = TRY(load_asn_csv(file_.path));
  log_problems(csv, file_.name());
  return std::move(csv.table);
}

// A table that was read when there was more memory is better than none.
Result<AsnTable> Enricher::load_if_memory_suffices() const {
  try {
    return load();
  } catch (const std::bad_alloc&) {
    return fail("{}: there is not enough memory to read it", file_.path);
  }
}

Result<void> Enricher::replace_table() {
  if (!has_file()) return {};
  auto loaded = load_if_memory_suffices();
  if (!loaded) return fail("{} {}", flag_of(file_.format), loaded.error().message);
  Table table = std::make_shared<const AsnTable>(*std::move(loaded));
  spdlog::info("{}: {} ranges, {} MiB", file_.name(), table->ranges(), mebibytes(table->octets()));
  const std::lock_guard lock(mutex_);
  table_.swap(table);  // the old one goes after the lock, unless a batch still uses it
  return {};
}

Enricher::Table Enricher::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

}  // namespace clerk
