#include "sink/exporter.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

namespace clerk {
namespace {

constexpr auto kLogInterval = std::chrono::seconds(60);

}  // namespace

Exporter::Exporter(Sinks& sinks, Prepare prepare, StopRequest& stop, size_t records_max)
    : sinks_(sinks),
      prepare_(std::move(prepare)),
      stop_(stop),
      records_max_(records_max),
      log_limiter_(kLogInterval),
      thread_([this] { run(); }) {}

ExporterCounts Exporter::finish() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    filled_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
  return counts();
}

void Exporter::add(std::span<const FlowRecord> records, uint32_t second) {
  if (records.empty()) return;  // it would be taken for a tick
  std::unique_lock lock(mutex_);
  const auto has_room = [&] {
    return records_queued_ == 0 || records_queued_ + records.size() <= records_max_;
  };
  if (stop_.requested()) emptied_.wait(lock, has_room);
  if (!has_room()) return note_loss(records.size());
  queue_.push_back({{records.begin(), records.end()}, second});
  records_queued_ += records.size();
  filled_.notify_one();
}

void Exporter::tick(uint32_t second) {
  const std::lock_guard lock(mutex_);
  queue_.push_back({{}, second});
  filled_.notify_one();
}

ExporterCounts Exporter::counts() const {
  const std::lock_guard lock(mutex_);
  ExporterCounts counts{.records_queued = records_queued_, .sinks = sink_counts_};
  counts.sinks.records_lost += records_lost_ * sinks_.each().size();
  return counts;
}

void Exporter::note_loss(size_t records) {
  records_lost_ += records;
  if (!log_limiter_.allow(std::chrono::steady_clock::now())) return;
  spdlog::warn(
      "collectors take records more slowly than flows end: {} wait, {} are lost so far; a higher "
      "--udp_records_per_second may help",
      records_queued_, records_lost_);
}

void Exporter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    filled_.wait(lock, [this] { return !queue_.empty() || ends_; });
    if (queue_.empty()) return;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    export_item(item);
    const SinkCounts total = sinks_.total();
    lock.lock();
    records_queued_ -= item.records.size();
    sink_counts_ = total;
    emptied_.notify_one();
  }
}

void Exporter::export_item(Item& item) {
  if (item.records.empty()) {
    sinks_.flush(item.second);
    if (sinks_.all_failed()) stop_.request();
  } else {
    prepare_(item.records);
    sinks_.add(item.records, item.second);
  }
}

}  // namespace clerk
