// sender: puts frames onto an interface, as fast as it goes or at a rate, and counts to the packet
// what the kernel accepted.
//
//   sender --interface veth1 --kind mix --packets 1000000 --rate 200000
//   sender --interface veth1 --read x.pcap --speed 10
//
// The traffic is made while it is sent, or read from a capture and then sent in its own time
// divided by --speed. One line of JSON at the end has the totals that a meter at the other end must
// find. Signals end it early, with the totals of what was sent until then.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "frame_feed.h"
#include "packet_socket.h"
#include "traffic.h"

namespace clerk::bench {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

struct Options {
  std::string interface;
  std::string kind = "mix";
  std::string read;
  double speed = 1;
  std::uint64_t packets = 1'000'000;
  std::uint64_t flows = 0;  // 0: what the kind asks for
  std::uint64_t seed = 7011;
  std::uint64_t rate = 0;     // 0: as fast as it goes
  std::uint64_t seconds = 0;  // 0: the traffic once
  std::string totals;
};

struct Totals {
  std::uint64_t packets = 0;
  std::uint64_t ip_octets = 0;
  std::uint64_t duration_ns = 0;
  std::string fault;  // empty, or why it ended early
};

volatile std::sig_atomic_t stop_requested = 0;

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "sender: {}\n", what);
  std::exit(1);
}

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecondNs +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// Not much longer than 0.1 s at once, so that a signal just before the call cannot delay the end.
void sleep_until(std::uint64_t time_ns) {
  const std::uint64_t end_ns = std::min(time_ns, now_ns() + kSecondNs / 10);
  const timespec end = {.tv_sec = static_cast<std::time_t>(end_ns / kSecondNs),
                        .tv_nsec = static_cast<long>(end_ns % kSecondNs)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr);
}

// When each frame is due, in ns after the first: by --rate, by the capture's own times, or at once.
class Schedule {
 public:
  explicit Schedule(const Options& options)
      : rate_(options.rate), speed_(options.read.empty() ? 0 : options.speed) {}

  std::uint64_t next_due_ns(const TimedFrame& frame) {
    if (rate_ != 0) {
      const std::uint64_t number = frames_++;
      return number / rate_ * kSecondNs + number % rate_ * kSecondNs / rate_;
    }
    if (speed_ == 0) return 0;
    if (!round_begin_ns_) round_begin_ns_ = frame.time_ns;
    // A capture may step back in time; what is sent cannot.
    const std::uint64_t into_ns = frame.time_ns - std::min(frame.time_ns, *round_begin_ns_);
    last_ns_ = std::max(
        last_ns_, round_ns_ + static_cast<std::uint64_t>(static_cast<double>(into_ns) / speed_));
    return last_ns_;
  }

  // The traffic starts over: its times go on from the last one.
  void start_over() {
    round_begin_ns_.reset();
    round_ns_ = last_ns_;
  }

 private:
  std::uint64_t rate_;
  double speed_;
  std::uint64_t frames_ = 0;
  std::optional<std::uint64_t> round_begin_ns_;
  std::uint64_t round_ns_ = 0;
  std::uint64_t last_ns_ = 0;
};

class Sender {
 public:
  Sender(const Options& options, FrameFeed& feed, PacketSocket& socket)
      : feed_(feed), socket_(socket), schedule_(options), repeats_(options.seconds != 0) {
    if (repeats_) duration_max_ns_ = options.seconds * kSecondNs;
  }

  Totals run() {
    fill();  // before the clock starts, because the first frame of a large traffic takes long
    begin_ns_ = progress_ns_ = schedule_begin_ns_ = now_ns();
    while (totals_.fault.empty() && stop_requested == 0) {
      fill();
      if (waiting_ == 0 || now_ns() - begin_ns_ >= duration_max_ns_) break;
      send_due();
    }
    totals_.duration_ns = now_ns() - begin_ns_;
    return totals_;
  }

 private:
  // Longer than any burst keeps a queue full, shorter than a person waits.
  static constexpr std::uint64_t kPatienceNs = 5 * kSecondNs;

  // What a stall of the machine made late is made up for in a burst of at most this.
  static constexpr std::uint64_t kBehindMaxNs = kSecondNs / 20;

  static constexpr std::uint64_t kRetryNs = 100'000;

  // Tops the batch up, from its front to its end in the order of sending.
  void fill() {
    bool is_new_round = false;
    while (waiting_ < batch_.size() && !is_exhausted_) {
      if (feed_.next(batch_[waiting_])) {
        due_ns_[waiting_] = schedule_.next_due_ns(batch_[waiting_]);
        ++waiting_;
        is_new_round = false;
      } else {
        is_exhausted_ = !repeats_ || is_new_round;  // twice in a row: there is no frame at all
        is_new_round = true;
        schedule_.start_over();
      }
    }
  }

  void send_due() {
    const std::uint64_t now = now_ns();
    if (const std::uint64_t due = schedule_begin_ns_ + due_ns_[0]; now > due + kBehindMaxNs) {
      schedule_begin_ns_ += now - due - kBehindMaxNs;
    }
    std::size_t ready = 0;
    while (ready < waiting_ && schedule_begin_ns_ + due_ns_[ready] <= now) {
      ++ready;
    }
    if (ready == 0) {
      progress_ns_ = now;
      return sleep_until(schedule_begin_ns_ + due_ns_[0]);
    }
    const std::size_t sent = socket_.send(std::span(batch_).first(ready));
    if (sent == 0) return wait_or_give_up(errno, now);
    progress_ns_ = now;
    take_from_front(sent);
  }

  void take_from_front(std::size_t sent) {
    for (std::size_t i = 0; i < sent; ++i) {
      totals_.ip_octets += batch_[i].ip_octets;
    }
    totals_.packets += sent;
    const auto offset = static_cast<std::ptrdiff_t>(sent);
    std::rotate(batch_.begin(), batch_.begin() + offset, batch_.end());
    std::rotate(due_ns_.begin(), due_ns_.begin() + offset, due_ns_.end());
    waiting_ -= sent;
  }

  // A full queue, or an interface that is down for a moment.
  void wait_or_give_up(int error, std::uint64_t now) {
    const bool is_passing =
        error == EAGAIN || error == ENOBUFS || error == EINTR || error == ENETDOWN;
    if (!is_passing || now - progress_ns_ > kPatienceNs) {
      totals_.fault = fmt::format("a frame of {} octets was not taken: {}", batch_[0].bytes.size(),
                                  std::strerror(error));
      return;
    }
    sleep_until(now + kRetryNs);
  }

  FrameFeed& feed_;
  PacketSocket& socket_;
  Schedule schedule_;
  bool repeats_;
  bool is_exhausted_ = false;
  std::uint64_t duration_max_ns_ = UINT64_MAX;
  std::uint64_t begin_ns_ = 0;
  std::uint64_t progress_ns_ = 0;        // the last time that nothing was stuck
  std::uint64_t schedule_begin_ns_ = 0;  // when what is due at 0 is sent
  std::vector<TimedFrame> batch_ = std::vector<TimedFrame>(PacketSocket::kBatchFrames);
  std::vector<std::uint64_t> due_ns_ = std::vector<std::uint64_t>(PacketSocket::kBatchFrames);
  std::size_t waiting_ = 0;
  Totals totals_;
};

std::unique_ptr<FrameFeed> open_feed(const Options& options) {
  if (!options.read.empty()) return captured_frames(options.read);
  const std::uint64_t flows =
      options.flows != 0 ? options.flows : flows_by_default(options.kind, options.packets);
  if (options.kind == "scan" && options.flows != 0) {
    fail("--flows: a scan has one flow a packet, see --packets");
  }
  if (options.kind != "scan" && flows > kFlowsMax) {
    fail(fmt::format("--flows {}: at most {}", flows, kFlowsMax));
  }
  // The times within the traffic say only what comes before what.
  constexpr std::uint64_t kTrafficSeconds = 120;
  return generated_frames(options.kind, {.packets = options.packets,
                                         .flows = flows,
                                         .duration_ns = kTrafficSeconds * kSecondNs,
                                         .seed = options.seed});
}

void print_totals(const Options& options, const Totals& totals) {
  std::FILE* const file = options.totals.empty() ? stdout : std::fopen(options.totals.c_str(), "w");
  if (file == nullptr) {
    fail(fmt::format("--totals {}: {}", options.totals, std::strerror(errno)));
  }
  const double seconds = static_cast<double>(totals.duration_ns) / static_cast<double>(kSecondNs);
  fmt::print(file, "{{\"packets\":{},\"octets\":{},\"seconds\":{:.6f},\"pps\":{:.0f}}}\n",
             totals.packets, totals.ip_octets, seconds,
             seconds > 0 ? static_cast<double>(totals.packets) / seconds : 0);
  if (std::fflush(file) != 0) fail(fmt::format("--totals: {}", std::strerror(errno)));
  if (file != stdout) std::fclose(file);
}

void add_flags(CLI::App& app, Options& options) {
  app.add_option("--interface", options.interface, "where the frames go")->required();
  const auto kind = app.add_option("--kind", options.kind, "mix, scan or elephants")
                        ->capture_default_str()
                        ->check(CLI::IsMember({"mix", "scan", "elephants"}));
  app.add_option("--packets", options.packets, "packets of that kind")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--flows", options.flows,
                 "flows: two-way for mix (default packets / 25), one-way for elephants (100)");
  app.add_option("--seed", options.seed, "another seed, another traffic")->capture_default_str();
  const auto read = app.add_option("--read", options.read, "a capture to send instead of a kind");
  app.add_option("--speed", options.speed,
                 "divides the capture's own time; 0 sends as fast as it goes")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber)
      ->needs(read);
  app.add_option("--rate", options.rate, "packets a second; 0 sends as fast as it goes")
      ->capture_default_str();
  app.add_option("--seconds", options.seconds,
                 "send for so long: the traffic starts over when it ends, and is cut where the "
                 "time is up (default: the traffic once)")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--totals", options.totals, "file for the totals, in place of stdout");
  read->excludes(kind);
}

int run(const Options& options) {
  const std::unique_ptr<FrameFeed> feed = open_feed(options);
  PacketSocket socket(options.interface);
  Sender sender(options, *feed, socket);
  const Totals totals = sender.run();
  print_totals(options, totals);
  if (!totals.fault.empty()) fail(fmt::format("{}: {}", options.interface, totals.fault));
  return 0;
}

}  // namespace
}  // namespace clerk::bench

int main(int argc, char** argv) {
  clerk::bench::Options options;
  CLI::App app("Sends frames onto an interface for the tests and benchmarks of clerk.");
  clerk::bench::add_flags(app, options);
  CLI11_PARSE(app, argc, argv);
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, [](int) { clerk::bench::stop_requested = 1; });
  }
  try {
    return clerk::bench::run(options);
  } catch (const std::exception& error) {
    clerk::bench::fail(error.what());
  }
}
