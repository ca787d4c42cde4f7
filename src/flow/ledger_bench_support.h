// For the benchmarks of the ledger: deltas of made-up flows, without packets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "base/time.h"
#include "flow/delta.h"
#include "flow/ledger.h"

namespace clerk {

// Flows held where the cost depends on how many: as many as --flows_max is by default. Builds that
// check the sums of all that is held at each tick hold fewer.
inline constexpr uint32_t kManyFlows = kDebugChecks ? 1U << 16 : 1U << 22;

inline constexpr uint32_t kBenchStart = 1'700'000'000;

// The flow of this number; neighbours have nothing in common but their ports.
inline Ipv4Key bench_key(uint32_t number) {
  constexpr uint32_t kOdd = 0x9e3779b1;  // each number has its own product, modulo 2^32
  const uint32_t mixed = number * kOdd;
  Ipv4Key key{};
  std::memcpy(key.source.data(), &mixed, sizeof mixed);
  key.destination = {10, 0, 0, 1};
  key.tail = {.source_port = 1234, .destination_port = 443, .protocol = 6, .dscp = 0};
  return key;
}

// One packet of each of `count` flows, the first of which has this number, one after the other by
// `stride`, modulo `flows`.
inline void fill(Delta& delta, const KeyedHash& hash, uint32_t second, uint32_t first,
                 uint32_t count, uint32_t stride = 1, uint32_t flows = UINT32_MAX) {
  delta.clear();
  delta.second = second;
  for (uint32_t i = 0; i < count; ++i) {
    const Ipv4Key key = bench_key(static_cast<uint32_t>((first + uint64_t{i} * stride) % flows));
    const uint64_t hashed = hash(key);
    const uint64_t time_ns = second * kNanosecondsPerSecond + i;
    *delta.ipv4.find_or_insert(key, hashed).entry = {.key = key,
                                                     .octets = 100,
                                                     .first_ns = time_ns,
                                                     .last_ns = time_ns,
                                                     .hash = hashed,
                                                     .packets = 1,
                                                     .ordinal = i};
  }
  delta.counts.received = count;
  delta.counts.metered = count;
  delta.counts.octets_metered = uint64_t{count} * 100;
}

// How many entries a delta has.
inline constexpr uint32_t kBenchEntries = file_delta().ipv4;

// A ledger of made-up flows whose records nobody gets.
class BenchLedger {
 public:
  explicit BenchLedger(uint32_t flows_max, uint32_t threads = 1, uint32_t idle_seconds = 30,
                       uint32_t active_seconds = 60)
      : ledger_({.flows_max = flows_max,
                 .timeouts = {.idle_ns = idle_seconds * kNanosecondsPerSecond,
                              .active_ns = active_seconds * kNanosecondsPerSecond},
                 .threads = threads},
                hash_, {.records = [](auto, uint32_t) {}, .tick = [](uint32_t) {}}) {}

  // A packet of each of these flows.
  void merge(uint32_t second, uint32_t first, uint32_t count) {
    for (uint32_t end = first + count; first < end; first += kBenchEntries) {
      fill(delta_, hash_, second, first, std::min(end - first, kBenchEntries));
      ledger_.merge(delta_);
    }
  }

  Ledger& ledger() { return ledger_; }
  [[nodiscard]] const KeyedHash& hash() const { return hash_; }

 private:
  KeyedHash hash_;
  Delta delta_{file_delta()};
  Ledger ledger_;
};

}  // namespace clerk
