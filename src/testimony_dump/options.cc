#include "testimony_dump/options.h"

#include <CLI/CLI.hpp>

#include "clerk/version.h"

namespace testimony_dump {
namespace {

constexpr const char* kDescription =
    "testimony-dump shows the packets of a ring that testimonyd shares, or writes them to a pcap "
    "file.";

constexpr const char* kExamples =
    "Examples:\n"
    "  testimony-dump /run/testimony/eth1.sock               a line for each packet, until ^C\n"
    "  testimony-dump /run/testimony/eth1.sock --count 10    for ten of them\n"
    "  testimony-dump /run/testimony/eth1.sock -w eth1.pcap  into a file\n"
    "  testimony-dump /run/testimony/eth1.sock -w - | tcpdump -n -r -\n";

Answer bad_usage(const std::string& what) {
  return {"testimony-dump: " + what + " (testimony-dump --help tells all flags)\n", kExitBadUsage};
}

// What is wrong with a count that is none.
std::string not_none(const std::string& count) {
  return count == "0" ? "must be at least 1" : std::string();
}

void add_flags(CLI::App& app, Options& options) {
  app.add_option("SOCKET", options.socket, "socket of testimonyd: SocketName in its configuration")
      ->type_name("")
      ->required();
  app.add_option("--index", options.index,
                 "only this part of the ring, from 0; without it all parts, which is all traffic")
      ->type_name("I");
  app.add_option("--count", options.count, "stop after so many packets")
      ->type_name("N")
      ->check(CLI::Validator(not_none, ""));
  app.add_option("-w,--write", options.file, "write a pcap file instead of lines; - is stdout")
      ->type_name("FILE");
  app.set_version_flag("--version", "testimony-dump " + std::string(clerk::kVersion));
}

}  // namespace

std::variant<Options, Answer> parse_command_line(int argc, const char* const* argv) {
  if (argc <= 1) {
    return Answer{std::string(kDescription) + "\n\n" + kExamples +
                      "\ntestimony-dump --help tells all flags.\n",
                  kExitBadUsage};
  }
  Options options;
  CLI::App app(kDescription, "testimony-dump");
  app.footer(kExamples);
  add_flags(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Answer{app.help()};
  } catch (const CLI::CallForVersion&) {
    return Answer{app.version() + "\n"};
  } catch (const CLI::ParseError& error) {
    return bad_usage(error.what());
  }
  return options;
}

}  // namespace testimony_dump
