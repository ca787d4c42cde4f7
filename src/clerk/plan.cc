#include "clerk/plan.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "base/print.h"
#include "capture/capture_file.h"
#include "clerk/pipeline.h"
#include "flow/ledger.h"
#include "sink/sinks.h"

namespace clerk {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

double mebibytes(size_t octets) { return static_cast<double>(octets) / kMebibyte; }

// Only a regular file can be opened and read twice.
Result<void> check_source(const std::string& path, const StopRequest& stop) {
  std::error_code unknown;
  if (path == "-" || !std::filesystem::is_regular_file(path, unknown)) return {};
  std::atomic<uint64_t> octets_read{0};
  TRY(CaptureFile::open(path, ChunkPool::create(), stop, octets_read));
  return {};
}

// Whether a file could be created there, without creating it.
Result<void> check_writable(const Destination& destination) {
  if (destination.path == "-") return {};
  const std::filesystem::path path(destination.path);
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown)) {
    return fail("--collector {}: {}", destination.name, errno_text(EISDIR));
  }
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const auto& target = std::filesystem::exists(path, unknown) ? path : folder;
  if (::access(target.c_str(), W_OK) == 0) return {};
  return fail("--collector {}: {}", destination.name, errno_text(errno));
}

// Which file a path, or the descriptor that "-" stands for, leads to. Nothing when it is no regular
// file, or none yet.
std::optional<std::pair<dev_t, ino_t>> regular_file(const std::string& path, int descriptor) {
  struct stat status{};
  const int found = path == "-" ? ::fstat(descriptor, &status) : ::stat(path.c_str(), &status);
  if (found != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return std::pair(status.st_dev, status.st_ino);
}

bool are_same(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const auto file = regular_file(a, STDOUT_FILENO);
  return file && file == regular_file(b, STDOUT_FILENO);
}

Result<void> check_input_is_kept(const Destination& destination, const std::string& input) {
  const auto file = regular_file(input, STDIN_FILENO);
  if (!file || file != regular_file(destination.path, STDOUT_FILENO)) return {};
  return fail("--collector {}: would overwrite the input {}; name another file", destination.name,
              input);
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
  const bool may_be_zstd = std::ranges::any_of(
      options.read, [](const std::string& path) { return path == "-" || path.ends_with(".zst"); });
  const std::string_view zstd =
      may_be_zstd ? "; zstd input adds its window, 8 MiB, or 128 with --long" : "";
  return fmt::format("memory: at most {:.0f} MiB, {:.0f} for {} flows and {:.0f} for {} meter{}{}",
                     mebibytes(flows + meters), mebibytes(flows), options.flows_max,
                     mebibytes(meters), options.threads, options.threads == 1 ? "" : "s", zstd);
}

Result<void> check_outputs(const Options& options) {
  std::vector<const Destination*> files;
  for (const Destination& destination : options.collectors) {
    if (destination.kind == DestinationKind::Udp) continue;
    for (const std::string& input : options.read)
      TRY(check_input_is_kept(destination, input));
    for (const Destination* other : files) {
      if (!are_same(destination.path, other->path)) continue;
      return fail("--collector {}: writes to the same file as --collector {}; name another file",
                  destination.name, other->name);
    }
    files.push_back(&destination);
  }
  return {};
}

Result<int> check_plan(const Options& options, const StopRequest& stop) {
  std::string text;
  for (const std::string& path : options.read) {
    TRY(check_source(path, stop));
    text += fmt::format("read {}{}\n", path,
                        options.filter.empty() ? "" : ", filter: " + options.filter);
  }
  text += fmt::format("report flows after {} idle, {} active\n", seconds(options.idle_timeout_ns),
                      seconds(options.active_timeout_ns));
  for (const Destination& destination : options.collectors) {
    TRY(check_destination(destination));
    text += fmt::format("send to {}\n", destination.name);
  }
  text += fmt::format("{}\n", describe_memory(options));
  if (!print_to(stdout, text)) return fail("--check: cannot write to stdout");
  return kExitDone;
}

}  // namespace clerk
