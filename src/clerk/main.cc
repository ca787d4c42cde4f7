// clerk: the whole wiring. Packets go from the source through meters and ledger to the sinks; each
// arrow of the drawing in ARCHITECTURE.md is a line here.
#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <new>
#include <optional>

#include "base/keyed_hash.h"
#include "base/log.h"
#include "base/print.h"
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
    sinks.attach(TRY(create_sink(destination, udp)));
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
  TRY(check_outputs(options));
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
  print_to(stderr, format_final_counts(ledger.counts(), sinks.total()) + "\n");
  if (for_people) print_to(stderr, format_summary(ledger.counts(), largest));
  return status;
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
  try {
    const auto status = run(options);
    if (!status) spdlog::error("{}", status.error().message);
    return status.value_or(kExitFailed);
  } catch (const std::bad_alloc&) {
    spdlog::error("--flows_max {}: there is not enough memory; choose fewer", options.flows_max);
    return kExitFailed;
  }
}
