#include "clerk/plan.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "base/print.h"
#include "capture/capture_file.h"
#include "clerk/file_pipeline.h"
#include "clerk/live_pipeline.h"
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

// The lines of --check: what is going to happen. What is missing goes to the log.
struct Plan {
  std::string text;
  bool complete = true;

  void add(std::string_view line) { text += fmt::format("{}\n", line); }

  template <typename T>
  void add(std::string_view line, const Result<T>& checked) {
    if (checked) return add(line);
    spdlog::error("{}", checked.error().message);
    complete = false;
  }
};

std::string describe_capture(const std::string& name, const Options& options) {
  const AfPacketOptions& capture = options.af_packet;
  return fmt::format("capture on {}: {} thread{}, a ring of {:.0f} MiB each, {} octets a packet{}",
                     name, capture.members, capture.members == 1 ? "" : "s",
                     mebibytes(capture.ring_octets), capture.snaplen,
                     capture.promiscuous ? ", promiscuous" : "");
}

void plan_asns(Plan& plan, const EnricherOptions& asns) {
  const auto enricher = Enricher::create(asns);
  if (asns.asns_csv.empty() && asns.asn_db.empty()) return;
  plan.add(fmt::format("AS numbers from {}", asns.asn_db.empty() ? asns.asns_csv : asns.asn_db),
           enricher);
}

void plan_account(Plan& plan, const Options& options) {
  const auto account = account_of(options);
  const auto* becomes = account && account->has_value() ? &**account : nullptr;
  if (!account || becomes != nullptr)
    plan.add(becomes != nullptr ? fmt::format("become user {}", becomes->name) : "", account);
}

std::string describe_file_memory(const Options& options) {
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

std::string describe_live_memory(const Options& options) {
  const size_t flows = Ledger::octets(options.flows_max);
  const size_t sources = options.interfaces.size() * options.threads;
  const size_t meters = LivePipeline::octets(sources);
  const size_t rings = sources * options.af_packet.ring_octets;
  const size_t queue = options.flows_max * sizeof(FlowRecord);
  return fmt::format(
      "memory: at most {:.0f} MiB: {:.0f} for {} flows, {:.0f} for as many records on their way to "
      "slow collectors, {:.0f} for {} meter{} and {:.0f} for their rings",
      mebibytes(flows + queue + meters + rings), mebibytes(flows), options.flows_max,
      mebibytes(queue), mebibytes(meters), sources, sources == 1 ? "" : "s", mebibytes(rings));
}

}  // namespace

std::span<const int> kept_capabilities() {
  static constexpr std::array kKept{CAP_NET_RAW};
  return kKept;
}

Result<std::optional<Account>> account_of(const Options& options) {
  if (!options.user.empty()) return TRY(find_account(options.user));
  // Root of a container may not be able to become anybody else.
  const bool can_change = has_capability(CAP_SETUID) && has_capability(CAP_SETGID);
  if (options.live() && ::geteuid() == 0 && can_change) return unprivileged_account();
  return std::nullopt;
}

std::string describe_memory(const Options& options) {
  return options.live() ? describe_live_memory(options) : describe_file_memory(options);
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
  Plan plan;
  for (const std::string& path : options.read)
    plan.add(fmt::format("read {}", path), check_source(path, stop));
  for (const std::string& name : options.interfaces)
    plan.add(describe_capture(name, options), AfPacketInterface::open(name, options.af_packet));
  if (!options.filter.empty()) plan.add(fmt::format("filter: {}", options.filter));
  plan_asns(plan, options.asns);
  plan.add(fmt::format("report flows after {} idle, {} active", seconds(options.idle_timeout_ns),
                       seconds(options.active_timeout_ns)));
  for (const Destination& destination : options.collectors)
    plan.add(fmt::format("send to {}", destination.name), check_destination(destination));
  plan_account(plan, options);
  plan.add(describe_memory(options));
  if (!print_to(stdout, plan.text)) return fail("--check: cannot write to stdout");
  return plan.complete ? kExitDone : kExitFailed;
}

}  // namespace clerk
