#include "clerk/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "clerk/version.h"

namespace clerk {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::variant<Options, Answer> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "clerk");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

// With --read, which every run needs.
Options options_of(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "--read=x.pcap");
  const auto parsed = parse(std::move(arguments));
  const auto* answer = std::get_if<Answer>(&parsed);
  EXPECT_EQ(answer, nullptr) << answer->text;
  return answer == nullptr ? std::get<Options>(parsed) : Options{};
}

std::string error_of(std::vector<const char*> arguments) {
  const auto parsed = parse(std::move(arguments));
  const auto* answer = std::get_if<Answer>(&parsed);
  if (answer == nullptr) return "no error";
  EXPECT_EQ(answer->exit_status, kExitBadUsage);
  EXPECT_THAT(answer->text, StartsWith("clerk: "));
  return answer->text;
}

// The error of these arguments behind --read.
std::string error_behind_read(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "--read=x.pcap");
  return error_of(std::move(arguments));
}

TEST(Options, HaveTheDefaultsOfTheDesign) {
  const Options options = options_of({});
  EXPECT_THAT(options.read, ElementsAre("x.pcap"));
  EXPECT_EQ(options.filter, "");
  EXPECT_EQ(options.threads, 1U);
  ASSERT_EQ(options.collectors.size(), 1U);
  EXPECT_EQ(options.collectors[0].name, "stdout");
  EXPECT_EQ(options.active_timeout_ns, 60'000'000'000U);
  EXPECT_EQ(options.idle_timeout_ns, 30'000'000'000U);
  EXPECT_EQ(options.flows_max, 4194304U);
  EXPECT_FALSE(options.meter.non_ip);
  EXPECT_EQ(options.observation_domain, 1U);
  EXPECT_EQ(options.udp_pace.records_per_second, 100'000U);
  EXPECT_EQ(options.udp_pace.kind, RecordPace::Kind::Usual);
  EXPECT_EQ(options.time_unit, ipfix::TimeUnit::Nanoseconds);
  EXPECT_FALSE(options.check);
}

TEST(Options, TakeEveryFlag) {
  const Options options = options_of({"--filter",
                                      "udp port 53",
                                      "--threads",
                                      "4",
                                      "--collector",
                                      "10.0.0.5",
                                      "--collector",
                                      "json:-",
                                      "--upload_every_secs",
                                      "10.5",
                                      "--flow_timeout_secs",
                                      "1",
                                      "--flows_max",
                                      "1000",
                                      "--observation_domain",
                                      "4294967295",
                                      "--udp_records_per_second",
                                      "0",
                                      "--timestamps",
                                      "us",
                                      "--non-ip",
                                      "--check"});
  EXPECT_EQ(options.filter, "udp port 53");
  EXPECT_EQ(options.threads, 4U);
  ASSERT_EQ(options.collectors.size(), 2U);
  EXPECT_EQ(options.collectors[0].host, "10.0.0.5");
  EXPECT_EQ(options.collectors[1].kind, DestinationKind::Json);
  EXPECT_EQ(options.active_timeout_ns, 10'500'000'000U);
  EXPECT_EQ(options.idle_timeout_ns, 1'000'000'000U);
  EXPECT_EQ(options.flows_max, 1000U);
  EXPECT_EQ(options.observation_domain, 4294967295U);
  EXPECT_EQ(options.udp_pace.records_per_second, 0U);
  EXPECT_EQ(options.udp_pace.kind, RecordPace::Kind::Limit);
  EXPECT_EQ(options.time_unit, ipfix::TimeUnit::Microseconds);
  EXPECT_TRUE(options.meter.non_ip);
  EXPECT_TRUE(options.check);
}

TEST(Options, TimeoutsHaveASecondName) {
  const Options options = options_of({"--active-timeout", "90", "--idle-timeout", "45"});
  EXPECT_EQ(options.active_timeout_ns, 90'000'000'000U);
  EXPECT_EQ(options.idle_timeout_ns, 45'000'000'000U);
}

TEST(Options, FlagsAreSpelledWithHyphensOrUnderscoresWithSpaceOrEqualsSign) {
  for (const auto& arguments : std::vector<std::vector<const char*>>{{"--flow-timeout-secs", "7"},
                                                                     {"--flow_timeout_secs", "7"},
                                                                     {"--flow-timeout_secs=7"},
                                                                     {"--flow_timeout_secs=7"}}) {
    EXPECT_EQ(options_of(arguments).idle_timeout_ns, 7'000'000'000U) << arguments[0];
  }
}

TEST(Options, HyphensInValuesStay) {
  const Options options = options_of({"--collector=csv:my-flows.csv", "--filter", "len - 14 > 3"});
  EXPECT_EQ(options.collectors[0].path, "my-flows.csv");
  EXPECT_EQ(options.filter, "len - 14 > 3");
}

TEST(Options, FilesAreReadInTheirOrder) {
  EXPECT_THAT(options_of({"--read", "b", "--threads", "2", "--read", "-"}).read,
              ElementsAre("x.pcap", "b", "-"));
}

TEST(Options, TimestampsHaveThreeUnits) {
  EXPECT_EQ(options_of({"--timestamps", "ns"}).time_unit, ipfix::TimeUnit::Nanoseconds);
  EXPECT_EQ(options_of({"--timestamps", "ms"}).time_unit, ipfix::TimeUnit::Milliseconds);
}

TEST(Options, AnUnknownTimeUnitIsToldTheOnesThereAre) {
  const std::string error = error_behind_read({"--timestamps", "seconds"});
  for (const char* word : {"--timestamps", "seconds", "ns", "us", "ms"})
    EXPECT_THAT(error, HasSubstr(word));
}

TEST(Options, ValuesOutsideTheirRangeAreRefusedByTheNameOfTheFlag) {
  for (const std::vector<const char*>& arguments :
       std::vector<std::vector<const char*>>{{"--threads", "0"},
                                             {"--threads", "65"},
                                             {"--threads", "-1"},
                                             {"--threads", "two"},
                                             {"--flows_max", "0"},
                                             {"--flows_max", "1073741825"},
                                             {"--flows_max", "4294967297"},
                                             {"--observation_domain", "-1"},
                                             {"--observation_domain", "4294967296"},
                                             {"--udp_records_per_second", "-1"},
                                             {"--udp_records_per_second", "1000000001"},
                                             {"--upload_every_secs", "0.999"},
                                             {"--upload_every_secs", "86401"},
                                             {"--upload_every_secs", "nan"},
                                             {"--flow_timeout_secs", "0"},
                                             {"--flow_timeout_secs", "-30"},
                                             {"--flow_timeout_secs", "inf"},
                                             {"--flow_timeout_secs", "30s"}}) {
    EXPECT_THAT(error_behind_read(arguments), HasSubstr(arguments[0])) << arguments[1];
  }
}

TEST(Options, ValuesAtTheEndsOfTheirRangeAreTaken) {
  EXPECT_EQ(options_of({"--threads", "64"}).threads, 64U);
  EXPECT_EQ(options_of({"--flows_max", "1"}).flows_max, 1U);
  EXPECT_EQ(options_of({"--flows_max", "1073741824"}).flows_max, 1U << 30);
  EXPECT_EQ(options_of({"--observation_domain", "0"}).observation_domain, 0U);
  EXPECT_EQ(options_of({"--idle_timeout", "86400"}).idle_timeout_ns, 86'400'000'000'000U);
}

TEST(Options, AnUnknownFlagNamesTheNearestKnownOne) {
  EXPECT_THAT(error_behind_read({"--flow-timout-secs", "3"}),
              HasSubstr("did you mean --flow_timeout_secs?"));
  EXPECT_THAT(error_of({"--reed=x.pcap"}), HasSubstr("unknown flag --reed; did you mean --read?"));
  EXPECT_THAT(error_behind_read({"--colector", "stdout"}), HasSubstr("did you mean --collector?"));
}

TEST(Options, AWordThatBelongsToNoFlagIsTakenForAFileToRead) {
  EXPECT_THAT(error_of({"y.pcap"}),
              HasSubstr("'y.pcap' belongs to no flag; to read a capture file write --read y.pcap"));
}

TEST(Options, AFlagWithoutItsValueIsNamed) {
  EXPECT_THAT(error_of({"--read"}), HasSubstr("--read"));
  EXPECT_THAT(error_behind_read({"--threads"}), HasSubstr("--threads"));
}

TEST(Options, AFlagThatMayComeOnceIsNotTakenTwice) {
  EXPECT_THAT(error_behind_read({"--threads", "1", "--threads", "2"}), HasSubstr("--threads"));
}

TEST(Options, ARunNeedsSomethingToRead) {
  EXPECT_THAT(error_of({"--check"}), HasSubstr("--read FILE"));
  EXPECT_THAT(error_of({"--check"}), HasSubstr("--interface NAME"));
}

TEST(Options, ABadCollectorOrFilterIsBadUsage) {
  EXPECT_THAT(error_behind_read({"--collector", "::1"}), HasSubstr("--collector ::1: "));
  EXPECT_THAT(error_behind_read({"--filter", "prot tcp"}), HasSubstr("--filter"));
}

Options live_options(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "--interface=eth1");
  const auto parsed = parse(std::move(arguments));
  const auto* answer = std::get_if<Answer>(&parsed);
  EXPECT_EQ(answer, nullptr) << answer->text;
  return answer == nullptr ? std::get<Options>(parsed) : Options{};
}

TEST(Options, LiveCaptureHasTheDefaultsOfTheDesign) {
  const Options options = live_options({});
  EXPECT_TRUE(options.live());
  EXPECT_THAT(options.interfaces, ElementsAre("eth1"));
  EXPECT_EQ(options.threads, std::clamp(std::thread::hardware_concurrency(), 1U, 8U));
  EXPECT_EQ(options.af_packet.members, options.threads);
  EXPECT_EQ(options.af_packet.fanout, Fanout::Hash);
  EXPECT_EQ(options.af_packet.snaplen, 256U);
  EXPECT_EQ(options.mtu, std::nullopt);
  EXPECT_EQ(options.af_packet.ring_octets, size_t{64} << 20);
  EXPECT_TRUE(options.af_packet.promiscuous);
  EXPECT_FALSE(options.af_packet.wait);
  EXPECT_TRUE(options.cpus.empty());
  EXPECT_EQ(options.user, "");
  EXPECT_EQ(options.asns_reread_seconds, 86400U);
  EXPECT_EQ(options.log_level, LogLevel::Info);
}

TEST(Options, LiveCaptureTakesEveryFlag) {
  const Options options = live_options({"--interface",
                                        "eth2",
                                        "--threads",
                                        "3",
                                        "--fanout",
                                        "qm",
                                        "--snaplen",
                                        "128",
                                        "--ring_mib",
                                        "2",
                                        "--filter",
                                        "vlan 7",
                                        "--mtu",
                                        "9000",
                                        "--cpus",
                                        "0",
                                        "--wait",
                                        "--no-promiscuous",
                                        "--user",
                                        "root",
                                        "--asns_csv",
                                        "x",
                                        "--asns-reread-every-secs",
                                        "60",
                                        "--log-level",
                                        "debug"});
  EXPECT_THAT(options.interfaces, ElementsAre("eth1", "eth2"));
  EXPECT_EQ(options.af_packet.members, 3U);
  EXPECT_EQ(options.af_packet.fanout, Fanout::Qm);
  EXPECT_EQ(options.af_packet.snaplen, 128U);
  EXPECT_EQ(options.af_packet.ring_octets, size_t{2} << 20);
  EXPECT_EQ(options.af_packet.filter, "vlan 7");
  EXPECT_EQ(options.mtu, 9000U);
  EXPECT_FALSE(options.af_packet.promiscuous);
  EXPECT_TRUE(options.af_packet.wait);
  EXPECT_THAT(options.cpus, ElementsAre(0U));
  EXPECT_EQ(options.user, "root");
  EXPECT_EQ(options.asns, (AsnFile{AsnFormat::Csv, "x"}));
  EXPECT_EQ(options.asns_reread_seconds, 60U);
  EXPECT_EQ(options.log_level, LogLevel::Debug);
}

TEST(Options, EveryFanoutModeHasAName) {
  const std::vector<std::pair<const char*, Fanout>> modes{
      {"hash", Fanout::Hash}, {"cpu", Fanout::Cpu}, {"lb", Fanout::Lb},
      {"qm", Fanout::Qm},     {"rnd", Fanout::Rnd}, {"rollover", Fanout::Rollover}};
  for (const auto& [name, mode] : modes)
    EXPECT_EQ(live_options({"--fanout", name}).af_packet.fanout, mode) << name;
  EXPECT_THAT(error_of({"--interface", "x", "--fanout", "best"}),
              HasSubstr("--fanout best: choose hash, cpu, lb, qm, rnd or rollover"));
}

TEST(Options, FlagsOfCaptureNeedAnInterface) {
  EXPECT_THAT(error_behind_read({"--fanout", "hash"}),
              HasSubstr("--fanout: only with --interface"));
  EXPECT_THAT(error_behind_read({"--wait"}), HasSubstr("--wait: only with --interface"));
}

TEST(Options, ARunReadsOrCaptures) {
  EXPECT_THAT(error_behind_read({"--interface", "x"}), HasSubstr("--read and --interface"));
  EXPECT_THAT(error_of({"--interface", "x", "--interface", "x"}), HasSubstr("named twice"));
}

TEST(Options, AsNumbersComeFromOneFile) {
  EXPECT_THAT(error_behind_read({"--asns_csv", "a", "--asn_db", "b"}),
              HasSubstr("--asns_csv and --asn_db"));
}

TEST(Options, LongFlagsMayHaveOneDash) {
  const Options options =
      options_of({"-collector", "10.0.0.5:4739", "-upload_every_secs=10", "-flow-timeout-secs=7"});
  EXPECT_EQ(options.collectors[0].host, "10.0.0.5");
  EXPECT_EQ(options.active_timeout_ns, 10'000'000'000U);
  EXPECT_EQ(options.idle_timeout_ns, 7'000'000'000U);
}

TEST(Options, AFlagOfOneLetterIsToldTheLongOne) {
  EXPECT_THAT(error_of({"-i", "eth1"}), HasSubstr("unknown flag -i; did you mean --interface?"));
  EXPECT_THAT(error_of({"-r", "x.pcap"}), HasSubstr("did you mean --read?"));
}

TEST(Options, WithoutArgumentsThereIsAShortHelpWithThreeExamples) {
  const auto parsed = parse({});
  ASSERT_TRUE(std::holds_alternative<Answer>(parsed));
  const std::string& text = std::get<Answer>(parsed).text;
  size_t examples = 0;
  for (size_t at = text.find("\n  clerk --"); at != std::string::npos;
       at = text.find("\n  clerk --", at + 1))
    ++examples;
  EXPECT_EQ(examples, 3U);
  EXPECT_THAT(text, HasSubstr("clerk --help"));
}

TEST(Options, HelpTellsEveryFlagAndTheExamples) {
  const auto parsed = parse({"--help"});
  ASSERT_TRUE(std::holds_alternative<Answer>(parsed));
  const auto& [text, exit_status] = std::get<Answer>(parsed);
  EXPECT_EQ(exit_status, kExitDone);
  for (const char* word : {"--read",
                           "--filter",
                           "--threads",
                           "--collector",
                           "--explain",
                           "--upload_every_secs",
                           "--active_timeout",
                           "--flow_timeout_secs",
                           "--idle_timeout",
                           "--flows_max",
                           "--non_ip",
                           "--observation_domain",
                           "--udp_records_per_second",
                           "--timestamps",
                           "--check",
                           "--help",
                           "--version",
                           "--interface",
                           "--fanout",
                           "--snaplen",
                           "--ring_mib",
                           "--promiscuous",
                           "--cpus",
                           "--wait",
                           "--user",
                           "--asns_csv",
                           "--asn_db",
                           "--asns_reread_every_secs",
                           "--log_level",
                           "Examples:"})
    EXPECT_THAT(text, HasSubstr(word));
}

TEST(Options, VersionIsOneLine) {
  const auto parsed = parse({"--version"});
  ASSERT_TRUE(std::holds_alternative<Answer>(parsed));
  const auto& [text, exit_status] = std::get<Answer>(parsed);
  EXPECT_EQ(exit_status, kExitDone);
  EXPECT_EQ(text, "clerk " + std::string(kVersion) + "\n");
}

TEST(TestimonyOptions, NameSocketsAlsoBesideInterfaces) {
  for (const char* flag : {"--testimony", "-testimony"}) {
    const auto parsed = parse({flag, "/run/a", "--testimony=/run/b", "--interface", "eth1"});
    ASSERT_TRUE(std::holds_alternative<Options>(parsed));
    const auto& options = std::get<Options>(parsed);
    EXPECT_THAT(options.testimony, ElementsAre("/run/a", "/run/b"));
    EXPECT_THAT(options.interfaces, ElementsAre("eth1"));
    EXPECT_TRUE(options.live());
  }
}

TEST(TestimonyOptions, ThreadsAndCpusAreForThemToo) {
  const auto parsed = parse({"--testimony", "/run/a", "--cpus", "0", "--threads", "3"});
  ASSERT_TRUE(std::holds_alternative<Options>(parsed));
  EXPECT_EQ(std::get<Options>(parsed).threads, 3U);
  EXPECT_THAT(std::get<Options>(parsed).cpus, ElementsAre(0U));
}

TEST(TestimonyOptions, WhatTheDaemonDecidesIsRefusedWithoutAnInterface) {
  for (const std::vector<const char*>& flag :
       std::vector<std::vector<const char*>>{{"--fanout", "cpu"},
                                             {"--snaplen", "100"},
                                             {"--ring_mib", "8"},
                                             {"--promiscuous"},
                                             {"--no_promiscuous"},
                                             {"--wait"}}) {
    std::vector<const char*> arguments{"--testimony", "/run/a"};
    arguments.insert(arguments.end(), flag.begin(), flag.end());
    EXPECT_THAT(error_of(arguments), HasSubstr(std::string(flag[0]) + ": only with --interface"));
    arguments.insert(arguments.end(), {"--interface", "eth1"});
    EXPECT_TRUE(std::holds_alternative<Options>(parse(arguments))) << flag[0];
  }
}

TEST(TestimonyOptions, OneSocketIsNamedOnceAndWithoutFiles) {
  EXPECT_THAT(error_of({"--testimony", "/run/a", "--testimony", "/run/a"}),
              HasSubstr("--testimony /run/a: named twice"));
  EXPECT_THAT(error_behind_read({"--testimony", "/run/a"}), HasSubstr("--read and --testimony"));
  EXPECT_THAT(error_behind_read({"--cpus", "0"}),
              HasSubstr("--cpus: only with --interface or --testimony"));
}

}  // namespace
}  // namespace clerk
