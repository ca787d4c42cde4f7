#include "clerk/progress.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "base/print.h"

namespace clerk {
namespace {

constexpr auto kQuiet = std::chrono::seconds(1);
constexpr auto kInterval = std::chrono::milliseconds(250);
constexpr double kMebibyte = 1024.0 * 1024.0;
// The line ends with a carriage return, so that flows printed on the same terminal overwrite it.
constexpr const char* kWipe = "\r\x1b[K";

void print_line(uint64_t octets, uint64_t total, double seconds) {
  const double mebibytes = static_cast<double>(octets) / kMebibyte;
  const double rate = mebibytes / seconds;
  if (total > 0) {
    const double percent = 100.0 * static_cast<double>(octets) / static_cast<double>(total);
    print_to(stderr, fmt::format("{}clerk: {:.0f} % of {:.0f} MiB read, {:.0f} MiB/s\r", kWipe,
                                 percent, static_cast<double>(total) / kMebibyte, rate));
  } else {
    print_to(stderr,
             fmt::format("{}clerk: {:.0f} MiB read, {:.0f} MiB/s\r", kWipe, mebibytes, rate));
  }
}

}  // namespace

Progress::Progress(const FileSource& source)
    : source_(source), thread_([this](const std::stop_token& stop) { show(stop); }) {}

Progress::~Progress() {
  thread_.request_stop();
  thread_.join();
}

void Progress::show(const std::stop_token& stop) {
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  const auto never = [] { return false; };
  stopped_.wait_for(lock, stop, kQuiet, never);
  bool shown = false;
  while (!stop.stop_requested()) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    print_line(source_.octets_read(), source_.octets_total(), elapsed.count());
    shown = true;
    stopped_.wait_for(lock, stop, kInterval, never);
  }
  if (shown) print_to(stderr, kWipe);
}

}  // namespace clerk
