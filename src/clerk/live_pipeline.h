// The threads of a live run: a meter for each source, and the ledger that merges what they counted.
//
//   source 0 ──blocks──> meter 0 ──deltas──┐
//   source 1 ──blocks──> meter 1 ──deltas──┼──> ledger (the caller's thread)
//
// The wall clock ticks. Behind each of its seconds every meter hands its delta over, with or
// without packets; when all have, or patience with one is over, the ledger takes the tick. A meter
// never waits for the ledger: with no empty delta at hand it goes on counting, and once its table
// is full packets of new flows are counted as ignored for lack of resources. The log tells of it.
//
// Hand-over and tick come a little behind the second, so that all packets of a second are counted
// when its tick is taken, also those that lay in a block which the kernel still filled.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/log.h"
#include "base/spsc_queue.h"
#include "base/stop_request.h"
#include "base/tick_clock.h"
#include "capture/ring_filter.h"
#include "capture/source.h"
#include "flow/ledger.h"
#include "flow/meter.h"

namespace clerk {

struct LivePipelineOptions {
  uint64_t idle_timeout_ns = 0;  // a larger step of the wall clock is one of its corrections
  std::vector<uint32_t> cpus;    // for the meters in turn; empty: wherever the kernel likes
  std::optional<uint32_t> mtu;   // of all links; else each block tells that of its own
  MeterOptions meter = {};       // but for the MTU
  // The wall clock, in nanoseconds since 1970. Called by all threads.
  std::function<uint64_t()> now_ns;
  // Called on the ledger's thread between merges, a few hundred times a second.
  std::function<void()> between_merges = [] {};
};

// What a lane reads.
struct LiveSource {
  PacketSource* source = nullptr;
  std::optional<RingFilter> filter = {};  // what the kernel does not do for the source
};

class LivePipeline {
 public:
  // Sources, ledger, hash and stop outlive the pipeline. The hash must be the ledger's.
  LivePipeline(std::vector<LiveSource> sources, Ledger& ledger, const KeyedHash& hash,
               StopRequest& stop, LivePipelineOptions options);

  // Counts until a stop is requested, then what the kernel took before it, and releases every
  // record. Returns, or throws what the ledger or its output threw, when all threads have ended.
  void run();

  // What the pipeline of this many sources may occupy.
  static size_t octets(size_t sources, const MeterOptions& meter);

 private:
  // A delta on its way to the ledger.
  struct Handover {
    Delta* delta = nullptr;
    uint32_t second = 0;   // all packets before this second of the wall clock are in it or behind
    bool last = false;     // the meter has ended
    bool is_late = false;  // the meter went on with it for want of an empty one
  };

  // A source with its meter and deltas. The ledger's thread uses the members below the queues.
  struct Lane {
    static constexpr size_t kDeltas = 3;  // one is filled; a burst may fill the others meanwhile
    static constexpr size_t kQueueCapacity = 4;

    Lane(LiveSource live_source, const MeterOptions& meter);

    PacketSource& source;
    std::optional<RingFilter> filter;
    std::array<std::unique_ptr<Delta>, kDeltas> deltas;
    SpscQueue<Delta*, kQueueCapacity> empty;
    SpscQueue<Handover, kQueueCapacity> full;

    uint32_t second = 0;
    bool ended = false;
  };

  class Capture;

  void pin(size_t lane) const;
  bool merge_all();
  void merge(Lane& lane, const Handover& handover);
  void note_late(const Delta& delta);
  void advance_clock();
  [[nodiscard]] bool all_reached(uint32_t second) const;
  [[nodiscard]] bool all_ended() const;
  [[nodiscard]] uint64_t delayed_now_ns() const;

  Ledger& ledger_;
  const KeyedHash& hash_;
  StopRequest& stop_;
  LivePipelineOptions options_;
  TickClock clock_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::optional<std::chrono::steady_clock::time_point> waiting_since_;  // for the meters
  LogLimiter lateness_;
  uint64_t packets_ignored_ = 0;       // for want of room, and not yet told
  std::atomic_flag warned_of_filter_;  // relaxed: it guards no other data
};

}  // namespace clerk
