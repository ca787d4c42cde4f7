#include "clerk/plan.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "capture/capture_file.h"
#include "clerk/pipeline.h"
#include "flow/ledger.h"
#include "sink/sinks.h"

namespace clerk {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

double mebibytes(size_t octets) { return static_cast<double>(octets) / kMebibyte; }

Result<void> check_source(const std::string& path, const StopRequest& stop) {
  if (path == "-") return {};
  std::atomic<uint64_t> octets_read{0};
  TRY(CaptureFile::open(path, ChunkPool::create(), stop, octets_read));
  return {};
}

// Whether a file could be created there, without creating it.
Result<void> check_writable(const Destination& destination) {
  if (destination.path == "-") return {};
  const std::filesystem::path path(destination.path);
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const auto& target = std::filesystem::exists(path) ? path : folder;
  if (::access(target.c_str(), W_OK) == 0) return {};
  return fail("--collector {}: {}", destination.name, errno_text(errno));
}

Result<void> check_destination(const Destination& destination) {
  if (destination.kind != DestinationKind::Udp) return check_writable(destination);
  TRY(create_sink(destination, {}));
  return {};
}

std::string seconds(uint64_t nanoseconds) {
  return fmt::format("{} s",
                     static_cast<double>(nanoseconds) / static_cast<double>(kNanosecondsPerSecond));
}

}  // namespace

std::string describe_memory(const Options& options) {
  const size_t flows = Ledger::octets(options.flows_max);
  const size_t meters = FilePipeline::octets(options.threads);
  return fmt::format("memory: at most {:.0f} MiB, {:.0f} for {} flows and {:.0f} for {} meter{}",
                     mebibytes(flows + meters), mebibytes(flows), options.flows_max,
                     mebibytes(meters), options.threads, options.threads == 1 ? "" : "s");
}

Result<void> check_no_overwrite(const Options& options) {
  for (const Destination& destination : options.collectors) {
    for (const std::string& input : options.read) {
      std::error_code not_there;
      if (std::filesystem::equivalent(destination.path, input, not_there)) {
        return fail("--collector {}: would overwrite the input {}; name another file",
                    destination.name, input);
      }
    }
  }
  return {};
}

Result<int> check_plan(const Options& options, const StopRequest& stop) {
  for (const std::string& path : options.read) {
    TRY(check_source(path, stop));
    fmt::print("read {}{}\n", path, options.filter.empty() ? "" : ", filter: " + options.filter);
  }
  fmt::print("report flows after {} idle, {} active\n", seconds(options.idle_timeout_ns),
             seconds(options.active_timeout_ns));
  for (const Destination& destination : options.collectors) {
    TRY(check_destination(destination));
    fmt::print("send to {}\n", destination.name);
  }
  fmt::print("{}\n", describe_memory(options));
  return kExitDone;
}

}  // namespace clerk
