// What a record costs to encode: from the ledger's batches to complete messages that nobody sends.
#include <benchmark/benchmark.h>

#include <random>
#include <span>
#include <vector>

#include "ipfix/ipfix_test_support.h"
#include "ipfix/session.h"

namespace clerk::ipfix {
namespace {

// What a live tick may release: more than the caches close to the processor hold.
constexpr size_t kRecords = size_t{1} << 18;
constexpr size_t kBatch = 256;

// Of these, one in `ipv6_of` is IPv6; 0 is none.
std::vector<FlowRecord> records(uint64_t ipv6_of) {
  RandomRecords random;
  std::mt19937_64 choice(1);
  std::vector<FlowRecord> records;
  records.reserve(kRecords);
  while (records.size() < kRecords) {
    const bool ipv6 = ipv6_of != 0 && choice() % ipv6_of == 0;
    records.push_back(random.next(ipv6 ? IpVersion::V6 : IpVersion::V4));
  }
  return records;
}

void encode(benchmark::State& state, TimeUnit unit) {
  const auto all = records(static_cast<uint64_t>(state.range(0)));
  uint64_t sent = 0;
  Session session({.time_unit = unit, .repeat_templates = true}, [&](const MessageRun& run) {
    benchmark::DoNotOptimize(run.octets.data());
    sent += run.records;
  });
  size_t at = 0;
  for ([[maybe_unused]] const auto iteration : state) {
    session.add(std::span(all).subspan(at, kBatch), 1000);
    at = (at + kBatch) % kRecords;
  }
  benchmark::DoNotOptimize(sent);
  state.counters["ns_per_record"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kBatch * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(encode, ns, TimeUnit::Nanoseconds)->ArgName("ipv6_of")->Arg(0)->Arg(5)->Arg(1);
BENCHMARK_CAPTURE(encode, ms, TimeUnit::Milliseconds)->ArgName("ipv6_of")->Arg(5);

}  // namespace
}  // namespace clerk::ipfix
