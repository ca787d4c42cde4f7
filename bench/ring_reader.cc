// ring_reader: reads the packets of an interface from a TPACKET_V3 ring and does next to nothing
// with them, for clerk's live capture to be measured against:
//
//   count     counts them
//   prefetch  adds them to a table (bare_table.h), in batches, as the roofline does
//
//   ring_reader --interface veth0 --mode prefetch --flows 262144
//
// It says "reading" when no packet is missed any more, and ends at SIGINT or SIGTERM: then it reads
// what is still in the ring and prints one line of JSON: packets read, packets for which the ring
// had no room, octets of IP and flows where a table knows them, user and system time a packet, the
// ring's set-up included.
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "bare_table.h"
#include "cpu_time.h"
#include "packet_ring.h"

namespace clerk::bench {
namespace {

struct Options {
  std::string interface;
  std::string mode = "prefetch";
  std::uint64_t flows = 1U << 18;
  std::uint32_t ring_mib = 64;
};

struct Counts {
  std::uint64_t packets = 0;
  std::optional<BareTotals> in_table;
  std::optional<std::uint64_t> flows;
};

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "ring_reader: {}\n", what);
  std::exit(1);
}

int open_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC);
  if (fd < 0) fail("signalfd");
  return fd;
}

class PacketCounter {
 public:
  void add(const tpacket3_hdr& /*packet*/) { ++counts_.packets; }
  Counts take() { return counts_; }

 private:
  Counts counts_;
};

class TableFiller {
 public:
  explicit TableFiller(std::uint64_t flows) : table_(flows) {}

  void add(const tpacket3_hdr& header) {
    BarePacket& packet = batch_.next();
    const auto* const frame = reinterpret_cast<const std::uint8_t*>(&header) + header.tp_mac;
    if (!parse_headers(frame, header.tp_snaplen, packet.headers)) [[unlikely]]
      fail("a packet that is none of the benchmark's");
    packet.time_ns = header.tp_sec * std::uint64_t{1'000'000'000} + header.tp_nsec;
    ++packets_;
    batch_.keep();
  }

  Counts take() {
    batch_.flush();
    return {.packets = packets_, .in_table = table_.totals(), .flows = table_.flows()};
  }

 private:
  std::uint64_t packets_ = 0;
  BareTable table_;
  BareBatch batch_{table_};
};

template <typename Sink>
void read_block(const tpacket_hdr_v1& block, Sink& sink) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(&block) -
                   offsetof(tpacket_block_desc, hdr) + block.offset_to_first_pkt;
  for (std::uint32_t i = 0; i < block.num_pkts; ++i) {
    const auto& packet = *reinterpret_cast<const tpacket3_hdr*>(at);
    sink.add(packet);
    at += packet.tp_next_offset;
  }
}

template <typename Sink>
void read_ready_blocks(PacketRing& ring, Sink& sink) {
  while (const tpacket_hdr_v1* block = ring.ready_block()) {
    read_block(*block, sink);
    ring.return_block();
  }
}

// What was received before the signal is handed over within two of the kernel's intervals.
template <typename Sink>
void read_the_rest(PacketRing& ring, Sink& sink) {
  constexpr int kTurns = 4;
  for (int turn = 0; turn < kTurns; ++turn) {
    usleep(PacketRing::kRetireMs * 1000);
    read_ready_blocks(ring, sink);
  }
}

template <typename Sink>
void read_until_stopped(PacketRing& ring, Sink& sink, int stop_fd) {
  std::array<pollfd, 2> fds = {{{.fd = ring.fd(), .events = POLLIN, .revents = 0},
                                {.fd = stop_fd, .events = POLLIN, .revents = 0}}};
  while ((fds[1].revents & POLLIN) == 0) {
    if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) fail("poll");
    read_ready_blocks(ring, sink);
  }
  read_the_rest(ring, sink);
}

void print_report(const Counts& counts, const RingCounts& ring, std::uint64_t cpu_ns) {
  if (ring.packets - ring.drops != counts.packets)
    fail(fmt::format("the kernel counted {} packets and {} drops, and {} were read", ring.packets,
                     ring.drops, counts.packets));
  if (counts.in_table && counts.in_table->packets != counts.packets)
    fail("the table's packets are not those that were read");
  const double ns_per_packet =
      static_cast<double>(cpu_ns) / static_cast<double>(counts.packets != 0 ? counts.packets : 1);
  fmt::print("{{\"packets\":{},\"drops\":{},\"octets\":{},\"flows\":{},", counts.packets,
             ring.drops, counts.in_table ? fmt::to_string(counts.in_table->octets) : "null",
             counts.flows ? fmt::to_string(*counts.flows) : "null");
  fmt::print("\"cpu_ns\":{},\"cpu_ns_per_packet\":{:.2f}}}\n", cpu_ns, ns_per_packet);
}

template <typename Sink>
int run(const Options& options, Sink& sink) {
  const int stop_fd = open_stop_signals();
  PacketRing ring(options.interface, options.ring_mib);
  fmt::print("reading\n");
  std::fflush(stdout);
  read_until_stopped(ring, sink, stop_fd);
  const std::uint64_t cpu_ns = cpu_time_ns();
  print_report(sink.take(), ring.counts(), cpu_ns);
  return 0;
}

int run_mode(const Options& options) {
  if (options.mode == "count") {
    PacketCounter counter;
    return run(options, counter);
  }
  TableFiller filler(options.flows);
  return run(options, filler);
}

void add_flags(CLI::App& app, Options& options) {
  app.add_option("--interface", options.interface, "whose packets to read")->required();
  app.add_option("--mode", options.mode, "count or prefetch")
      ->capture_default_str()
      ->check(CLI::IsMember({"count", "prefetch"}));
  app.add_option("--flows", options.flows, "flows the table is made for")
      ->capture_default_str()
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 31));
  app.add_option("--ring_mib", options.ring_mib, "size of the ring in MiB")
      ->capture_default_str()
      ->check(CLI::Range(2, 1024));
}

}  // namespace
}  // namespace clerk::bench

int main(int argc, char** argv) {
  clerk::bench::Options options;
  CLI::App app("Reads an interface's packets as cheaply as can be.");
  clerk::bench::add_flags(app, options);
  CLI11_PARSE(app, argc, argv);
  try {
    return clerk::bench::run_mode(options);
  } catch (const std::exception& error) {
    clerk::bench::fail(error.what());
  }
}
