// What the ledger costs: a tick, whatever is held; an entry of a delta; a record that is released.
//
// Ticks are told by the CPU's time, of which a tick each second makes the share of a core. What
// several threads divide is told by the clock on the wall, and beside it what all CPUs spent.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <ctime>

#include "flow/ledger_bench_support.h"

namespace clerk {
namespace {

constexpr uint32_t kKnownFlows = kManyFlows / 4;

double seconds_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double cpu_seconds() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

// Times what is done with so many of something, each iteration anew, and tells what one takes.
class Timer {
 public:
  explicit Timer(benchmark::State& state) : state_(state) {}

  template <typename Work>
  void time(uint32_t count, Work work) {
    const double cpu_before = cpu_seconds();
    const double before = seconds_of(CLOCK_MONOTONIC);
    work();
    state_.SetIterationTime((seconds_of(CLOCK_MONOTONIC) - before) / count);
    cpu_seconds_ += (cpu_seconds() - cpu_before) / count;
  }

  void tell() {
    state_.counters["cpu_ns"] =
        benchmark::Counter(cpu_seconds_ * 1e9, benchmark::Counter::kAvgIterations);
  }

 private:
  benchmark::State& state_;
  double cpu_seconds_ = 0;
};

// Millions of flows are held, and none is due.
void tick_with_nothing_due(benchmark::State& state) {
  constexpr uint32_t kDay = 86400;
  BenchLedger bench(kManyFlows, 1, kDay, kDay);
  bench.merge(kBenchStart, 0, kManyFlows);
  uint32_t second = kBenchStart;
  for (auto _ : state)
    bench.ledger().advance_to(++second);
  state.counters["flows"] = bench.ledger().flows_held();
}

// Each flow has a packet every 20 seconds, so that each is looked at once an idle timeout and put
// off. Only the ticks are timed: what they take of a second is the share of a core.
void tick_with_flows_that_live_on(benchmark::State& state) {
  constexpr uint32_t kPeriod = 20;
  constexpr uint32_t kShare = kManyFlows / kPeriod;
  constexpr uint32_t kDay = 86400;
  BenchLedger bench(kManyFlows, 1, 30, kDay);
  uint32_t second = kBenchStart;
  const auto live_a_second = [&] {
    bench.merge(second, second % kPeriod * kShare, kShare);
    const double before = cpu_seconds();
    bench.ledger().advance_to(++second);
    return cpu_seconds() - before;
  };
  for (uint32_t i = 0; i < 3 * kPeriod; ++i)
    live_a_second();
  for (auto _ : state)
    state.SetIterationTime(live_a_second());
  state.counters["flows"] = bench.ledger().flows_held();
}

// Entries of flows that are held, in another order than they were opened in.
void merge_known_flows(benchmark::State& state) {
  constexpr uint32_t kStride = 100'003;
  constexpr uint32_t kEntries = std::min(kBenchEntries, kKnownFlows);
  BenchLedger bench(kManyFlows, static_cast<uint32_t>(state.range(0)));
  bench.merge(kBenchStart, 0, kKnownFlows);
  Delta delta(file_delta());
  Timer timer(state);
  uint32_t first = 0;
  for (auto _ : state) {
    fill(delta, bench.hash(), kBenchStart, first, kEntries, kStride, kKnownFlows);
    first = (first + kEntries * uint64_t{kStride}) % kKnownFlows;
    timer.time(kEntries, [&] { bench.ledger().merge(delta); });
  }
  timer.tell();
}

// Of flows that are new to a ledger whose memory is not.
void merge_new_flows(benchmark::State& state) {
  BenchLedger bench(kManyFlows, static_cast<uint32_t>(state.range(0)));
  Delta delta(file_delta());
  Timer timer(state);
  bench.merge(kBenchStart, 0, kManyFlows);
  uint32_t first = kManyFlows;
  for (auto _ : state) {
    if (first == kManyFlows) {
      bench.ledger().release_all();
      first = 0;
    }
    fill(delta, bench.hash(), kBenchStart, first, kBenchEntries);
    first += kBenchEntries;
    timer.time(kBenchEntries, [&] { bench.ledger().merge(delta); });
  }
  timer.tell();
}

void release_records(benchmark::State& state) {
  BenchLedger bench(kManyFlows, static_cast<uint32_t>(state.range(0)));
  Timer timer(state);
  for (auto _ : state) {
    bench.merge(kBenchStart, 0, kKnownFlows);
    timer.time(kKnownFlows, [&] { bench.ledger().release_all(); });
  }
  timer.tell();
}

// Fixed numbers of iterations: the time of one is that of an entry or a record, of which each
// iteration has thousands.
BENCHMARK(tick_with_nothing_due)->Iterations(20'000);
BENCHMARK(tick_with_flows_that_live_on)->UseManualTime()->Iterations(40);
BENCHMARK(merge_known_flows)->UseManualTime()->Iterations(128)->Arg(1)->Arg(2)->Arg(4);
BENCHMARK(merge_new_flows)->UseManualTime()->Iterations(128)->Arg(1)->Arg(2)->Arg(4);
BENCHMARK(release_records)->UseManualTime()->Iterations(4)->Arg(1)->Arg(2)->Arg(4);

}  // namespace
}  // namespace clerk
