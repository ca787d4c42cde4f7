#include "clerk/file_pipeline.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <span>
#include <system_error>

#include "base/check.h"
#include "capture/read_ahead.h"

namespace clerk {

void end_slice(Ledger& ledger, SliceEnd end, uint32_t next_second, bool clock_jumped) {
  if (clock_jumped) ledger.note_clock_jump();
  switch (end) {
    case SliceEnd::Full: return;
    case SliceEnd::Tick: return ledger.advance_to(next_second);
    case SliceEnd::Restart: return ledger.restart();
    case SliceEnd::Input: return ledger.release_all();
  }
}

FilePipeline::FilePipeline(FileSource& source, Ledger& ledger, const KeyedHash& hash,
                           uint32_t threads, const MeterOptions& meter)
    : source_(source), ledger_(ledger), hash_(hash), meter_(meter) {
  CHECK(threads <= kThreadsMax);
  for (uint32_t i = 0; i < threads; ++i) {
    Lane& lane = *lanes_.emplace_back(std::make_unique<Lane>());
    for (auto& delta : lane.deltas) {
      delta = std::make_unique<Delta>(file_delta(meter));
      lane.empty.push(delta.get());
    }
  }
}

size_t FilePipeline::octets(uint32_t threads, const MeterOptions& meter) {
  constexpr size_t kSlice = Slice::kPacketsMax * sizeof(Packet) + Slice::kChunksMax * kChunkOctets;
  constexpr size_t kReader = 2 * kChunkOctets + ReadAhead::kOctets;
  return threads * (Lane::kDeltas * file_delta(meter).octets() + kSlice) + kReader;
}

void FilePipeline::run() {
  const std::vector<std::jthread> meters = start_meters();
  try {
    merge_slices();
  } catch (...) {
    dismiss_meters();
    throw;
  }
}

// The output is the same with fewer of them.
std::vector<std::jthread> FilePipeline::start_meters() {
  std::vector<std::jthread> meters;
  meters.reserve(lanes_.size());
  try {
    for (uint32_t i = 0; i < lanes_.size(); ++i)
      meters.emplace_back([this, i, &lane = *lanes_[i]] { run_meter(i, lane); });
  } catch (const std::system_error& error) {
    if (meters.empty()) throw;
    spdlog::warn("--threads {}: only {} can be started: {}", lanes_.size(), meters.size(),
                 error.code().message());
  }
  return meters;
}

void FilePipeline::run_meter(uint32_t lane_number, Lane& lane) {
  Meter meter(hash_, meter_);
  Slice slice;
  slice.packets.reserve(Slice::kPacketsMax);
  Delta* delta = lane.empty.pop();
  while (delta != nullptr && take_slice(lane_number, slice)) {
    if (!count_slice(slice, meter, lane, delta)) return;
    lane.full.push(Handover{delta, true, slice.end, slice.next_second, slice.clock_jumped});
    if (slice.end == SliceEnd::Input) return;
    slice.chunks.clear();
    delta = lane.empty.pop();
  }
}

// False when nothing is left to read.
bool FilePipeline::take_slice(uint32_t lane_number, Slice& slice) {
  FileMapping::Window ahead;
  {
    const std::lock_guard lock(reading_);
    if (!source_.next_slice(slice)) return false;
    slice_lanes_.push(lane_number);
    ahead = source_.take_ahead();
  }
  ahead.populate();  // here, so that the next reader need not, who keeps out all others
  return true;
}

// Counts into `delta`; hands it over early, and takes another, when it might not have room. False
// when there is none to come.
bool FilePipeline::count_slice(const Slice& slice, Meter& meter, Lane& lane, Delta*& delta) {
  std::span<const Packet> left = slice.packets;
  while (!left.empty()) {
    if (delta->room() < Meter::kBatch) {
      delta->second = slice.second;
      lane.full.push(Handover{.delta = delta});
      delta = lane.empty.pop();
      if (delta == nullptr) return false;
    }
    const uint32_t room = delta->room() - delta->room() % Meter::kBatch;
    const size_t now = std::min<size_t>(left.size(), room);
    meter.count(left.first(now), *delta);
    left = left.subspan(now);
  }
  delta->second = slice.second;
  delta->counts.filtered += slice.packets_filtered;
  return true;
}

void FilePipeline::merge_slices() {
  for (;;) {
    const Handover last = merge_slice(*lanes_[slice_lanes_.pop()]);
    end_slice(ledger_, last.end, last.next_second, last.clock_jumped);
    if (last.end == SliceEnd::Input) return;
  }
}

// They end before their next delta.
void FilePipeline::dismiss_meters() {
  for (const auto& lane : lanes_)
    lane->empty.push(nullptr);
}

// Merges the deltas of a lane up to the end of its slice.
FilePipeline::Handover FilePipeline::merge_slice(Lane& lane) {
  for (;;) {
    const Handover handover = lane.full.pop();
    ledger_.merge(*handover.delta);
    handover.delta->clear();
    lane.empty.push(handover.delta);
    if (handover.last_of_slice) return handover;
  }
}

}  // namespace clerk
