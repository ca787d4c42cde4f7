// What a search costs in a table of the size that all routed prefixes need: 500,000 ranges of IPv4
// and 150,000 of IPv6, crowded as the Internet's are.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "flow/asn_table.h"

namespace clerk {
namespace {

constexpr size_t kIpv4Ranges = 500'000;
constexpr size_t kIpv6Ranges = 150'000;
constexpr size_t kProbes = size_t{1} << 20;

uint64_t bits(std::mt19937_64& random) { return random(); }

// Three of four ranges are /24s of 1.0.0.0 to 223.255.255.255, the others larger.
AddressNumber random_ipv4(std::mt19937_64& random) {
  return (0x01000000 + bits(random) % 0xdf000000) & UINT32_MAX;
}

// /48s of a few hundred /29s below 2400:, 2600:, 2800: and 2a00:, as the registries give them out.
AddressNumber random_ipv6(std::mt19937_64& random) {
  const uint64_t registry = 0x2400 + 0x200 * (bits(random) % 4);
  const uint64_t high = registry << 48 | bits(random) % 300 << 35 | bits(random) % (1ULL << 35);
  return AddressNumber{high} << 64 | bits(random);
}

using RandomNumber = AddressNumber (*)(std::mt19937_64&);

// Disjoint ranges of whole prefixes, sorted; every fifth address space between two is left free.
void add_ranges(IpVersion version, RandomNumber random_number, int host_bits, size_t count,
                std::vector<AsnRange>& ranges) {
  std::mt19937_64 random(count);
  std::vector<AddressNumber> starts;
  while (starts.size() < count) {
    while (starts.size() < count + count / 16)
      starts.push_back(random_number(random) & ~low_bits(host_bits));
    std::ranges::sort(starts);
    starts.erase(std::ranges::unique(starts).begin(), starts.end());
  }
  starts.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const AddressNumber full = i + 1 < count ? starts[i + 1] - 1 : starts[i] | low_bits(host_bits);
    const AddressNumber last = i % 5 == 0 ? starts[i] | low_bits(host_bits) : full;
    ranges.push_back({.first = address_from(version, starts[i]),
                      .last = address_from(version, last),
                      .asn = static_cast<uint32_t>(1 + bits(random) % 400'000)});
  }
}

const AsnTable& full_table() {
  static const AsnTable kTable = [] {
    std::vector<AsnRange> ranges;
    add_ranges(IpVersion::V4, random_ipv4, 8, kIpv4Ranges, ranges);
    add_ranges(IpVersion::V6, random_ipv6, 80, kIpv6Ranges, ranges);
    return AsnTable(std::move(ranges));
  }();
  return kTable;
}

void find_random(benchmark::State& state, IpVersion version, RandomNumber random_number) {
  const AsnTable& table = full_table();
  std::mt19937_64 random(7);
  std::vector<IpAddress> probes(kProbes);
  for (IpAddress& probe : probes)
    probe = address_from(version, random_number(random));
  size_t at = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(table.find(probes[at++ % kProbes]));
  state.counters["MiB"] = static_cast<double>(table.octets()) / (1 << 20);
}

void find_ipv4(benchmark::State& state) { find_random(state, IpVersion::V4, random_ipv4); }
void find_ipv6(benchmark::State& state) { find_random(state, IpVersion::V6, random_ipv6); }

BENCHMARK(find_ipv4);
BENCHMARK(find_ipv6);

}  // namespace
}  // namespace clerk
