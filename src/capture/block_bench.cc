// How long it takes to walk a block, a packet: the price of looking at every offset before it is
// followed.
#include <benchmark/benchmark.h>

#include <array>
#include <vector>

#include "capture/block.h"
#include "testing/block_builder.h"

namespace clerk {
namespace {

// A block of 64-octet frames, as many as a mebibyte holds.
std::vector<uint8_t> block_of_short_frames() {
  constexpr size_t kPackets = 6000;
  BlockBuilder block;
  for (size_t i = 0; i < kPackets; ++i)
    block.packet({.octets = std::vector<uint8_t>(64)});
  return block.build();
}

void walk_block(benchmark::State& state) {
  const std::vector<uint8_t> octets = block_of_short_frames();
  std::array<Packet, 32> batch;
  int64_t packets = 0;
  for (auto _ : state) {
    BlockReader reader({.octets = octets, .link = RingLink::Ethernet});
    for (auto read = reader.next(batch); !read.empty(); read = reader.next(batch)) {
      benchmark::DoNotOptimize(read.data());
      packets += static_cast<int64_t>(read.size());
    }
  }
  state.SetItemsProcessed(packets);
}
BENCHMARK(walk_block);

}  // namespace
}  // namespace clerk
