#include "clerk/live_pipeline.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/cpu_list.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How far hand-over and tick come behind the second.
constexpr milliseconds kDelay = PacketSource::kBlockDelayMax + milliseconds(20);

// A meter looks at the clock at least this often; the kernel never hands over an empty block.
constexpr milliseconds kPatience{100};

// How long the ledger sleeps before it looks for deltas again: behind a merge, and else. A meter
// that meets nothing but new flows fills a delta in some ten milliseconds and has more than one.
constexpr milliseconds kPollSoon{1};
constexpr milliseconds kPoll{5};

// How long the ledger waits for a meter that does not hand over: many times what one needs.
constexpr milliseconds kMetersPatience{500};

// Behind a stop, for a clock that was set back just then.
constexpr milliseconds kDrainMax{10'000};

constexpr uint64_t to_ns(milliseconds duration) {
  return static_cast<uint64_t>(std::chrono::nanoseconds(duration).count());
}

// Lets the capture threads end also when the ledger throws.
class StopAtExit {
 public:
  explicit StopAtExit(StopRequest& stop) : stop_(stop) {}
  StopAtExit(const StopAtExit&) = delete;
  StopAtExit& operator=(const StopAtExit&) = delete;
  ~StopAtExit() { stop_.request(); }

 private:
  StopRequest& stop_;
};

// More threads help only where there are CPUs for them, beside that of the ledger's own.
std::string way_out_of_lateness(uint32_t ledger_threads) {
  const uint32_t more = std::min(2 * ledger_threads, Ledger::kThreadsMax);
  if (more > ledger_threads && more < std::thread::hardware_concurrency())
    return fmt::format("--ledger_threads {} divides its work", more);
  return "more --ledger_threads would not help on this machine; --filter leaves less to do";
}

}  // namespace

// One capture thread: fills deltas from a source and hands them over.
class LivePipeline::Capture {
 public:
  Capture(LivePipeline& pipeline, Lane& lane)
      : pipeline_(pipeline),
        lane_(lane),
        meter_(pipeline.hash_, pipeline.options_.meter),
        delta_(take_idle()) {
    CHECK(delta_ != nullptr);
  }

  void run() {
    while (!is_over()) {
      const auto block = lane_.source.take_block(patience());
      if (block) {
        count(*block);
        lane_.source.return_block();
      }
      drained_ = !block;
      hand_over_when_due();
    }
    take_source_counts();
    lane_.full.push(
        Handover{.delta = delta_, .second = second_, .last = true, .is_late = is_late_});
  }

 private:
  // When a stop was requested and all that the kernel had taken before it is counted.
  bool is_over() {
    if (!pipeline_.stop_.requested()) return false;
    const auto now = steady_clock::now();
    if (!stopped_at_) {
      stopped_at_ = now;
      stopped_at_ns_ = pipeline_.options_.now_ns();
      newest_ns_ = 0;  // what came before the clock was set back says nothing
    }
    const auto passed = now - *stopped_at_;
    const bool all_counted = newest_ns_ > stopped_at_ns_ + to_ns(kDelay);
    return all_counted || (drained_ && passed > kDelay) || passed > kDrainMax;
  }

  // No longer than to the next hand-over.
  [[nodiscard]] milliseconds patience() const {
    const uint64_t into_second_ns = pipeline_.delayed_now_ns() % kNanosecondsPerSecond;
    const auto left = milliseconds((kNanosecondsPerSecond - into_second_ns) / 1'000'000 + 1);
    return std::min(left, kPatience);
  }

  void count(const Block& block) {
    BlockReader reader(block);
    meter_.set_mtu(pipeline_.options_.mtu.value_or(block.mtu));
    for (auto packets = reader.next(batch_); !packets.empty(); packets = reader.next(batch_)) {
      if (delta_->room() < Meter::kBatch) hand_over();
      newest_ns_ = packets.back().time_ns;
      meter_.count(lane_.filter ? filtered(packets) : packets, *delta_);
    }
    delta_->counts.received += reader.packets_left();
    delta_->counts.ignored[std::to_underlying(Stop::Malformed)] += reader.packets_left();
  }

  // Those that pass, at the front of the batch.
  std::span<const Packet> filtered(std::span<const Packet> packets) {
    size_t passed = 0;
    for (const Packet& packet : packets) {
      if (lane_.filter->passes(packet)) batch_[passed++] = packet;
    }
    delta_->counts.filtered += packets.size() - passed;
    if (lane_.filter->has_met_senseless()) warn_of_filter();
    return std::span(batch_).first(passed);
  }

  // Once, whichever lane it is.
  void warn_of_filter() {
    if (pipeline_.warned_of_filter_.test_and_set(std::memory_order_relaxed)) return;
    spdlog::warn("--filter: makes no sense on the link type of some packets; they do not pass");
  }

  void hand_over_when_due() {
    const uint32_t second = whole_seconds(pipeline_.delayed_now_ns());
    if (second == second_) return;
    take_source_counts();
    const uint32_t before = std::exchange(second_, second);
    if (!hand_over()) second_ = before;  // tried again behind the next block
  }

  // False when there is no empty delta to go on with.
  bool hand_over() {
    Delta* const next = take_idle();
    if (next == nullptr) {
      is_late_ = true;
      return false;
    }
    lane_.full.push(
        Handover{.delta = delta_, .second = second_, .is_late = std::exchange(is_late_, false)});
    delta_ = next;
    return true;
  }

  // The one that was used last, so that no more memory is touched than is needed; or none.
  Delta* take_idle() {
    for (Delta* delta = nullptr; lane_.empty.try_pop(delta);)
      idle_.push_back(delta);
    if (idle_.empty()) return nullptr;
    Delta* const newest = idle_.back();
    idle_.pop_back();
    return newest;
  }

  void take_source_counts() { delta_->counts.source += lane_.source.take_counts(); }

  LivePipeline& pipeline_;
  Lane& lane_;
  Meter meter_;
  std::vector<Delta*> idle_;  // has its room once the first is taken
  Delta* delta_;
  uint32_t second_ = 0;   // of the last hand-over that was due
  bool is_late_ = false;  // with the next one
  std::array<Packet, Meter::kBatch> batch_;
  uint64_t newest_ns_ = 0;
  bool drained_ = false;
  std::optional<steady_clock::time_point> stopped_at_;
  uint64_t stopped_at_ns_ = 0;
};

LivePipeline::Lane::Lane(LiveSource live_source, const MeterOptions& meter)
    : source(*live_source.source), filter(std::move(live_source.filter)) {
  for (auto& delta : deltas) {
    delta = std::make_unique<Delta>(live_delta(meter));
    empty.push(delta.get());
  }
}

LivePipeline::LivePipeline(std::vector<LiveSource> sources, Ledger& ledger, const KeyedHash& hash,
                           StopRequest& stop, LivePipelineOptions options)
    : ledger_(ledger),
      hash_(hash),
      stop_(stop),
      options_(std::move(options)),
      clock_(options_.idle_timeout_ns) {
  for (LiveSource& source : sources)
    lanes_.push_back(std::make_unique<Lane>(std::move(source), options_.meter));
}

size_t LivePipeline::octets(size_t sources, const MeterOptions& meter) {
  return sources * Lane::kDeltas * live_delta(meter).octets();
}

void LivePipeline::run() {
  clock_.start(delayed_now_ns());
  std::vector<std::jthread> captures;
  captures.reserve(lanes_.size());
  const StopAtExit stop_at_exit(stop_);  // also when a thread cannot be started
  for (size_t i = 0; i < lanes_.size(); ++i) {
    captures.emplace_back([this, i] {
      pin(i);
      Capture(*this, *lanes_[i]).run();
    });
  }
  while (!all_ended()) {
    const bool merged = merge_all();
    advance_clock();
    options_.between_merges();
    std::this_thread::sleep_for(merged ? kPollSoon : kPoll);
  }
  ledger_.release_all();
}

void LivePipeline::pin(size_t lane) const {
  if (options_.cpus.empty()) return;
  const auto pinned = pin_thread_to(options_.cpus[lane % options_.cpus.size()]);
  if (!pinned) spdlog::warn("{}", pinned.error().message);
}

// Whether there was anything.
bool LivePipeline::merge_all() {
  bool merged = false;
  Handover handover;
  for (const auto& lane : lanes_) {
    for (size_t i = 0; i < Lane::kDeltas && lane->full.try_pop(handover); ++i) {
      merge(*lane, handover);
      merged = true;
    }
  }
  return merged;
}

void LivePipeline::merge(Lane& lane, const Handover& handover) {
  handover.delta->second = clock_.second();
  if (handover.is_late) note_late(*handover.delta);
  ledger_.merge(*handover.delta);
  handover.delta->clear();
  lane.empty.push(handover.delta);
  lane.second = handover.second;
  lane.ended = handover.last;
}

void LivePipeline::note_late(const Delta& delta) {
  packets_ignored_ += delta.counts.ignored[std::to_underlying(Stop::LackOfResources)];
  if (!lateness_.allow(steady_clock::now())) return;
  spdlog::warn(
      "the ledger does not keep up: a meter had no empty table to go on with, and {} packets of "
      "new flows were ignored for lack of resources; {}",
      std::exchange(packets_ignored_, 0), way_out_of_lateness(ledger_.threads()));
}

void LivePipeline::advance_clock() {
  const uint64_t now_ns = delayed_now_ns();
  const auto step = clock_.step_to(now_ns);
  if (step != TickClock::Step::None && !all_reached(whole_seconds(now_ns))) {
    const auto now = steady_clock::now();
    if (!waiting_since_) waiting_since_ = now;
    if (now - *waiting_since_ < kMetersPatience) return;
  }
  waiting_since_.reset();
  clock_.move_to(now_ns, step);
  switch (step) {
    case TickClock::Step::None: return;
    case TickClock::Step::Jump: ledger_.note_clock_jump(); [[fallthrough]];
    case TickClock::Step::Forward: return ledger_.advance_to(clock_.second());
    case TickClock::Step::Restart: return ledger_.restart();
  }
}

// A meter may have read the clock a moment after the ledger did. One that stands further ahead has
// yet to learn that the clock was set back.
bool LivePipeline::all_reached(uint32_t second) const {
  return std::ranges::all_of(lanes_, [second](const auto& lane) {
    return lane->ended || lane->second == second || lane->second == second + 1;
  });
}

bool LivePipeline::all_ended() const {
  return std::ranges::all_of(lanes_, [](const auto& lane) { return lane->ended; });
}

uint64_t LivePipeline::delayed_now_ns() const { return options_.now_ns() - to_ns(kDelay); }

}  // namespace clerk
