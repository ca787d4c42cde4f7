// The pause of a packet thread when it hands a full delta to the ledger and takes an empty one,
// while the ledger, on its own thread, holds millions of flows and is busy with the deltas before.
// The two share what live_pipeline.h has them share: a queue in each direction. Its deltas are
// larger; how many entries one has makes no difference to the pause.
//
// Told are the median, what 99 of 100 stay below, and the longest pause, in microseconds. The
// longest is given again without those pauses in which the kernel let another program run instead.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "base/spsc_queue.h"
#include "flow/ledger_bench_support.h"

namespace clerk {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kDeltas = 4;

struct Lane {
  std::array<std::unique_ptr<Delta>, kDeltas> deltas;
  SpscQueue<Delta*, kDeltas> empty;
  SpscQueue<Delta*, 2 * kDeltas> full;
};

// Looks for deltas as the live pipeline does, until it is given none.
void run_ledger(BenchLedger& bench, Lane& lane) {
  for (uint32_t second = kBenchStart;;) {
    Delta* delta = nullptr;
    if (!lane.full.try_pop(delta)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    if (delta == nullptr) return;
    delta->second = second;
    bench.ledger().merge(*delta);
    delta->clear();
    lane.empty.push(delta);
    bench.ledger().advance_to(++second);
  }
}

int64_t times_preempted() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nivcsw;
}

struct Pauses {
  std::vector<double> all;
  double longest_undisturbed = 0;

  void add(double microseconds, bool disturbed) {
    all.push_back(microseconds);
    if (!disturbed) longest_undisturbed = std::max(longest_undisturbed, microseconds);
  }

  void tell(benchmark::State& state) {
    std::ranges::sort(all);
    state.counters["p50_us"] = all[all.size() / 2];
    state.counters["p99_us"] = all[all.size() * 99 / 100];
    state.counters["max_us"] = all.back();
    state.counters["max_undisturbed_us"] = longest_undisturbed;
  }
};

// What the packet thread does between two deltas; false when there is no empty one.
bool hand_over(Lane& lane, Delta*& delta) {
  Delta* next = nullptr;
  if (!lane.empty.try_pop(next)) return false;
  lane.full.push(std::exchange(delta, next));
  return true;
}

// Tries until there is an empty delta; only that time counts.
double timed_hand_over(Lane& lane, Delta*& delta, Pauses& pauses) {
  for (;;) {
    const int64_t preempted = times_preempted();
    const auto start = Clock::now();
    const bool done = hand_over(lane, delta);
    const std::chrono::duration<double> pause = Clock::now() - start;
    if (done) {
      pauses.add(pause.count() * 1e6, times_preempted() != preempted);
      return pause.count();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void hand_over_while_the_ledger_merges(benchmark::State& state) {
  constexpr uint32_t kDay = 86400;
  BenchLedger bench(kManyFlows, 1, kDay, kDay);
  bench.merge(kBenchStart, 0, kManyFlows);
  Lane lane;
  for (auto& delta : lane.deltas)
    lane.empty.push((delta = std::make_unique<Delta>(file_delta())).get());
  Pauses pauses;
  {
    const std::jthread ledger([&] { run_ledger(bench, lane); });
    Delta* delta = lane.empty.pop();
    uint32_t first = 0;
    for (auto _ : state) {
      fill(*delta, bench.hash(), kBenchStart, first, kBenchEntries);
      first = (first + kBenchEntries) % kManyFlows;
      state.SetIterationTime(timed_hand_over(lane, delta, pauses));
    }
    lane.full.push(nullptr);
  }
  pauses.tell(state);
}

BENCHMARK(hand_over_while_the_ledger_merges)
    ->UseManualTime()
    ->Iterations(kDebugChecks ? 100 : 5000);

}  // namespace
}  // namespace clerk
