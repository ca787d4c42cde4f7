// clerk: the whole wiring. Packets go from the source through meters and ledger to the sinks; each
// arrow of the drawing in ARCHITECTURE.md is a line here.
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "base/keyed_hash.h"
#include "base/log.h"
#include "base/print.h"
#include "base/privileges.h"
#include "base/stop_request.h"
#include "base/time.h"
#include "capture/af_packet_source.h"
#include "capture/file_source.h"
#include "capture/packet_filter.h"
#include "capture/ring_filter.h"
#include "capture/testimony_source.h"
#include "clerk/counts_text.h"
#include "clerk/explain_pipeline.h"
#include "clerk/file_pipeline.h"
#include "clerk/largest_flows.h"
#include "clerk/live_pipeline.h"
#include "clerk/live_summary.h"
#include "clerk/options.h"
#include "clerk/plan.h"
#include "clerk/progress.h"
#include "clerk/rereader.h"
#include "clerk/version.h"
#include "flow/enrich.h"
#include "flow/ledger.h"
#include "sink/exporter.h"
#include "sink/sinks.h"

namespace clerk {
namespace {

Result<Sinks> open_sinks(const Options& options) {
  const UdpOptions udp{.session = {.observation_domain = options.observation_domain,
                                   .time_unit = options.time_unit,
                                   .non_ip = options.meter.non_ip},
                       .pace = options.udp_pace};
  Sinks sinks;
  for (const Destination& destination : options.collectors)
    sinks.attach(TRY(create_sink(destination, udp)));
  return sinks;
}

using Interfaces = std::vector<std::unique_ptr<AfPacketInterface>>;

Result<Interfaces> open_interfaces(const Options& options) {
  TRY(check_interfaces(options));
  Interfaces interfaces;
  for (const std::string& name : options.interfaces)
    interfaces.push_back(TRY(AfPacketInterface::open(name, options.af_packet)));
  return interfaces;
}

using Sockets = std::vector<std::unique_ptr<TestimonySocket>>;

Result<Sockets> open_sockets(const Options& options) {
  TRY(check_sockets(options));
  Sockets sockets;
  for (const std::string& path : options.testimony)
    sockets.push_back(TRY(TestimonySocket::open(path, options.threads)));
  return sockets;
}

// The kernel filters for interfaces; the filter of a testimony socket is the daemon's.
Result<std::vector<LiveSource>> sources_of(const Interfaces& interfaces, const Sockets& sockets,
                                           const std::string& filter) {
  std::vector<LiveSource> sources;
  for (const auto& interface : interfaces) {
    for (PacketSource* source : interface->sources())
      sources.push_back({.source = source});
  }
  for (const auto& socket : sockets) {
    for (PacketSource* source : socket->sources()) {
      LiveSource& live = sources.emplace_back(LiveSource{.source = source});
      if (!filter.empty()) live.filter = TRY(RingFilter::create(filter));
    }
  }
  return sources;
}

void log_start(const Options& options, size_t asn_octets, size_t socket_meters) {
  spdlog::info("version {}; {}", kVersion, describe_memory(options, asn_octets, socket_meters));
}

// The table was read with more rights than there are now.
void warn_of_unreadable_table(const AsnFile& file) {
  if (file.format == AsnFormat::None || ::access(file.path.c_str(), R_OK) == 0) return;
  const std::string why = errno_text(errno);
  spdlog::warn("{}: {} for the {}; to read it again later it must be readable for that user",
               file.name(), why, describe_privileges());
}

// Whoever captures keeps what it takes to open an interface that comes back. Reading files takes
// nothing; who does so stays who they are, unless they say otherwise, and then from the start.
// Testimony sockets are opened by whom this makes of the process: who may not connect is told now,
// not when the daemon has been started again.
Result<void> become_user(const Options& options, const std::optional<Account>& account) {
  if (!options.live() && options.user.empty()) return {};
  const auto given_up = give_up_privileges(account, kept_capabilities(options));
  // In a user namespace that maps no other account there is nobody else to be.
  const bool may_stay = options.user.empty() && account.has_value();
  if (!given_up && !may_stay) return given_up;
  if (!given_up) {
    spdlog::warn("{}; staying who this is", given_up.error().message);
    TRY(give_up_privileges(std::nullopt, kept_capabilities(options)));
  }
  spdlog::info("{}", describe_privileges());
  if (options.live()) warn_of_unreadable_table(options.asns);
  return {};
}

// What the user may not have meant.
void warn_of(const Options& options) {
  if (options.idle_timeout_ns < options.active_timeout_ns) return;
  spdlog::warn(
      "--flow_timeout_secs is not shorter than --upload_every_secs: flows that fall silent are "
      "reported by the active timeout");
}

// What went wrong with the sinks on the way, a line each.
bool have_failed(const Sinks& sinks) {
  bool failed = false;
  for (const auto& sink : sinks.each()) {
    const auto failure = sink->failure();
    if (failure) spdlog::error("--collector {}: {}", sink->name(), failure->message);
    failed = failed || failure.has_value();
  }
  return failed;
}

// Nothing without --explain.
Result<std::unique_ptr<Explainer>> open_explainer(const Options& options) {
  if (!options.explain) return nullptr;
  auto output = OutputFile::create("-");
  if (!output) return fail("--explain: stdout: {}", output.error().message);
  return std::make_unique<Explainer>(*options.explain, options.read, *std::move(output),
                                     options.meter.non_ip);
}

bool can_write(const Explainer* explainer) {
  return explainer != nullptr && !explainer->failure().has_value();
}

// Whether there is one that could not write, told in the log.
bool has_failed(const Explainer* explainer) {
  if (explainer == nullptr || can_write(explainer)) return false;
  spdlog::error("--explain: stdout: {}", explainer->failure()->message);
  return true;
}

void count_files(const Options& options, FileSource& source, Ledger& ledger, const KeyedHash& hash,
                 Explainer* explainer) {
  if (explainer == nullptr)
    return FilePipeline(source, ledger, hash, options.threads, options.meter).run();
  ExplainPipeline(source, options.meter, ledger, hash, *explainer).run();
  explainer->finish(ledger.counts().packets);
}

LedgerOptions ledger_options(const Options& options) {
  return {options.flows_max, {options.idle_timeout_ns, options.active_timeout_ns}};
}

Result<int> read_files(const Options& options) {
  StopRequest stop = TRY(StopRequest::create());
  stop.install_signal_handlers();
  TRY(check_outputs(options));
  const auto account = TRY(account_of(options));
  if (!options.check) TRY(become_user(options, account));
  PacketFilter filter = TRY(PacketFilter::create(options.filter));
  const auto source =
      TRY(FileSource::open(options.read, std::move(filter), options.idle_timeout_ns, stop));
  if (options.check) return check_plan(options, stop);
  const auto enricher = TRY(Enricher::create(options.asns));
  spdlog::info("{}", describe_memory(options, enricher->octets_max()));
  Sinks sinks = TRY(open_sinks(options));

  const KeyedHash hash;
  const bool for_people = ::isatty(STDERR_FILENO) == 1;
  LargestFlows largest(hash);
  const std::unique_ptr<Explainer> explainer = TRY(open_explainer(options));
  Ledger ledger(ledger_options(options), hash,
                {.records =
                     [&](std::span<FlowRecord> records, uint32_t second) {
                       enricher->enrich(records);
                       sinks.add(records, second);
                       if (explainer) explainer->add(records);
                       if (for_people) largest.add(records);
                     },
                 .tick =
                     [&](uint32_t second) {
                       sinks.flush(second);
                       if (explainer) explainer->flush();
                       if (sinks.all_failed() && !can_write(explainer.get())) stop.request();
                     }});
  {
    std::optional<Progress> progress;
    if (for_people) progress.emplace(*source);
    count_files(options, *source, ledger, hash, explainer.get());
  }
  const std::vector<Error> errors = source->errors();
  for (const Error& error : errors)
    spdlog::error("{}", error.message);
  const bool failed = have_failed(sinks) || has_failed(explainer.get()) || !errors.empty();
  print_to(stderr, format_counts(ledger.counts(), sinks.total()) + "\n");
  if (for_people) print_to(stderr, format_summary(ledger.counts(), largest));
  return failed ? kExitFailed : kExitDone;
}

// Threads begin below become_user(), so that none keeps a privilege.
Result<int> capture_live(const Options& options) {
  StopRequest stop = TRY(StopRequest::create());
  stop.install_signal_handlers();
  reserve_hangup_signal();
  TRY(check_outputs(options));
  if (options.check) return check_plan(options, stop);
  const auto account = TRY(account_of(options));
  stamp_log_with_time();
  const auto enricher = TRY(Enricher::create(options.asns));
  if (options.testimony.empty()) log_start(options, enricher->octets_max(), 0);
  const Interfaces interfaces = TRY(open_interfaces(options));
  Sinks sinks = TRY(open_sinks(options));
  TRY(become_user(options, account));
  const Sockets sockets = TRY(open_sockets(options));
  auto sources = TRY(sources_of(interfaces, sockets, options.filter));
  if (!sockets.empty())
    log_start(options, enricher->octets_max(),
              sources.size() - options.interfaces.size() * options.threads);
  std::unique_ptr<Rereader> rereader;
  if (enricher->has_file())
    rereader = TRY(Rereader::start(*enricher, std::chrono::seconds(options.asns_reread_seconds)));

  const KeyedHash hash;
  Exporters exporters(sinks, stop, queued_records_max(options));
  Ledger ledger(ledger_options(options), hash,
                {.records =
                     [&](std::span<FlowRecord> records, uint32_t second) {
                       enricher->enrich(records);
                       exporters.add(records, second);
                     },
                 .tick = [&](uint32_t second) { exporters.tick(second); }});
  LiveSummary summary(LiveSummary::Clock::now());
  const auto log_summary = [&] {
    const auto now = LiveSummary::Clock::now();
    if (!summary.is_due(now)) return;
    spdlog::info("{}", summary.line(now, ledger.counts(), ledger.flows_held(), exporters.counts()));
  };
  LivePipeline(std::move(sources), ledger, hash, stop,
               {.idle_timeout_ns = options.idle_timeout_ns,
                .cpus = options.cpus,
                .mtu = options.mtu,
                .meter = options.meter,
                .now_ns = wall_clock_ns,
                .between_merges = log_summary})
      .run();
  const ExporterCounts exported = exporters.finish();
  const bool failed = have_failed(sinks);
  print_to(stderr, format_counts(ledger.counts(), exported.sinks) + "\n");
  return failed ? kExitFailed : kExitDone;
}

int answer_with(const Answer& answer) {
  const bool printed = print_to(answer.exit_status == kExitDone ? stdout : stderr, answer.text);
  return printed ? answer.exit_status : std::max(answer.exit_status, kExitFailed);
}

// A descriptor that the caller closed would be given to the next file opened, and that file to
// whoever writes to stdout. The wrong direction makes its use an error instead.
void reserve_standard_descriptors() {
  constexpr std::array kWrongDirection{O_WRONLY, O_RDONLY, O_RDWR};
  for (int fd = 0; fd < static_cast<int>(kWrongDirection.size()); ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", kWrongDirection[static_cast<size_t>(fd)]);
  }
}

}  // namespace
}  // namespace clerk

int main(int argc, char** argv) {
  using namespace clerk;
  reserve_standard_descriptors();
  std::signal(SIGPIPE,
              SIG_IGN);  // a reader that goes away is an error of write(), told like any other
  start_log();
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* answer = std::get_if<Answer>(&parsed)) return answer_with(*answer);
  const auto& options = std::get<Options>(parsed);
  set_log_level(options.log_level);
  warn_of(options);
  try {
    const auto status = options.live() ? capture_live(options) : read_files(options);
    if (!status) spdlog::error("{}", status.error().message);
    return status.value_or(kExitFailed);
  } catch (const std::bad_alloc&) {
    spdlog::error(
        "there is not enough memory; a smaller --flows_max ({} now), fewer --threads or a smaller "
        "table of AS numbers may fit",
        options.flows_max);
  } catch (const std::system_error& error) {
    spdlog::error(
        "a thread cannot be started: {}; fewer --threads ({} now), or a higher limit of tasks",
        error.code().message(), options.threads);
  }
  return kExitFailed;
}
