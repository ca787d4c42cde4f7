#include "capture/testimony_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace clerk {
namespace {

// A link that carries anything has something within a minute. One that is left idle on purpose
// need not fill the log.
constexpr auto kSilence = std::chrono::minutes(1);
constexpr auto kSilenceInterval = std::chrono::minutes(10);

double mebibytes(const testimony::Geometry& geometry) {
  constexpr double kMebibyte = 1024.0 * 1024.0;
  return static_cast<double>(geometry.block_octets) * geometry.blocks / kMebibyte;
}

}  // namespace

void TestimonyService::note_geometry(const testimony::Geometry& geometry) {
  const std::lock_guard lock(mutex_);
  set_geometry(geometry);
}

// Connections of another geometry are those of a daemon that is gone; their members will find out.
void TestimonyService::set_geometry(const testimony::Geometry& geometry) {
  if (geometry == geometry_) return;
  geometry_ = geometry;
  connected_.assign(geometry.fanout_size, false);
  fanout_size_.store(geometry.fanout_size, std::memory_order_relaxed);
}

void TestimonyService::note_connected(uint32_t index, const testimony::Geometry& geometry,
                                      Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  set_geometry(geometry);
  if (index < connected_.size()) connected_[index] = true;
  if (is_serving_ || !all_connected()) return;
  is_serving_ = true;
  end_outage(now);
  silence_told_.reset();
  note_block(now);  // the silence of an outage is not the link's
  if (!std::exchange(tells_return_, false)) return;
  spdlog::info("testimony {}: reading {} of {} indexes, ring of {:.4g} MiB each", path_,
               geometry_.fanout_size, geometry_.fanout_size, mebibytes(geometry_));
}

void TestimonyService::note_lost(uint32_t index, const testimony::Error& error,
                                 Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (index < connected_.size()) connected_[index] = false;
  if (!std::exchange(is_serving_, false)) return;
  begin_outage(now);
  if (!loss_limiter_.allow(now)) return;
  tells_return_ = true;
  spdlog::warn("testimony {}: {}; connecting again", path_, error.message);
}

void TestimonyService::note_absent(const testimony::Error& error, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (may_log(error, now)) spdlog::warn("testimony {}: {}; waiting for it", path_, error.message);
}

void TestimonyService::note_not_connected(uint32_t index, const testimony::Error& error,
                                          Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (any_connected()) begin_outage(now);
  if (!may_log(error, now)) return;
  spdlog::warn("testimony {}: index {}: {}; trying again", path_, index, error.message);
}

bool TestimonyService::all_connected() const {
  return !connected_.empty() && std::ranges::all_of(connected_, std::identity{});
}

bool TestimonyService::any_connected() const {
  return std::ranges::any_of(connected_, std::identity{});
}

// Of each kind of failure a line a minute, whichever index met it.
bool TestimonyService::may_log(const testimony::Error& error, Clock::time_point now) {
  return failure_limiters_[static_cast<size_t>(error.failure)].allow(now).has_value();
}

void TestimonyService::begin_outage(Clock::time_point now) {
  if (outage_counted_) return;
  outage_counted_ = now;
  ++outages_;
}

void TestimonyService::end_outage(Clock::time_point now) {
  count_outage(now);
  outage_counted_.reset();
}

void TestimonyService::count_outage(Clock::time_point now) {
  if (!outage_counted_) return;
  outage_ += now - *outage_counted_;
  outage_counted_ = now;
}

SourceCounts TestimonyService::take_outages(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  count_outage(now);
  const auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(outage_);
  outage_ -= whole;
  return {.outages = std::exchange(outages_, 0), .outage_ms = static_cast<uint64_t>(whole.count())};
}

void TestimonyService::watch_silence(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (!is_serving_) return;
  const Clock::time_point last{Clock::duration(last_block_.load(std::memory_order_relaxed))};
  if (now - last < kSilence) {
    if (silence_told_) spdlog::info("testimony {}: blocks come again", path_);
    silence_told_.reset();
  } else if (!silence_told_ || now - *silence_told_ >= kSilenceInterval) {
    silence_told_ = now;
    spdlog::info("testimony {}: no block for {} s (an idle link, or its interface is gone)", path_,
                 std::chrono::duration_cast<std::chrono::seconds>(now - last).count());
  }
}

}  // namespace clerk
