#include "sink/exporter.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace clerk {
namespace {

// A sink that takes nothing for so long is stuck: the slowest pace and the largest message take
// less.
constexpr std::chrono::seconds kStandstill{10};

// How often somebody who waits for the end of a run is told what it waits for.
constexpr std::chrono::seconds kNewsInterval{5};

}  // namespace

Exporter::Exporter(Sink& sink, const StopRequest& stop, size_t records_max)
    : sink_(sink), stop_(stop), records_max_(records_max), thread_([this] { run(); }) {}

void Exporter::finish() {
  wait_until_exported();
  if (thread_.joinable()) thread_.join();
}

void Exporter::wait_until_exported() {
  std::unique_lock lock(mutex_);
  ends_ = true;
  filled_.notify_one();
  const auto is_exported = [this] { return queue_.empty() && records_queued_ == 0; };
  while (!emptied_.wait_for(lock, kNewsInterval, is_exported))
    spdlog::info("--collector {}: {} records are still to be sent", sink_.name(), records_queued_);
}

void Exporter::add(const Records& records, uint32_t second) {
  std::unique_lock lock(mutex_);
  const auto has_room = [&] {
    return records_queued_ == 0 || records_queued_ + records->size() <= records_max_;
  };
  if (stop_.requested()) emptied_.wait(lock, has_room);
  if (!has_room()) return note_loss(records->size());
  if (records_queued_ == 0) progress_at_ = Clock::now();
  queue_.push_back({records, second});
  records_queued_ += records->size();
  filled_.notify_one();
}

void Exporter::tick(uint32_t second) {
  const std::lock_guard lock(mutex_);
  if (!queue_.empty() && !queue_.back().records) {
    queue_.back().second = second;  // of ticks without records the last one says it all
  } else {
    queue_.push_back({nullptr, second});
  }
  filled_.notify_one();
  warn_of_standstill();
}

ExporterCounts Exporter::counts() const {
  const std::lock_guard lock(mutex_);
  ExporterCounts counts{.records_queued = records_queued_, .sinks = sink_counts_};
  counts.sinks.records_lost += records_lost_;
  return counts;
}

bool Exporter::has_failed() const {
  const std::lock_guard lock(mutex_);
  return has_failed_;
}

void Exporter::note_loss(size_t records) {
  records_lost_ += records;
  if (!loss_limiter_.allow(Clock::now())) return;
  spdlog::warn(
      "--collector {}: takes records more slowly than flows end; {} wait, {} are lost so far",
      sink_.name(), records_queued_, records_lost_);
}

void Exporter::warn_of_standstill() {
  const auto now = Clock::now();
  if (records_queued_ == 0 || now - progress_at_ < kStandstill) return;
  if (!standstill_limiter_.allow(now)) return;
  const auto seconds = std::chrono::round<std::chrono::seconds>(now - progress_at_);
  spdlog::warn("--collector {}: has taken nothing for {} s; {} records wait", sink_.name(),
               seconds.count(), records_queued_);
}

void Exporter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    filled_.wait(lock, [this] { return !queue_.empty() || ends_; });
    if (queue_.empty()) return;
    const Item item = std::move(queue_.front());
    queue_.pop_front();
    const size_t waiting = records_queued_;
    lock.unlock();
    if (!stop_.requested()) sink_.note_backlog(waiting);  // at the end of a run there is time
    export_item(item);
    const SinkCounts counts = sink_.counts();
    const auto failure = sink_.failure();
    lock.lock();
    if (item.records) records_queued_ -= item.records->size();
    sink_counts_ = counts;
    progress_at_ = Clock::now();
    if (failure && !std::exchange(has_failed_, true))
      spdlog::error("--collector {}: {}", sink_.name(), failure->message);
    emptied_.notify_all();
  }
}

void Exporter::export_item(const Item& item) {
  item.records ? sink_.add(*item.records, item.second) : sink_.flush(item.second);
}

Exporters::Exporters(Sinks& sinks, StopRequest& stop, size_t records_max) : stop_(stop) {
  exporters_.reserve(sinks.each().size());
  for (const auto& sink : sinks.each())
    exporters_.push_back(std::make_unique<Exporter>(*sink, stop, records_max));
}

void Exporters::add(std::span<const FlowRecord> records, uint32_t second) {
  if (records.empty()) return;
  const auto shared =
      std::make_shared<const std::vector<FlowRecord>>(records.begin(), records.end());
  for (const auto& exporter : exporters_)
    exporter->add(shared, second);
}

void Exporters::tick(uint32_t second) {
  for (const auto& exporter : exporters_)
    exporter->tick(second);
  const bool all_failed =
      std::ranges::all_of(exporters_, [](const auto& exporter) { return exporter->has_failed(); });
  if (all_failed) stop_.request();
}

ExporterCounts Exporters::finish() {
  for (const auto& exporter : exporters_)
    exporter->finish();
  return counts();
}

ExporterCounts Exporters::counts() const {
  ExporterCounts sum;
  for (const auto& exporter : exporters_)
    sum += exporter->counts();
  return sum;
}

}  // namespace clerk
