// What a record costs the exporting thread: encoded and sent to a collector on this host, which
// reads beside it. CPU time is that of the exporting thread; over the loopback interface it does
// the kernel's receiving half too.
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include "ipfix/ipfix_test_support.h"
#include "sink/sink_test_support.h"
#include "sink/udp_sink.h"

namespace clerk {
namespace {

// What a live tick may release: more than the caches close to the processor hold.
constexpr size_t kRecords = size_t{1} << 18;
constexpr size_t kBatch = 256;

std::vector<FlowRecord> records(uint64_t ipv6_of) {
  ipfix::RandomRecords random;
  std::mt19937_64 choice(1);
  std::vector<FlowRecord> records;
  records.reserve(kRecords);
  while (records.size() < kRecords) {
    const bool ipv6 = ipv6_of != 0 && choice() % ipv6_of == 0;
    records.push_back(random.next(ipv6 ? IpVersion::V6 : IpVersion::V4));
  }
  return records;
}

// Takes what comes and throws it away, as a collector that keeps up.
class Drain {
 public:
  [[nodiscard]] const TestCollector& collector() const { return collector_; }

 private:
  void read(const std::stop_token& stop) const {
    constexpr std::chrono::milliseconds kPatience{20};
    while (!stop.stop_requested()) {
      if (collector_.wait(kPatience)) collector_.discard();
    }
  }

  TestCollector collector_{0, 64 << 20};
  std::jthread thread_{[this](const std::stop_token& stop) { read(stop); }};
};

void send(benchmark::State& state, UdpBatching batching) {
  const auto all = records(static_cast<uint64_t>(state.range(0)));
  const Drain drain;
  const auto sink =
      *UdpSink::create("bench", "127.0.0.1", drain.collector().port_text(), {.batching = batching});
  size_t at = 0;
  for ([[maybe_unused]] const auto iteration : state) {
    sink->add(std::span(all).subspan(at, kBatch), 1000);
    at = (at + kBatch) % kRecords;
  }
  state.counters["ns_per_record"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kBatch * 1e-9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// One record in so many is IPv6; 0 is none.
void each_mix(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("ipv6_of")->Arg(0)->Arg(5)->Arg(1);
}

BENCHMARK_CAPTURE(send, segmentation, UdpBatching::Segmentation)->Apply(each_mix);
BENCHMARK_CAPTURE(send, many_messages, UdpBatching::ManyMessages)->Apply(each_mix);

}  // namespace
}  // namespace clerk
