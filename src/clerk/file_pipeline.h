// The threads of a run that reads files: meters that take slices of them, and the ledger that
// merges what they counted in the order of the file.
//
//   source ──slice──> meter 0 ──deltas──┐
//          ──slice──> meter 1 ──deltas──┼──> ledger (the caller's thread)
//          ...                          ┘
//
// A meter that is free reads the next slice, alone, and counts it while others read on. Slices are
// cut by the file alone, and the ledger takes them in the order in which they were read; so the
// same file gives the same deltas in the same order at any number of threads. Nothing is dropped: a
// meter waits until the ledger gives a delta back.
#pragma once

#include <array>
#include <bit>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/spsc_queue.h"
#include "capture/file_source.h"
#include "flow/ledger.h"
#include "flow/meter.h"

namespace clerk {

// What the end of a slice (slice.h) does to the ledger, once the slice's packets are merged.
void end_slice(Ledger& ledger, SliceEnd end, uint32_t next_second, bool clock_jumped);

class FilePipeline {
 public:
  static constexpr uint32_t kThreadsMax = 64;

  // All references outlive the pipeline. The hash must be the ledger's.
  FilePipeline(FileSource& source, Ledger& ledger, const KeyedHash& hash, uint32_t threads,
               const MeterOptions& meter = {});

  // Reads everything and releases every record. Returns when all threads have ended.
  void run();

  // What the pipeline of this many threads may occupy.
  static size_t octets(uint32_t threads, const MeterOptions& meter);

 private:
  // One delta on its way to the ledger; `last_of_slice` tells that the slice's end, described by
  // the rest, is behind it.
  struct Handover {
    Delta* delta = nullptr;
    bool last_of_slice = false;
    SliceEnd end = SliceEnd::Full;
    uint32_t next_second = 0;
    bool clock_jumped = false;
  };

  // A meter and its deltas: one that it fills, one under way and one that the ledger reads.
  struct Lane {
    static constexpr size_t kDeltas = 3;
    static constexpr size_t kQueueCapacity = 4;

    std::array<std::unique_ptr<Delta>, kDeltas> deltas;
    SpscQueue<Delta*, kQueueCapacity> empty;  // nullptr: the ledger is gone
    SpscQueue<Handover, kQueueCapacity> full;
  };

  std::vector<std::jthread> start_meters();
  void run_meter(uint32_t lane_number, Lane& lane);
  bool take_slice(uint32_t lane_number, Slice& slice);
  bool count_slice(const Slice& slice, Meter& meter, Lane& lane, Delta*& delta);
  void merge_slices();
  void dismiss_meters();
  Handover merge_slice(Lane& lane);

  FileSource& source_;
  Ledger& ledger_;
  const KeyedHash& hash_;
  MeterOptions meter_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::mutex reading_;  // guards source_ and the end of slice_lanes_ that meters push to
  // Which lane has each slice, in the order of the file. A slice needs a delta, so there are no
  // more of them.
  static constexpr size_t kSlicesMax = std::bit_ceil(kThreadsMax * Lane::kDeltas);
  SpscQueue<uint32_t, kSlicesMax> slice_lanes_;
};

}  // namespace clerk
