// injector: has an interface receive packets of many flows, far faster than a sender at the other
// end could send them (live_frames.h says how), and counts them.
//
//   injector --interface veth0 --seconds 8 --flows 262144
//
// It needs the rights to load XDP programs (root, CAP_BPF and CAP_NET_ADMIN) and runs in the
// interface's network namespace. One line of JSON at the end: packets and octets (of IP) injected,
// seconds, packets a second. Signals end it early, with the totals until then, half a second later
// at the latest.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <string>

#include <fmt/format.h>

#include "live_frames.h"

namespace clerk::bench {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

struct Options {
  std::string interface;
  std::uint32_t flows = 1U << 18;
  std::uint64_t packets = 0;  // 0: until the time is up
  std::uint64_t seconds = 0;  // 0: until there were so many packets
  std::uint64_t rate = 0;     // packets a second, 0: as fast as it goes
};

struct Totals {
  std::uint64_t packets = 0;
  std::uint64_t duration_ns = 0;
};

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "injector: {}\n", what);
  std::exit(1);
}

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecondNs +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void sleep_until(std::uint64_t time_ns) {
  const timespec end = {.tv_sec = static_cast<std::time_t>(time_ns / kSecondNs),
                        .tv_nsec = static_cast<long>(time_ns % kSecondNs)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr);
}

// Blocked, a signal cannot cut a call short, and is asked for between two.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals_, nullptr);
  }

  bool came() const {
    const timespec at_once{};
    return sigtimedwait(&signals_, nullptr, &at_once) > 0;
  }

 private:
  sigset_t signals_{};
};

// The packets of one call. Its set-up and its end take 25 ms, which must not show at full speed;
// and time and signals are looked at between two calls only.
std::uint64_t call_packets(const Options& options) {
  constexpr std::uint64_t kFullSpeed = 1 << 20;
  constexpr std::uint64_t kCallsPerSecond = 20;
  if (options.rate == 0) return kFullSpeed;
  return std::clamp<std::uint64_t>(options.rate / kCallsPerSecond, 1, kFullSpeed);
}

Totals inject(const Options& options, LiveFrames& frames) {
  const StopSignals stop;
  const std::uint64_t packets_max = options.packets != 0 ? options.packets : UINT64_MAX;
  const std::uint64_t begin_ns = now_ns();
  const std::uint64_t end_ns =
      options.seconds != 0 ? begin_ns + options.seconds * kSecondNs : UINT64_MAX;
  Totals totals;
  while (totals.packets < packets_max && now_ns() < end_ns && !stop.came()) {
    const std::uint64_t packets = std::min(call_packets(options), packets_max - totals.packets);
    frames.inject(static_cast<std::uint32_t>(packets));
    totals.packets += packets;
    if (options.rate != 0) {
      sleep_until(begin_ns + totals.packets / options.rate * kSecondNs +
                  totals.packets % options.rate * kSecondNs / options.rate);
    }
  }
  totals.duration_ns = now_ns() - begin_ns;
  return totals;
}

void print_totals(const Totals& totals, std::size_t ip_octets) {
  const double seconds = static_cast<double>(totals.duration_ns) / static_cast<double>(kSecondNs);
  fmt::print("{{\"packets\":{},\"octets\":{},\"seconds\":{:.6f},\"pps\":{:.0f}}}\n", totals.packets,
             totals.packets * ip_octets, seconds,
             static_cast<double>(totals.packets) / std::max(seconds, 1e-9));
}

int run(const Options& options) {
  if (!std::has_single_bit(options.flows) || options.flows > LiveFrames::kFlowsMax)
    fail(fmt::format("--flows: a power of two, at most {}", LiveFrames::kFlowsMax));
  if (options.packets == 0 && options.seconds == 0) fail("--packets or --seconds says when to end");
  LiveFrames frames(options.interface, options.flows);
  print_totals(inject(options, frames), frames.ip_octets());
  return 0;
}

void add_flags(CLI::App& app, Options& options) {
  app.add_option("--interface", options.interface, "where the packets come in")->required();
  app.add_option("--flows", options.flows, "flows to draw from, a power of two")
      ->capture_default_str();
  app.add_option("--packets", options.packets, "end after so many packets");
  app.add_option("--seconds", options.seconds, "end after so much time")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--rate", options.rate,
                 "packets a second, in twenty bursts; 0 is as fast as it goes")
      ->capture_default_str();
}

}  // namespace
}  // namespace clerk::bench

int main(int argc, char** argv) {
  clerk::bench::Options options;
  CLI::App app("Has an interface receive packets of many flows.");
  clerk::bench::add_flags(app, options);
  CLI11_PARSE(app, argc, argv);
  try {
    return clerk::bench::run(options);
  } catch (const std::exception& error) {
    clerk::bench::fail(error.what());
  }
}
