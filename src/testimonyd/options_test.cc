#include "testimonyd/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "clerk/version.h"
#include "testimonyd/config_keys.h"

namespace clerk {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

using Arguments = std::vector<const char*>;

std::variant<DaemonOptions, Answer> parse(Arguments arguments) {
  arguments.insert(arguments.begin(), "testimonyd");
  return parse_daemon_command_line(static_cast<int>(arguments.size()), arguments.data());
}

DaemonOptions options_of(const Arguments& arguments) {
  const auto parsed = parse(arguments);
  const auto* answer = std::get_if<Answer>(&parsed);
  EXPECT_EQ(answer, nullptr) << answer->text;
  return answer == nullptr ? std::get<DaemonOptions>(parsed) : DaemonOptions{};
}

Answer answer_to(const Arguments& arguments) {
  const auto parsed = parse(arguments);
  const auto* answer = std::get_if<Answer>(&parsed);
  return answer == nullptr ? Answer{"no answer", -1} : *answer;
}

std::string error_of(const Arguments& arguments) {
  const Answer answer = answer_to(arguments);
  EXPECT_EQ(answer.exit_status, kExitBadUsage);
  EXPECT_THAT(answer.text, StartsWith("testimonyd: "));
  return answer.text;
}

TEST(DaemonOptions, ThereAreDefaultsForAll) {
  const DaemonOptions options = options_of({});
  EXPECT_EQ(options.config, "/etc/testimony.conf");
  EXPECT_EQ(options.stats_socket, "");
  EXPECT_FALSE(options.syslog);
  EXPECT_EQ(options.log_level, LogLevel::Info);
  EXPECT_FALSE(options.check);
}

TEST(DaemonOptions, WithoutAnyArgumentTheDefaultsHold) {
  const auto parsed = parse_daemon_command_line(0, nullptr);
  EXPECT_TRUE(std::holds_alternative<DaemonOptions>(parsed));
}

TEST(DaemonOptions, TakeEveryFlag) {
  const DaemonOptions options = options_of(
      {"--config", "a.conf", "--stats_socket", "/run/s", "--syslog", "--verbose", "--check"});
  EXPECT_EQ(options.config, "a.conf");
  EXPECT_EQ(options.stats_socket, "/run/s");
  EXPECT_TRUE(options.syslog);
  EXPECT_EQ(options.log_level, LogLevel::Debug);
  EXPECT_TRUE(options.check);
}

TEST(DaemonOptions, TakeTheCommandLineOfTheOriginal) {
  const DaemonOptions options = options_of({"-config=/x", "-syslog=false", "-v", "3"});
  EXPECT_EQ(options.config, "/x");
  EXPECT_FALSE(options.syslog);
  EXPECT_EQ(options.log_level, LogLevel::Debug);
}

TEST(DaemonOptions, FlagsAreSpelledWithHyphensOrUnderscores) {
  for (const Arguments& arguments :
       {Arguments{"--stats-socket", "x"}, Arguments{"--stats_socket=x"},
        Arguments{"-stats-socket=x"}, Arguments{"-stats_socket", "x"}})
    EXPECT_EQ(options_of(arguments).stats_socket, "x");
}

TEST(DaemonOptions, SyslogIsTrueOrFalse) {
  for (const char* yes : {"-syslog", "--syslog", "--syslog=true", "-syslog=true", "-syslog=1"})
    EXPECT_TRUE(options_of({yes}).syslog) << yes;
  for (const char* no : {"--syslog=false", "-syslog=false", "-syslog=0"})
    EXPECT_FALSE(options_of({no}).syslog) << no;
  EXPECT_THAT(error_of({"--syslog=maybe"}), HasSubstr("maybe"));
}

TEST(DaemonOptions, VerbosityAboveZeroIsDebug) {
  for (const Arguments& debug :
       {Arguments{"-v"}, Arguments{"-v", "1"}, Arguments{"-v=3"}, Arguments{"-v3"},
        Arguments{"--v=1"}, Arguments{"--verbose"}, Arguments{"--verbose", "2"},
        Arguments{"--verbose=2"}, Arguments{"-verbose"}, Arguments{"-v", "--config", "7"}})
    EXPECT_EQ(options_of(debug).log_level, LogLevel::Debug) << debug.back();
  for (const Arguments& info :
       {Arguments{"-v", "0"}, Arguments{"-v=0"}, Arguments{"--verbose=0"}, Arguments{"-v0"}})
    EXPECT_EQ(options_of(info).log_level, LogLevel::Info) << info.back();
  EXPECT_THAT(error_of({"-v=much"}), HasSubstr("much"));
  EXPECT_THAT(error_of({"-v=-1"}), HasSubstr("-1"));
  EXPECT_THAT(error_of({"-v", "much"}), HasSubstr("'much' belongs to no flag"));
}

TEST(DaemonOptions, AnUnknownFlagIsToldTheNearest) {
  EXPECT_THAT(error_of({"--confg", "x"}),
              HasSubstr("unknown flag --confg; did you mean --config?"));
  EXPECT_THAT(error_of({"-c", "x"}), HasSubstr("unknown flag -c; did you mean --config?"));
}

TEST(DaemonOptions, AFileAloneIsToldItsFlag) {
  EXPECT_THAT(
      error_of({"x.conf"}),
      HasSubstr("'x.conf' belongs to no flag; to read a configuration write --config x.conf"));
}

TEST(DaemonOptions, PathsAreCheckedAsFarAsWordsCanBe) {
  EXPECT_THAT(error_of({"--config="}), HasSubstr("--config"));
  EXPECT_THAT(error_of({"--config"}), HasSubstr("--config"));
  EXPECT_THAT(error_of({"--stats_socket", std::string(108, 'x').c_str()}),
              HasSubstr("--stats_socket: has 108 octets"));
}

TEST(DaemonOptions, HelpTellsEveryFlagAndEveryKeyAndExamples) {
  const auto [text, exit_status] = answer_to({"--help"});
  EXPECT_EQ(exit_status, kExitDone);
  for (const char* word : {"--config", "--check", "--stats_socket", "--syslog", "-v,--verbose",
                           "--version", "--help", "Examples:", "SIGHUP"})
    EXPECT_THAT(text, HasSubstr(word));
  for (const ConfigKeyDescription& key : kConfigKeys)
    EXPECT_THAT(text, HasSubstr(std::string("\n  ").append(key.name) + " "));
}

TEST(DaemonOptions, VersionIsOneLine) {
  const auto [text, exit_status] = answer_to({"--version"});
  EXPECT_EQ(exit_status, kExitDone);
  EXPECT_EQ(text, "testimonyd " + std::string(kVersion) + "\n");
}

}  // namespace
}  // namespace clerk
