// trace: writes the capture files that the benchmarks read, the same bytes for the same flags on
// every machine.
//
//   trace --kind mix --output mix.pcap        trace --kind scan --packets 100000000 | clerk --read
//   -
//
// The file is a little-endian pcap with nanosecond times and Ethernet frames, cut to --snaplen
// octets each:
//
//   file header    a1b23c4d | 2 | 4 | 0 | 0 | snaplen | 1 (Ethernet)          24 octets
//   packet header  seconds | nanoseconds | captured octets | frame octets     16 octets, then the
//   captured octets
//
// The totals that any meter must find in it go to stderr, or to the file of --totals, as one line
// of JSON.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "frame.h"
#include "traffic.h"

namespace clerk::bench {
namespace {

struct Options {
  std::string kind;
  std::uint64_t packets = 5'000'000;
  std::uint64_t flows = 0;  // 0: what the kind asks for
  std::uint64_t seconds = 120;
  std::uint64_t seed = 7011;
  std::uint32_t snaplen = 96;
  std::string output = "-";
  std::string totals;
};

struct Totals {
  std::uint64_t packets = 0;
  std::uint64_t ip_octets = 0;
  std::uint64_t frame_octets = 0;
  std::uint64_t one_way_flows = 0;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "trace: {}\n", what);
  std::exit(1);
}

// Borrows the file. Collects 1 MiB before a write, so that writing costs next to nothing.
class PcapWriter {
 public:
  PcapWriter(std::FILE* file, std::uint32_t snaplen) : file_(file), snaplen_(snaplen) {
    buffer_.reserve(kBufferOctets);
    constexpr std::uint32_t kNanosecondMagic = 0xa1b23c4d;
    constexpr std::uint32_t kVersion = 4U << 16 | 2U;
    constexpr std::uint32_t kEthernet = 1;
    for (const std::uint32_t word : {kNanosecondMagic, kVersion, 0U, 0U, snaplen, kEthernet}) {
      put(word);
    }
  }

  void write(std::uint64_t time_ns, std::span<const std::uint8_t> frame) {
    constexpr std::uint64_t kSecondNs = 1'000'000'000;
    const std::size_t captured = std::min<std::size_t>(frame.size(), snaplen_);
    if (buffer_.size() + 16 + captured > kBufferOctets) flush();
    put(static_cast<std::uint32_t>(time_ns / kSecondNs));
    put(static_cast<std::uint32_t>(time_ns % kSecondNs));
    put(static_cast<std::uint32_t>(captured));
    put(static_cast<std::uint32_t>(frame.size()));
    buffer_.insert(buffer_.end(), frame.begin(),
                   frame.begin() + static_cast<std::ptrdiff_t>(captured));
  }

  void flush() {
    if (std::fwrite(buffer_.data(), 1, buffer_.size(), file_) != buffer_.size() ||
        std::fflush(file_) != 0) {
      fail(fmt::format("--output: {}", std::strerror(errno)));
    }
    buffer_.clear();
  }

 private:
  static constexpr std::size_t kBufferOctets = std::size_t{1} << 20;

  void put(std::uint32_t word) {
    for (int shift = 0; shift < 32; shift += 8) {
      buffer_.push_back(static_cast<std::uint8_t>(word >> shift));
    }
  }

  std::FILE* file_;
  std::uint32_t snaplen_;
  std::vector<std::uint8_t> buffer_;
};

template <class Traffic>
Totals write_trace(const TrafficPlan& plan, PcapWriter& writer) {
  Traffic traffic(plan);
  FrameBuilder builder(Traffic::kFrameOctetsMin);
  Totals totals;
  Packet packet;
  while (traffic.next(packet)) {
    const Frame frame = builder.build(packet);
    writer.write(packet.time_ns, frame.bytes);
    ++totals.packets;
    totals.ip_octets += frame.ip_octets;
    totals.frame_octets += frame.bytes.size();
  }
  writer.flush();
  totals.one_way_flows = traffic.one_way_flows();
  return totals;
}

std::uint64_t flows_of(const Options& options) {
  return options.flows != 0 ? options.flows : flows_by_default(options.kind, options.packets);
}

Totals write_kind(const Options& options, PcapWriter& writer) {
  const TrafficPlan plan = {.packets = options.packets,
                            .flows = flows_of(options),
                            .duration_ns = options.seconds * 1'000'000'000,
                            .seed = options.seed};
  if (options.kind == "scan") return write_trace<ScanTraffic>(plan, writer);
  if (plan.flows > kFlowsMax) fail(fmt::format("--flows {}: at most {}", plan.flows, kFlowsMax));
  if (options.kind == "mix") return write_trace<MixTraffic>(plan, writer);
  return write_trace<ElephantTraffic>(plan, writer);
}

File open_for_writing(const std::string& flag, const std::string& path) {
  File file(std::fopen(path.c_str(), "wb"));
  if (!file) fail(fmt::format("{} {}: {}", flag, path, std::strerror(errno)));
  return file;
}

void print_totals(const Options& options, const Totals& totals) {
  const File file = options.totals.empty() ? nullptr : open_for_writing("--totals", options.totals);
  fmt::print(file ? file.get() : stderr,
             "{{\"kind\":\"{}\",\"packets\":{},\"ip_octets\":{},\"frame_octets\":{},\"one_way_"
             "flows\":{}}}\n",
             options.kind, totals.packets, totals.ip_octets, totals.frame_octets,
             totals.one_way_flows);
}

void add_flags(CLI::App& app, Options& options) {
  app.add_option("--kind", options.kind, "mix, scan or elephants")
      ->required()
      ->check(CLI::IsMember({"mix", "scan", "elephants"}));
  app.add_option("--packets", options.packets, "packets to write")->capture_default_str();
  app.add_option("--flows", options.flows,
                 "flows: two-way for mix (default packets / 25), one-way for elephants (100); scan "
                 "has one a packet");
  app.add_option("--seconds", options.seconds, "time from the first packet to the last")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--seed", options.seed, "another seed, another trace")->capture_default_str();
  app.add_option("--snaplen", options.snaplen, "octets kept of each frame")
      ->capture_default_str()
      ->check(CLI::Range(64, 65535));
  app.add_option("--output", options.output, "file to write, - is stdout")->capture_default_str();
  app.add_option("--totals", options.totals, "file for the totals, in place of stderr");
}

int run(const Options& options) {
  if (options.kind == "scan" && options.flows != 0)
    fail("--flows: a scan has one flow a packet, see --packets");
  const bool to_stdout = options.output == "-";
  if (to_stdout && isatty(STDOUT_FILENO) != 0)
    fail("--output: will not write a capture to a terminal");
  const File file = to_stdout ? nullptr : open_for_writing("--output", options.output);
  PcapWriter writer(file ? file.get() : stdout, options.snaplen);
  print_totals(options, write_kind(options, writer));
  return 0;
}

}  // namespace
}  // namespace clerk::bench

int main(int argc, char** argv) {
  clerk::bench::Options options;
  CLI::App app("Writes a capture file for the benchmarks of clerk.");
  clerk::bench::add_flags(app, options);
  CLI11_PARSE(app, argc, argv);
  return clerk::bench::run(options);
}
