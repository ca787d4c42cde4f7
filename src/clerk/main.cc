// clerk: the whole wiring. Packets go from the source through meters and ledger to the sinks; each
// arrow of the drawing in ARCHITECTURE.md is a line here.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "base/keyed_hash.h"
#include "base/log.h"
#include "base/stop_request.h"
#include "capture/file_source.h"
#include "capture/packet_filter.h"
#include "clerk/final_counts.h"
#include "clerk/largest_flows.h"
#include "clerk/options.h"
#include "clerk/pipeline.h"
#include "clerk/plan.h"
#include "clerk/progress.h"
#include "flow/ledger.h"
#include "sink/sinks.h"

namespace clerk {
namespace {

Result<Sinks> open_sinks(const Options& options) {
  const UdpOptions udp{
      .session = {.observation_domain = options.observation_domain, .time_unit = options.time_unit},
      .records_per_second = options.udp_records_per_second};
  Sinks sinks;
  for (const Destination& destination : options.collectors)
    sinks.add(TRY(create_sink(destination, udp)));
  return sinks;
}

// What went wrong on the way, a line each. Returns the exit status.
int report_failures(const FileSource& source, const Sinks& sinks) {
  for (const Error& error : source.errors())
    spdlog::error("{}", error.message);
  int status = source.errors().empty() ? kExitDone : kExitFailed;
  for (const auto& sink : sinks.each()) {
    if (const auto failure = sink->failure()) {
      spdlog::error("--collector {}: {}", sink->name(), failure->message);
      status = kExitFailed;
    }
  }
  return status;
}

Result<int> run(const Options& options) {
  StopRequest stop = TRY(StopRequest::create());
  stop.install_signal_handlers();
  PacketFilter filter = TRY(PacketFilter::create(options.filter));
  const auto source =
      TRY(FileSource::open(options.read, std::move(filter), options.idle_timeout_ns, stop));
  TRY(check_no_overwrite(options));
  if (options.check) return check_plan(options, stop);
  spdlog::info("{}", describe_memory(options));
  Sinks sinks = TRY(open_sinks(options));

  const KeyedHash hash;
  const bool for_people = ::isatty(STDERR_FILENO) == 1;
  LargestFlows largest(hash);
  Ledger ledger({options.flows_max, {options.idle_timeout_ns, options.active_timeout_ns}}, hash,
                {.records =
                     [&](std::span<const FlowRecord> records, uint32_t second) {
                       sinks.add(records, second);
                       if (for_people) largest.add(records);
                     },
                 .tick =
                     [&](uint32_t second) {
                       sinks.flush(second);
                       if (sinks.all_failed()) stop.request();
                     }});
  {
    std::optional<Progress> progress;
    if (for_people) progress.emplace(*source);
    FilePipeline(*source, ledger, hash, options.threads).run();
  }
  const int status = report_failures(*source, sinks);
  fmt::print(stderr, "{}\n", format_final_counts(ledger.counts(), sinks.total()));
  if (for_people) fmt::print(stderr, "{}", format_summary(ledger.counts(), largest));
  return status;
}

}  // namespace
}  // namespace clerk

int main(int argc, char** argv) {
  using namespace clerk;
  std::signal(SIGPIPE,
              SIG_IGN);  // a reader that goes away is an error of write(), told like any other
  start_log();
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* answer = std::get_if<Answer>(&parsed)) {
    fmt::print(answer->exit_status == kExitDone ? stdout : stderr, "{}", answer->text);
    return answer->exit_status;
  }
  const auto status = run(std::get<Options>(parsed));
  if (!status) spdlog::error("{}", status.error().message);
  return status.value_or(kExitFailed);
}
