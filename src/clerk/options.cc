#include "clerk/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "capture/packet_filter.h"
#include "clerk/spelling.h"
#include "clerk/version.h"

namespace clerk {
namespace {

constexpr double kDefaultActiveSeconds = 60;
constexpr double kDefaultIdleSeconds = 30;
constexpr double kTimeoutSecondsMin = 1;
constexpr double kTimeoutSecondsMax = 86400;
constexpr uint32_t kDefaultFlowsMax = 4194304;
constexpr uint32_t kFlowsMaxMax = 1U << 30;
constexpr uint32_t kThreadsMax = 64;
constexpr uint64_t kDefaultRecordsPerSecond = 100000;
constexpr uint64_t kRecordsPerSecondMax = 1'000'000'000;

constexpr std::string_view kExamples =
    "Examples:\n"
    "  clerk --read x.pcap                                   what is in this file? flows to "
    "stdout\n"
    "  clerk --read x.pcap.gz --collector 10.0.0.5:4739      its flows to an IPFIX collector over "
    "UDP\n"
    "  tcpdump -w - | clerk --read - --collector json:-      flows of a live capture, one JSON "
    "object a line\n";

constexpr std::string_view kDescription =
    "clerk counts every packet into flows and tells IPFIX collectors about them.\n"
    "Flags may be written with - or _, as --flag value or --flag=value.";

// Values as CLI11 reads them, before they become Options.
struct Raw {
  std::vector<std::string> collectors;
  double active_seconds = kDefaultActiveSeconds;
  double idle_seconds = kDefaultIdleSeconds;
  std::string time_unit = "ns";
};

// --Some-flag=a-b becomes --Some_flag=a-b: one spelling is registered, both are accepted.
void spell_with_underscores(std::string& argument) {
  if (!std::string_view(argument).starts_with("--")) return;
  const auto name_end = std::ranges::find(argument, '=');
  std::replace(argument.begin() + 2, name_end, '-', '_');
}

void add_input_flags(CLI::App& app, Options& options) {
  app.add_option("--read", options.read,
                 "pcap or pcapng file, also .gz and .zst; - is stdin. Repeatable, read in order")
      ->type_name("FILE");
  app.add_option("--filter", options.filter,
                 "count only packets that match this pcap filter, see pcap-filter(7)")
      ->type_name("EXPR");
  app.add_option("--threads", options.threads,
                 "threads that count packets; the output is the same at any number")
      ->type_name("N")
      ->check(CLI::Range(1U, kThreadsMax))
      ->capture_default_str();
}

void add_output_flags(CLI::App& app, Options& options, Raw& raw) {
  app.add_option(
         "--collector", raw.collectors,
         "where flows go. HOST:PORT or udp://HOST:PORT sends IPFIX over UDP (port 4739 if none is\n"
         "given, IPv6 in brackets); file:PATH writes IPFIX messages (RFC 5655); stdout or "
         "csv:PATH\n"
         "writes CSV; json:PATH one object a line. The path - is stdout. Repeatable, each gets\n"
         "everything [stdout]")
      ->type_name("DEST")
      ->allow_extra_args(false);
  app.add_option("--observation_domain", options.observation_domain,
                 "Observation Domain ID of the messages")
      ->type_name("N")
      ->default_val(1);
  app.add_option("--udp_records_per_second", options.udp_records_per_second,
                 "pace of UDP export; 0 is unlimited")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{0}, kRecordsPerSecondMax))
      ->default_val(kDefaultRecordsPerSecond);
  app.add_option("--timestamps", raw.time_unit,
                 "flow times as IPFIX elements 156/157 (ns), 154/155 (us) or 152/153 (ms)")
      ->type_name("ns|us|ms")
      ->capture_default_str();
}

void add_flow_flags(CLI::App& app, Options& options, Raw& raw) {
  app.add_option("--upload_every_secs,--active_timeout", raw.active_seconds,
                 "active timeout: a flow that goes on is reported this often")
      ->type_name("S")
      ->capture_default_str();
  app.add_option("--flow_timeout_secs,--idle_timeout", raw.idle_seconds,
                 "idle timeout: a flow without packets for this long is reported")
      ->type_name("S")
      ->capture_default_str();
  app.add_option("--flows_max", options.flows_max,
                 "the most flows held at once; memory is bounded by it")
      ->type_name("N")
      ->check(CLI::Range(1U, kFlowsMaxMax))
      ->default_val(kDefaultFlowsMax);
}

// Written so that "nan" is refused too.
Result<uint64_t> timeout(std::string_view flag, double seconds) {
  if (seconds >= kTimeoutSecondsMin && seconds <= kTimeoutSecondsMax) {
    return static_cast<uint64_t>(std::llround(seconds * 1e9));
  }
  return fail("{}: {} is not between {} and {} seconds", flag, seconds, kTimeoutSecondsMin,
              kTimeoutSecondsMax);
}

std::vector<std::string> known_flags(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      flags.push_back("--" + name);
  }
  return flags;
}

Answer bad_usage(std::string_view what) {
  return {fmt::format("clerk: {} (clerk --help tells all flags)\n", what), kExitBadUsage};
}

// An argument that belongs to no flag.
Answer unknown_argument(const CLI::App& app, const std::string& argument) {
  if (!argument.starts_with('-')) {
    return bad_usage(fmt::format("'{}' belongs to no flag; to read a capture file write --read {}",
                                 argument, argument));
  }
  const std::string name = argument.substr(0, argument.find('='));
  const auto similar = nearest(name, known_flags(app));
  return bad_usage(
      fmt::format("unknown flag {}{}", name,
                  similar ? fmt::format("; did you mean {}?", *similar) : std::string()));
}

Result<ipfix::TimeUnit> time_unit(std::string_view text) {
  if (text == "ns") return ipfix::TimeUnit::Nanoseconds;
  if (text == "us") return ipfix::TimeUnit::Microseconds;
  if (text == "ms") return ipfix::TimeUnit::Milliseconds;
  return fail("--timestamps {}: choose ns, us or ms", text);
}

Result<void> finish(const Raw& raw, Options& options) {
  if (options.read.empty()) return fail("nothing to read; name a capture file with --read FILE");
  for (const std::string& text : raw.collectors) {
    options.collectors.push_back(TRY(parse_destination(text)));
  }
  if (raw.collectors.empty()) options.collectors.push_back(TRY(parse_destination("stdout")));
  options.active_timeout_ns =
      TRY(timeout("--upload_every_secs (--active_timeout)", raw.active_seconds));
  options.idle_timeout_ns = TRY(timeout("--flow_timeout_secs (--idle_timeout)", raw.idle_seconds));
  options.time_unit = TRY(time_unit(raw.time_unit));
  TRY(PacketFilter::create(options.filter));
  return {};
}

std::variant<Options, Answer> parse(CLI::App& app, std::vector<std::string> arguments,
                                    Options& options, Raw& raw) {
  try {
    std::ranges::reverse(arguments);  // CLI11 takes them from the back
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    return Answer{app.help(), kExitDone};
  } catch (const CLI::CallForVersion&) {
    return Answer{fmt::format("clerk {}\n", kVersion), kExitDone};
  } catch (const CLI::ParseError& error) {
    return bad_usage(error.what());
  }
  if (const auto extras = app.remaining(); !extras.empty())
    return unknown_argument(app, extras.front());
  if (auto finished = finish(raw, options); !finished) return bad_usage(finished.error().message);
  return options;
}

}  // namespace

std::variant<Options, Answer> parse_command_line(int argc, const char* const* argv) {
  if (argc <= 1) {
    return Answer{fmt::format("{}\n\n{}\nclerk --help tells all flags.\n", kDescription, kExamples),
                  kExitBadUsage};
  }
  Options options;
  Raw raw;
  CLI::App app(std::string(kDescription), "clerk");
  app.allow_extras();
  app.footer(std::string(kExamples));
  add_input_flags(app, options);
  add_output_flags(app, options, raw);
  add_flow_flags(app, options, raw);
  app.add_flag("--check", options.check,
               "resolve collectors, open sources, print the plan and the memory bound, exit");
  app.set_version_flag("--version", std::string(kVersion));
  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::ranges::for_each(arguments, spell_with_underscores);
  return parse(app, std::move(arguments), options, raw);
}

}  // namespace clerk
