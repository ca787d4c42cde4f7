#include "clerk/plan.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/print.h"
#include "capture/capture_file.h"
#include "capture/network_interface.h"
#include "capture/testimony_source.h"
#include "clerk/explained_packets.h"
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
  std::error_code unknown;
  if (std::filesystem::weakly_canonical(a, unknown) ==
      std::filesystem::weakly_canonical(b, unknown))
    return true;
  const auto file = regular_file(a, STDOUT_FILENO);
  return file && file == regular_file(b, STDOUT_FILENO);
}

// A file that the run writes, or stdout ("-"), and the flag that asks for it.
struct Output {
  std::string flag;
  std::string path;
};

std::vector<Output> outputs_of(const Options& options) {
  std::vector<Output> outputs;
  for (const Destination& destination : options.collectors) {
    if (destination.kind != DestinationKind::Udp)
      outputs.push_back({"--collector " + destination.name, destination.path});
  }
  if (options.explain) outputs.push_back({"--explain", "-"});
  return outputs;
}

Result<void> check_input_is_kept(const Output& output, const std::string& input) {
  const auto file = regular_file(input, STDIN_FILENO);
  if (!file || file != regular_file(output.path, STDOUT_FILENO)) return {};
  return fail("{}: would overwrite the input {}; name another file", output.flag, input);
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
    checked ? add(line) : note_missing(checked.error());
  }

  void note_missing(const Error& error) {
    spdlog::error("{}", error.message);
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

// Returns what they may occupy.
size_t plan_asns(Plan& plan, const AsnFile& file) {
  const auto enricher = Enricher::create(file);
  if (file.format != AsnFormat::None)
    plan.add(fmt::format("AS numbers from {}", file.path), enricher);
  return enricher ? (*enricher)->octets_max() : 0;
}

// A child tries, because there is no way back.
Result<void> try_to_become(const std::optional<Account>& account, std::span<const int> kept) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto given_up = give_up_privileges(account, kept);
    if (!given_up) spdlog::error("{}", given_up.error().message);
    ::_exit(given_up ? kExitDone : kExitFailed);
  }
  int status = 0;
  const bool tried = child > 0 && ::waitpid(child, &status, 0) == child;
  if (tried && status == 0) return {};
  return fail("--user {}: cannot become that account; --user root stays root", account->name);
}

void plan_account(Plan& plan, const Options& options) {
  const auto account = account_of(options);
  if (!account) {
    plan.note_missing(account.error());
  } else if (*account) {
    plan.add(fmt::format("become user {}", (*account)->name),
             try_to_become(*account, kept_capabilities(options)));
  }
}

std::string describe_socket(const std::string& path, const testimony::Geometry& geometry) {
  constexpr double kKibibyte = 1024.0;
  return fmt::format("read testimony {}: {} index{}, {} blocks of {:.4g} KiB each", path,
                     geometry.fanout_size, geometry.fanout_size == 1 ? "" : "es", geometry.blocks,
                     geometry.block_octets / kKibibyte);
}

// As the account that connects in a run; there is no way back from it. Returns how many meters read
// the sockets.
size_t plan_sockets(Plan& plan, const Options& options) {
  if (options.testimony.empty()) return 0;
  if (const auto distinct = check_sockets(options); !distinct) plan.note_missing(distinct.error());
  const auto account = account_of(options);
  // Whether that can be done is a line of its own.
  if (account) static_cast<void>(give_up_privileges(*account, kept_capabilities(options)));
  size_t meters = 0;
  for (const std::string& path : options.testimony) {
    const auto geometry = ask_testimony_geometry(path);
    plan.add(describe_socket(path, geometry.value_or(testimony::Geometry{})), geometry);
    const uint32_t members = geometry ? geometry->fanout_size : options.threads;
    meters += std::min(members, TestimonySocket::kMembersMax);
  }
  return meters;
}

// ", 84 for AS numbers", with what comes before the number; nothing for nothing.
std::string memory_of(std::string_view before, size_t octets, std::string_view what) {
  return octets == 0 ? "" : fmt::format("{}{:.0f} for {}", before, mebibytes(octets), what);
}

std::string asn_memory(std::string_view before, size_t octets) {
  return memory_of(before, octets, "AS numbers");
}

// "4194304 flows", and on how many threads where there are several.
std::string flows_of(const Options& options) {
  return options.ledger_threads == 1
             ? fmt::format("{} flows", options.flows_max)
             : fmt::format("{} flows on {} threads", options.flows_max, options.ledger_threads);
}

std::string describe_file_memory(const Options& options, size_t asn_octets) {
  const size_t flows = Ledger::octets(options.flows_max, options.ledger_threads);
  const size_t meters = FilePipeline::octets(options.threads, options.meter);
  const size_t explained = options.explain ? ExplainedPackets::kOctetsMax : 0;
  const bool may_be_zstd = std::ranges::any_of(
      options.read, [](const std::string& path) { return path == "-" || path.ends_with(".zst"); });
  const std::string_view zstd =
      may_be_zstd ? "; zstd input adds its window, 8 MiB, or 128 with --long" : "";
  return fmt::format("memory: at most {:.0f} MiB, {:.0f} for {}{}{} and {:.0f} for {} meter{}{}",
                     mebibytes(flows + meters + explained + asn_octets), mebibytes(flows),
                     flows_of(options), asn_memory(", ", asn_octets),
                     memory_of(", ", explained, "explanations"), mebibytes(meters), options.threads,
                     options.threads == 1 ? "" : "s", zstd);
}

std::string describe_live_memory(const Options& options, size_t asn_octets, size_t socket_meters) {
  const size_t flows = Ledger::octets(options.flows_max, options.ledger_threads);
  const size_t own_rings = options.interfaces.size() * options.threads;
  const size_t sources = own_rings + socket_meters;
  const size_t meters = LivePipeline::octets(sources, options.meter);
  const size_t rings = own_rings * options.af_packet.ring_octets;
  const size_t records = queued_records_max(options) * options.collectors.size();
  const size_t queue = records * sizeof(FlowRecord);
  return fmt::format(
      "memory: at most {:.0f} MiB: {:.0f} for {}, {:.0f} for records on their way to "
      "slow collectors,{} {:.0f} for {} meter{} and {:.0f} for their rings{}",
      mebibytes(flows + queue + meters + rings + asn_octets), mebibytes(flows), flows_of(options),
      mebibytes(queue), asn_memory(" ", asn_octets) + (asn_octets > 0 ? "," : ""),
      mebibytes(meters), sources, sources == 1 ? "" : "s", mebibytes(rings),
      socket_meters == 0 ? "" : "; the rings of testimony sockets are the daemon's");
}

}  // namespace

Result<void> check_interfaces(const Options& options) {
  std::map<int, std::string> names;
  for (const std::string& name : options.interfaces) {
    const auto found = TRY(find_interface(name));
    if (!found) continue;
    const auto [first, is_new] = names.emplace(found->index, name);
    if (!is_new)
      return fail("--interface {}: is {} too; each of its packets would count twice", name,
                  first->second);
  }
  return {};
}

Result<void> check_sockets(const Options& options) {
  std::map<std::pair<dev_t, ino_t>, std::string> paths;
  for (const std::string& path : options.testimony) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) continue;
    const auto [first, is_new] = paths.emplace(std::pair(status.st_dev, status.st_ino), path);
    if (!is_new)
      return fail("--testimony {}: is {} too; each of its packets would count twice", path,
                  first->second);
  }
  return {};
}

// As many as are held, which may all end at once; and when few are held, what two deltas evict.
size_t queued_records_max(const Options& options) {
  constexpr size_t kRecordsMin =
      size_t{2} * (kDeltaCapacityMax.ipv4 + kDeltaCapacityMax.ipv6 + kDeltaCapacityMax.link);
  return std::max<size_t>(options.flows_max, kRecordsMin);
}

std::span<const int> kept_capabilities(const Options& options) {
  static constexpr std::array kKept{CAP_NET_RAW};
  return options.interfaces.empty() ? std::span<const int>() : kKept;
}

namespace {

// Of the first socket that is there; root, or whoever started the run, while there is none.
Result<Account> socket_owner(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode))
      return find_account(fmt::to_string(status.st_uid));
  }
  return find_account(fmt::to_string(::geteuid()));
}

}  // namespace

Result<std::optional<Account>> account_of(const Options& options) {
  if (!options.user.empty()) return TRY(find_account(options.user));
  // Root of a container may not be able to become anybody else.
  const bool can_change = has_capability(CAP_SETUID) && has_capability(CAP_SETGID);
  if (!options.live() || ::geteuid() != 0 || !can_change) return std::nullopt;
  if (options.testimony.empty()) return unprivileged_account();
  return TRY(socket_owner(options.testimony));
}

std::string describe_memory(const Options& options, size_t asn_octets, size_t socket_meters) {
  return options.live() ? describe_live_memory(options, asn_octets, socket_meters)
                        : describe_file_memory(options, asn_octets);
}

Result<void> check_outputs(const Options& options) {
  std::vector<Output> checked;
  for (const Output& output : outputs_of(options)) {
    for (const std::string& input : options.read)
      TRY(check_input_is_kept(output, input));
    for (const Output& other : checked) {
      if (are_same(output.path, other.path))
        return fail("{}: writes to the same file as {}; name another file", output.flag,
                    other.flag);
    }
    checked.push_back(output);
  }
  return {};
}

Result<int> check_plan(const Options& options, const StopRequest& stop) {
  Plan plan;
  for (const std::string& path : options.read)
    plan.add(fmt::format("read {}", path), check_source(path, stop));
  if (const auto distinct = check_interfaces(options); !distinct)
    plan.note_missing(distinct.error());
  for (const std::string& name : options.interfaces)
    plan.add(describe_capture(name, options), AfPacketInterface::open(name, options.af_packet));
  if (!options.filter.empty()) plan.add(fmt::format("filter: {}", options.filter));
  const size_t asn_octets = plan_asns(plan, options.asns);
  plan.add(fmt::format("report flows after {} idle, {} active", seconds(options.idle_timeout_ns),
                       seconds(options.active_timeout_ns)));
  if (!options.decapsulate.empty())
    plan.add(fmt::format("look into tunnels: {}", options.decapsulate));
  if (options.mtu)
    plan.add(fmt::format("count packets longer than {} octets as super packets", *options.mtu));
  if (options.meter.non_ip)
    plan.add("report flows without IP too, by MAC addresses, VLAN id and EtherType");
  for (const Destination& destination : options.collectors)
    plan.add(fmt::format("send to {}", destination.name), check_destination(destination));
  if (options.explain)
    plan.add(fmt::format("explain packets of {} on stdout", to_string(*options.explain)));
  plan_account(plan, options);
  const size_t socket_meters = plan_sockets(plan, options);
  plan.add(describe_memory(options, asn_octets, socket_meters));
  if (!print_to(stdout, plan.text)) return fail("--check: cannot write to stdout");
  return plan.complete ? kExitDone : kExitFailed;
}

}  // namespace clerk
