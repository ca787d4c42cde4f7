#include "clerk/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <thread>

#include "base/cpu_list.h"
#include "capture/packet_filter.h"
#include "clerk/file_pipeline.h"
#include "clerk/version.h"
#include "command_line/flags.h"
#include "flow/ledger.h"

namespace clerk {
namespace {

constexpr double kDefaultActiveSeconds = 60;
constexpr double kDefaultIdleSeconds = 30;
constexpr double kTimeoutSecondsMin = 1;
constexpr double kTimeoutSecondsMax = 86400;
constexpr uint32_t kDefaultFlowsMax = 4194304;
constexpr uint32_t kFlowsMaxMax = 1U << 30;
constexpr uint32_t kThreadsMax = FilePipeline::kThreadsMax;
constexpr uint32_t kDefaultLiveThreadsMax = 8;
constexpr uint32_t kDefaultSnaplen = 256;
constexpr uint32_t kSnaplenMin = 64;
constexpr uint32_t kSnaplenMax = 65535;
constexpr uint32_t kMtuMin = 68;     // RFC 791
constexpr uint32_t kMtuMax = 65536;  // that of loopback; no interface of Linux has a larger one
constexpr uint32_t kDefaultRingMib = 64;
constexpr uint32_t kRingMibMin = 2;
constexpr uint32_t kRingMibMax = 65536;
constexpr uint32_t kDefaultRereadSeconds = 86400;
constexpr uint32_t kRereadSecondsMax = 366 * 86400;
constexpr uint64_t kDefaultRecordsPerSecond = 100000;
constexpr uint64_t kRecordsPerSecondMax = 1'000'000'000;

constexpr std::string_view kExamples =
    "Examples:\n"
    "  clerk --read x.pcap                                   what is in this file? flows to "
    "stdout\n"
    "  clerk --interface eth1 --collector 10.0.0.5:4739      a live port to an IPFIX collector\n"
    "  clerk --testimony /run/testimony/eth1.sock --filter 'not port 22' --collector "
    "10.0.0.5:4739\n"
    "                                                        packets that testimonyd shares\n";

constexpr std::string_view kDescription =
    "clerk counts every packet into flows and tells IPFIX collectors about them.\n"
    "Flags may be written with - or _, as --flag value or --flag=value.";

// How --help groups the flags.
constexpr const char* kInputGroup = "Where packets come from";
constexpr const char* kInterfaceGroup = "How they are captured, with --interface";
constexpr const char* kLiveGroup = "Live, with --interface or --testimony";
constexpr const char* kFlowGroup = "Flows";
constexpr const char* kOutputGroup = "Where flows go";
constexpr const char* kRunGroup = "The run";

// Values as CLI11 reads them, before they become Options.
struct Raw {
  std::vector<std::string> collectors;
  std::optional<std::string> explain;
  double active_seconds = kDefaultActiveSeconds;
  double idle_seconds = kDefaultIdleSeconds;
  std::string time_unit = "ns";
  std::string fanout = "hash";
  std::string cpus;
  std::optional<std::string> decapsulate;
  std::string asns_csv;
  std::string asn_db;
  std::string log_level = "info";
  std::optional<uint64_t> udp_records_per_second;
  uint32_t threads = 0;  // 0: not given
  uint32_t ring_mib = 0;
};

void add_input_flags(CLI::App& app, Options& options, Raw& raw) {
  app.option_defaults()->group(kInputGroup);
  app.add_option("--read", options.read,
                 "pcap or pcapng file, also .gz and .zst; - is stdin. Repeatable, read in order")
      ->type_name("FILE");
  app.add_option("--interface", options.interfaces,
                 "network interface to capture on, live, until SIGINT or SIGTERM. Repeatable")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option("--testimony", options.testimony,
                 "socket of a testimonyd, whose packets other programs read too: every index of\n"
                 "its fanout, a thread each. It is waited for, whenever it is away. Repeatable")
      ->type_name("SOCKET")
      ->allow_extra_args(false);
  app.add_option("--filter", options.filter,
                 "count only packets that match this pcap filter, see pcap-filter(7)")
      ->type_name("EXPR");
  app.add_option(
         "--mtu", options.mtu,
         "longest IP packet that the link carries; longer ones were merged before they were\n"
         "captured and are counted as super_packets [an interface's own, else 1500]")
      ->type_name("N")
      ->check(CLI::Range(kMtuMin, kMtuMax));
  app.add_option("--threads", raw.threads,
                 "threads that count packets: for files 1, the output is the same at any number;\n"
                 "for each interface as many as --cpus names, or as there are, at most 8; for a\n"
                 "testimony socket only while no daemon tells how many indexes there are")
      ->type_name("N")
      ->check(CLI::Range(1U, kThreadsMax));
}

void add_capture_flags(CLI::App& app, Options& options, Raw& raw) {
  app.option_defaults()->group(kInterfaceGroup);
  app.add_option("--fanout", raw.fanout,
                 "how the kernel spreads an interface's packets over its threads")
      ->type_name("hash|cpu|lb|qm|rnd|rollover")
      ->capture_default_str();
  app.add_option("--snaplen", options.af_packet.snaplen, "octets taken of each packet")
      ->type_name("N")
      ->check(CLI::Range(kSnaplenMin, kSnaplenMax))
      ->default_val(kDefaultSnaplen);
  app.add_option("--ring_mib", raw.ring_mib, "memory of each thread in which packets wait, in MiB")
      ->type_name("N")
      ->check(CLI::Range(kRingMibMin, kRingMibMax))
      ->default_val(kDefaultRingMib);
  app.add_flag_callback(
      "--promiscuous", [&options] { options.af_packet.promiscuous = true; },
      "take packets for other hosts too; the default");
  app.add_flag_callback(
      "--no_promiscuous", [&options] { options.af_packet.promiscuous = false; },
      "take only packets for this host");
  app.add_flag("--wait", options.af_packet.wait,
               "start also when an interface is not there yet, and wait for it");
  app.option_defaults()->group(kLiveGroup);
  app.add_option("--cpus", raw.cpus, "keep the threads on these CPUs in turn, as in 0-3,8")
      ->type_name("LIST");
}

void add_asn_flags(CLI::App& app, Options& options, Raw& raw) {
  app.option_defaults()->group(kFlowGroup);
  app.add_option("--asns_csv", raw.asns_csv,
                 "AS numbers by address: lines of first address,last address,asn")
      ->type_name("FILE");
  app.add_option("--asn_db", raw.asn_db, "the same from a MaxMind database (.mmdb)")
      ->type_name("FILE");
  app.add_option("--asns_reread_every_secs", options.asns_reread_seconds,
                 "live: how often that file is read again; SIGHUP does so at once")
      ->type_name("S")
      ->check(CLI::Range(1U, kRereadSecondsMax))
      ->default_val(kDefaultRereadSeconds);
}

void add_output_flags(CLI::App& app, Options& options, Raw& raw) {
  app.option_defaults()->group(kOutputGroup);
  app.add_option(
         "--collector", raw.collectors,
         "where flows go. HOST:PORT or udp://HOST:PORT sends IPFIX over UDP (port 4739 if none is\n"
         "given, IPv6 in brackets); file:PATH writes IPFIX messages (RFC 5655); stdout or "
         "csv:PATH\n"
         "writes CSV; json:PATH one object a line. The path - is stdout. Repeatable, each gets\n"
         "everything [stdout]")
      ->type_name("DEST")
      ->allow_extra_args(false);
  app.add_option(
         "--explain", raw.explain,
         "with --read: write to stdout, instead of flows, how each packet of this flow was\n"
         "decoded and which record it went into: '10.0.0.1:1234>10.0.0.2:80/tcp'. A part that is\n"
         "* or left out is any; IPv6 with a port in brackets")
      ->type_name("SRC:PORT>DST:PORT/PROTO");
  app.add_option("--observation_domain", options.observation_domain,
                 "Observation Domain ID of the messages")
      ->type_name("N")
      ->default_val(1);
  app.add_option(
         "--udp_records_per_second", raw.udp_records_per_second,
         fmt::format("the highest pace of UDP export; 0 is unlimited [{}; live more while more\n"
                     "flows end, so that all leave within a second]",
                     kDefaultRecordsPerSecond))
      ->type_name("N")
      ->check(CLI::Range(uint64_t{0}, kRecordsPerSecondMax));
  app.add_option("--timestamps", raw.time_unit,
                 "flow times as IPFIX elements 156/157 (ns), 154/155 (us) or 152/153 (ms)")
      ->type_name("ns|us|ms")
      ->capture_default_str();
}

void add_flow_flags(CLI::App& app, Options& options, Raw& raw) {
  app.option_defaults()->group(kFlowGroup);
  app.add_option("--upload_every_secs,--active_timeout", raw.active_seconds,
                 "active timeout: a flow that goes on is reported this often")
      ->type_name("S")
      ->capture_default_str();
  app.add_option("--flow_timeout_secs,--idle_timeout", raw.idle_seconds,
                 "idle timeout: a flow without packets for this long is reported")
      ->type_name("S")
      ->capture_default_str();
  app.add_option(
         "--decapsulate", raw.decapsulate,
         fmt::format("look into these tunnels and count what they hold: all, or some of\n{}\n"
                     "[none: by the outer header]",
                     tunnel_names()))
      ->type_name("LIST");
  app.add_option("--flows_max", options.flows_max,
                 "the most flows held at once; memory is bounded by it")
      ->type_name("N")
      ->check(CLI::Range(1U, kFlowsMaxMax))
      ->default_val(kDefaultFlowsMax);
  app.add_option(
         "--ledger_threads", options.ledger_threads,
         "threads that hold the flows, should one not keep up with those that count: the log\n"
         "says so. The output is the same at any number; but once there are --flows_max\n"
         "flows, several make room for all new ones of a second at a time")
      ->type_name("N")
      ->check(CLI::Range(1U, Ledger::kThreadsMax))
      ->default_val(1);
  app.add_flag(
      "--non_ip", options.meter.non_ip,
      "meter packets without IP too, as flows of MAC addresses, VLAN id and EtherType, in a\n"
      "template of their own");
}

// Written so that "nan" is refused too.
Result<uint64_t> timeout(std::string_view flag, double seconds) {
  if (seconds >= kTimeoutSecondsMin && seconds <= kTimeoutSecondsMax) {
    return static_cast<uint64_t>(std::llround(seconds * 1e9));
  }
  return fail("{}: {} is not between {} and {} seconds", flag, seconds, kTimeoutSecondsMin,
              kTimeoutSecondsMax);
}

void add_run_flags(CLI::App& app, Options& options, Raw& raw) {
  app.option_defaults()->group(kRunGroup);
  app.add_option(
         "--user", options.user,
         "account to become: live once interfaces and outputs are open, and before testimony\n"
         "sockets are; for files at once [root that captures becomes clerk if there is such an\n"
         "account, else nobody; root that only reads testimony sockets, the owner of the first]")
      ->type_name("NAME");
  app.add_option("--log_level", raw.log_level, "the least grave lines of the log on stderr")
      ->type_name("debug|info|warn|error")
      ->capture_default_str();
  app.add_flag("--check", options.check,
               "resolve collectors, open sources, print the plan and the memory bound, exit");
  app.set_version_flag("--version", std::string(kVersion), "print the version and exit");
  app.set_help_flag("-h,--help", "print this and exit");
}

Answer bad_usage(std::string_view what) {
  return {fmt::format("clerk: {} (clerk --help tells all flags)\n", what), kExitBadUsage};
}

// An argument that belongs to no flag.
Answer unknown_argument(const CLI::App& app, const std::string& argument) {
  if (!argument.starts_with('-')) {
    return bad_usage(
        fmt::format("'{}' belongs to no flag; to read a capture file write --read {}, to "
                    "capture --interface {}",
                    argument, argument, argument));
  }
  return bad_usage(describe_unknown_flag(app, argument));
}

Result<ipfix::TimeUnit> time_unit(std::string_view text) {
  if (text == "ns") return ipfix::TimeUnit::Nanoseconds;
  if (text == "us") return ipfix::TimeUnit::Microseconds;
  if (text == "ms") return ipfix::TimeUnit::Milliseconds;
  return fail("--timestamps {}: choose ns, us or ms", text);
}

Result<TunnelSet> tunnels(std::string_view list) {
  auto tunnels = parse_tunnels(list);
  if (!tunnels) return fail("--decapsulate: {}", tunnels.error().message);
  return tunnels;
}

Result<Fanout> fanout(std::string_view text) {
  if (text == "hash") return Fanout::Hash;
  if (text == "cpu") return Fanout::Cpu;
  if (text == "lb") return Fanout::Lb;
  if (text == "qm") return Fanout::Qm;
  if (text == "rnd") return Fanout::Rnd;
  if (text == "rollover") return Fanout::Rollover;
  return fail("--fanout {}: choose hash, cpu, lb, qm, rnd or rollover", text);
}

Result<AsnFile> asn_file(const Raw& raw) {
  if (!raw.asns_csv.empty() && !raw.asn_db.empty())
    return fail("--asns_csv and --asn_db: choose one");
  if (!raw.asns_csv.empty()) return AsnFile{AsnFormat::Csv, raw.asns_csv};
  if (!raw.asn_db.empty()) return AsnFile{AsnFormat::Database, raw.asn_db};
  return AsnFile{};
}

// What the user asks for is a limit.
RecordPace udp_pace(const Raw& raw) {
  if (raw.udp_records_per_second) return {*raw.udp_records_per_second, RecordPace::Kind::Limit};
  return {kDefaultRecordsPerSecond, RecordPace::Kind::Usual};
}

uint32_t default_threads(const Options& options) {
  if (!options.live()) return 1;
  if (!options.cpus.empty())
    return std::min(static_cast<uint32_t>(options.cpus.size()), kThreadsMax);
  return std::clamp(std::thread::hardware_concurrency(), 1U, kDefaultLiveThreadsMax);
}

// Under two names its packets would count twice.
Result<void> check_named_once(std::string_view flag, const std::vector<std::string>& names) {
  for (auto at = names.begin(); at != names.end(); ++at) {
    if (std::find(names.begin(), at, *at) != at)
      return fail("{} {}: named twice; each of its packets would count twice", flag, *at);
  }
  return {};
}

Result<void> finish_capture(const Raw& raw, Options& options) {
  if (!raw.cpus.empty()) options.cpus = TRY(parse_cpu_list(raw.cpus));
  options.threads = raw.threads > 0 ? raw.threads : default_threads(options);
  AfPacketOptions& capture = options.af_packet;
  capture.members = options.threads;
  capture.fanout = TRY(fanout(raw.fanout));
  capture.filter = options.filter;
  capture.ring_octets = size_t{raw.ring_mib} << 20;
  TRY(check_named_once("--interface", options.interfaces));
  TRY(check_named_once("--testimony", options.testimony));
  TRY(PacketFilter::create(options.filter));
  return {};
}

// The explanation is for people who read it alone on stdout, and it takes packets one by one.
Result<void> finish_explain(const Raw& raw, Options& options) {
  if (!raw.explain) return {};
  options.explain = TRY(parse_explain_expression(*raw.explain));
  if (options.live()) return fail("--explain: only with --read");
  if (raw.threads > 1)
    return fail("--explain and --threads {}: packets are explained by one thread", raw.threads);
  if (options.ledger_threads > 1)
    return fail("--explain and --ledger_threads {}: packets are explained by one thread",
                options.ledger_threads);
  for (const Destination& destination : options.collectors) {
    if (destination.kind != DestinationKind::Udp && destination.path == "-")
      return fail("--explain and --collector {}: both write to stdout; name a file for the flows",
                  destination.name);
  }
  return {};
}

Result<void> finish(const Raw& raw, Options& options) {
  if (!options.read.empty() && options.live())
    return fail("--read and {}: one run reads files or captures, not both",
                options.interfaces.empty() ? "--testimony" : "--interface");
  if (options.read.empty() && !options.live())
    return fail(
        "nothing to read; name a capture file with --read FILE, a network interface with "
        "--interface NAME or a testimonyd with --testimony SOCKET");
  for (const std::string& text : raw.collectors) {
    options.collectors.push_back(TRY(parse_destination(text)));
  }
  if (raw.collectors.empty() && !raw.explain)
    options.collectors.push_back(TRY(parse_destination("stdout")));
  TRY(finish_explain(raw, options));
  options.active_timeout_ns =
      TRY(timeout("--upload_every_secs (--active_timeout)", raw.active_seconds));
  options.idle_timeout_ns = TRY(timeout("--flow_timeout_secs (--idle_timeout)", raw.idle_seconds));
  options.udp_pace = udp_pace(raw);
  options.time_unit = TRY(time_unit(raw.time_unit));
  options.meter.mtu = options.mtu.value_or(kEthernetMtu);
  if (raw.decapsulate) {
    options.meter.tunnels = TRY(tunnels(*raw.decapsulate));
    options.decapsulate = *raw.decapsulate;
  }
  options.asns = TRY(asn_file(raw));
  options.log_level = TRY(parse_log_level(raw.log_level));
  return finish_capture(raw, options);
}

// A flag for another kind of input than there is.
std::optional<std::string> useless_flag(const CLI::App& app, const Options& options) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0) continue;
    if (option->get_group() == kInterfaceGroup && options.interfaces.empty())
      return fmt::format("{}: only with --interface", option->get_name());
    if (option->get_group() == kLiveGroup && !options.live())
      return fmt::format("{}: only with --interface or --testimony", option->get_name());
  }
  return std::nullopt;
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
  if (const auto useless = useless_flag(app, options)) return bad_usage(*useless);
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
  add_input_flags(app, options, raw);
  add_capture_flags(app, options, raw);
  add_flow_flags(app, options, raw);
  add_asn_flags(app, options, raw);
  add_output_flags(app, options, raw);
  add_run_flags(app, options, raw);
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (std::string& argument : arguments)
    spell_as_registered(app, argument);
  return parse(app, std::move(arguments), options, raw);
}

}  // namespace clerk
