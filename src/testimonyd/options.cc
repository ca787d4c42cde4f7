#include "testimonyd/options.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "clerk/version.h"
#include "command_line/flags.h"
#include "testimonyd/config_keys.h"

namespace clerk {
namespace {

constexpr std::string_view kDescription =
    "testimonyd captures packets once and shares them, in the kernel's own memory, with any "
    "number\n"
    "of programs that speak the testimony protocol: clerk --testimony, stenographer and others.\n"
    "Flags may be written with - or _, as --flag value or --flag=value.";

constexpr std::string_view kExamples =
    "Examples:\n"
    "  testimonyd                                  serve what /etc/testimony.conf describes\n"
    "  testimonyd --check --config new.conf        is this file right? what would it serve?\n"
    "  testimonyd --config eth1.conf --verbose     another file, and tell of each client\n"
    "\n"
    "A file for one interface:\n"
    "  [{\"SocketName\": \"/run/testimony.sock\", \"Interface\": \"eth1\", \"BlockSize\": "
    "1048576,\n"
    "    \"NumBlocks\": 64, \"Group\": \"adm\"}]\n"
    "\n"
    "Signals: SIGHUP reads the file again, SIGUSR1 logs the counters, SIGTERM and SIGINT end.\n";

// Wide enough for the longest key and the blanks around it.
constexpr size_t kMeaningColumn = 22;

// The original daemon's levels of verbosity: any above 0 tells what only developers want to know.
constexpr int32_t kVerbosityMax = 1000;

std::string describe_keys() {
  std::string text =
      "The keys of the configuration, an array of JSON objects, one for each socket:\n";
  for (const ConfigKeyDescription& key : kConfigKeys) {
    std::string meaning(key.meaning);
    if (key.is_required()) meaning += "; must be there";
    for (size_t at = meaning.find('\n'); at != std::string::npos; at = meaning.find('\n', at + 1))
      meaning.insert(at + 1, kMeaningColumn, ' ');
    fmt::format_to(std::back_inserter(text), "  {:<{}}{}\n", key.name, kMeaningColumn - 2, meaning);
  }
  return text;
}

Answer bad_usage(std::string_view what) {
  return {fmt::format("testimonyd: {} (testimonyd --help tells all flags)\n", what), kExitBadUsage};
}

void add_flags(CLI::App& app, DaemonOptions& options, int32_t& verbosity) {
  app.add_option("--config", options.config, "the configuration: JSON, see below")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_flag("--check", options.check,
               "tell all that is wrong with the configuration, or what it would serve, and exit");
  app.add_option("--stats_socket", options.stats_socket,
                 "socket that tells the counters to whoever connects [none]")
      ->type_name("PATH");
  app.add_flag("--syslog", options.syslog,
               "log to syslog and not to stderr, which the journal reads under systemd");
  app.add_option("-v,--verbose", verbosity, "log what happens to each client; -v 0 does not")
      ->type_name("[N]")
      ->check(CLI::Range(0, kVerbosityMax));
  app.set_version_flag("--version", std::string(kVersion), "print the version and exit");
  app.set_help_flag("-h,--help", "print this and exit");
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The value behind a flag of verbosity; empty when it stands in the next argument, or nowhere.
std::optional<std::string> verbosity_value(const std::string& argument) {
  const size_t name_end = std::min(argument.find('='), argument.size());
  const std::string_view name = std::string_view(argument).substr(0, name_end);
  if (name != "-v" && name != "--v" && name != "--verbose") return std::nullopt;
  return argument.substr(std::min(name_end + 1, argument.size()));
}

// -v alone, -v 3, -v=3, --verbose and so on all become --verbose=N.
std::vector<std::string> spell_verbosity(const std::vector<std::string>& arguments) {
  std::vector<std::string> spelled;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto value = verbosity_value(arguments[i]);
    if (!value) {
      spelled.push_back(arguments[i]);
      continue;
    }
    const bool is_next = value->empty() && i + 1 < arguments.size() && is_number(arguments[i + 1]);
    const std::string number = is_next ? arguments[++i] : value->empty() ? "1" : *value;
    spelled.push_back("--verbose=" + number);
  }
  return spelled;
}

Answer unknown_argument(const CLI::App& app, const std::string& argument) {
  if (argument.starts_with('-')) return bad_usage(describe_unknown_flag(app, argument));
  return bad_usage(fmt::format("'{}' belongs to no flag; to read a configuration write --config {}",
                               argument, argument));
}

std::optional<Answer> check(const DaemonOptions& options) {
  constexpr size_t kPathOctetsMax = sizeof(sockaddr_un::sun_path) - 1;
  if (options.config.empty()) return bad_usage("--config: name the file to read");
  if (options.stats_socket.size() > kPathOctetsMax)
    return bad_usage(
        fmt::format("--stats_socket: has {} octets, and the path of a socket no more "
                    "than {} (unix(7))",
                    options.stats_socket.size(), kPathOctetsMax));
  return std::nullopt;
}

std::optional<Answer> parse(CLI::App& app, std::vector<std::string> arguments) {
  try {
    std::ranges::reverse(arguments);  // CLI11 takes them from the back
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    return Answer{app.help(), kExitDone};
  } catch (const CLI::CallForVersion&) {
    return Answer{fmt::format("testimonyd {}\n", kVersion), kExitDone};
  } catch (const CLI::ParseError& error) {
    return bad_usage(error.what());
  }
  if (const auto extras = app.remaining(); !extras.empty())
    return unknown_argument(app, extras.front());
  return std::nullopt;
}

}  // namespace

std::variant<DaemonOptions, Answer> parse_daemon_command_line(int argc, const char* const* argv) {
  DaemonOptions options;
  int32_t verbosity = 0;
  CLI::App app(std::string(kDescription), "testimonyd");
  app.allow_extras();
  app.footer(fmt::format("{}\n{}", describe_keys(), kExamples));
  add_flags(app, options, verbosity);
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  for (std::string& argument : arguments)
    spell_as_registered(app, argument);
  if (auto answer = parse(app, spell_verbosity(arguments))) return *std::move(answer);
  if (auto answer = check(options)) return *std::move(answer);
  if (verbosity > 0) options.log_level = LogLevel::Debug;
  return options;
}

}  // namespace clerk
