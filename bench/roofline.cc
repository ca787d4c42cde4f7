// roofline: what it costs at best to count the packets of a trace, for clerk to be measured
// against. Nothing but the work itself, and none of clerk's code:
//
//   walk      the records, and the headers touched to add up the octets of IP
//   parse     flow key and hash of each packet, and no table
//   table     each packet added to a table of the right size (bare_table.h)
//   prefetch  the same in batches, with the table's lines on their way from memory. This is the
//             one that the targets refer to
//   ahead     the same, and the file's lines on their way too
//
//   roofline --read mix.pcap --mode prefetch --flows 384811
//
// It prints one line of JSON: the totals, as the trace's own, and user and system time a packet,
// mapping the file and first touches of the table included. Totals that a mode does not know are
// null.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "bare_headers.h"
#include "bare_table.h"
#include "cpu_time.h"
#include "mapped_trace.h"

namespace clerk::bench {
namespace {

struct Options {
  std::string read;
  std::string mode = "prefetch";
  std::uint64_t flows = 1'000'000;
};

struct Result {
  BareTotals totals;
  std::optional<std::uint64_t> flows;
  std::uint64_t hashes = 0;  // printed, so that no compiler can leave the hashing out
};

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "roofline: {}\n", what);
  std::exit(1);
}

void parse_or_fail(const TraceRecord& record, BareHeaders& headers) {
  if (!parse_headers(record.frame, record.captured, headers)) [[unlikely]]
    fail("--read: a packet that is none of the benchmark's");
}

// Frames have at least 60 octets, but for what a snap length cuts, which is at least 64.
std::uint64_t ip_octets_of(const TraceRecord& record) {
  if (record.captured < 60) fail("--read: a frame shorter than Ethernet has");
  const IpPlace place = place_of_ip(record.frame);
  const std::uint8_t* const ip = record.frame + place.offset;
  return place.type == kRawIpv6 ? load_big_endian_u16(ip + 4) + 40U : load_big_endian_u16(ip + 2);
}

Result walk(MappedTrace& trace) {
  Result result;
  TraceRecord record;
  while (trace.next(record)) {
    ++result.totals.packets;
    result.totals.octets += ip_octets_of(record);
  }
  return result;
}

Result parse(MappedTrace& trace) {
  Result result;
  TraceRecord record;
  BareHeaders headers;
  while (trace.next(record)) {
    parse_or_fail(record, headers);
    ++result.totals.packets;
    result.totals.octets += headers.ip_octets;
    result.hashes ^= headers.hash;
  }
  return result;
}

Result fill_table(MappedTrace& trace, BareTable& table) {
  TraceRecord record;
  BarePacket packet;
  while (trace.next(record)) {
    parse_or_fail(record, packet.headers);
    packet.time_ns = record.time_ns;
    table.add(packet);
  }
  return {.totals = {}, .flows = table.flows()};
}

enum class FileLines : std::uint8_t { WhenReached, Ahead };

template <FileLines file_lines>
Result fill_table_in_batches(MappedTrace& trace, BareTable& table) {
  TraceRecord record;
  BareBatch batch(table);
  while (trace.next(record)) {
    if constexpr (file_lines == FileLines::Ahead) trace.prefetch_ahead();
    BarePacket& packet = batch.next();
    parse_or_fail(record, packet.headers);
    packet.time_ns = record.time_ns;
    batch.keep();
  }
  batch.flush();
  return {.totals = {}, .flows = table.flows()};
}

void print_result(const Options& options, const Result& result, std::uint64_t cpu_ns) {
  const double ns_per_packet =
      static_cast<double>(cpu_ns) /
      static_cast<double>(result.totals.packets != 0 ? result.totals.packets : 1);
  fmt::print("{{\"mode\":\"{}\",\"packets\":{},\"ip_octets\":{},\"one_way_flows\":{},",
             options.mode, result.totals.packets, result.totals.octets,
             result.flows ? fmt::to_string(*result.flows) : "null");
  fmt::print("\"cpu_ns_per_packet\":{:.2f},\"hashes\":{}}}\n", ns_per_packet, result.hashes);
}

Result fill(const std::string& mode, MappedTrace& trace, BareTable& table) {
  if (mode == "table") return fill_table(trace, table);
  if (mode == "prefetch") return fill_table_in_batches<FileLines::WhenReached>(trace, table);
  return fill_table_in_batches<FileLines::Ahead>(trace, table);
}

// The sums of a table are taken when the time is: to look for mistakes is none of the work.
int run_with_table(const Options& options, MappedTrace& trace) {
  BareTable table(options.flows);
  Result result = fill(options.mode, trace, table);
  const std::uint64_t cpu_ns = cpu_time_ns();
  result.totals = table.totals();
  print_result(options, result, cpu_ns);
  return 0;
}

int run(const Options& options) {
  MappedTrace trace(options.read);
  if (options.mode != "walk" && options.mode != "parse") return run_with_table(options, trace);
  const Result result = options.mode == "walk" ? walk(trace) : parse(trace);
  print_result(options, result, cpu_time_ns());
  return 0;
}

}  // namespace
}  // namespace clerk::bench

int main(int argc, char** argv) {
  clerk::bench::Options options;
  CLI::App app("Says what counting the packets of a benchmark trace costs at best.");
  app.add_option("--read", options.read, "a trace as bench/trace writes it")->required();
  app.add_option("--mode", options.mode, "walk, parse, table, prefetch or ahead")
      ->capture_default_str()
      ->check(CLI::IsMember({"walk", "parse", "table", "prefetch", "ahead"}));
  app.add_option("--flows", options.flows, "one-way flows the table is made for")
      ->capture_default_str()
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 31));
  CLI11_PARSE(app, argc, argv);
  return clerk::bench::run(options);
}
