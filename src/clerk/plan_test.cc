#include "clerk/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/unique_fd.h"
#include "clerk/file_pipeline.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

Options options_of(const std::string& input, const std::string& collector) {
  return {
      .read = {input}, .collectors = {parse_destination(collector).value()}, .flows_max = 4194304};
}

TEST(Plan, TellsTheMemoryOfFlowsAndMeters) {
  Options options{.threads = 1, .flows_max = 4194304};
  const std::string one = describe_memory(options, 0);
  EXPECT_THAT(one, StartsWith("memory: at most "));
  EXPECT_THAT(one, HasSubstr(" for 4194304 flows and "));
  EXPECT_THAT(one, HasSubstr(" for 1 meter"));
  options.threads = 4;
  EXPECT_THAT(describe_memory(options, 0), HasSubstr(" for 4 meters"));
  options.ledger_threads = 3;
  EXPECT_THAT(describe_memory(options, 0), HasSubstr(" for 4194304 flows on 3 threads and "));
}

TEST(Plan, TellsTheMemoryOfALiveRun) {
  Options options{.interfaces = {"a", "b"}, .threads = 2, .flows_max = 1U << 20};
  options.collectors.resize(2);
  options.af_packet.ring_octets = size_t{8} << 20;
  const std::string memory = describe_memory(options, 0);
  EXPECT_THAT(memory, HasSubstr(" for 1048576 flows, 192 for records "));
  EXPECT_THAT(memory, HasSubstr(" for 4 meters and 32 for their rings"));
  EXPECT_THAT(describe_memory(options, size_t{7} << 20), HasSubstr(" 7 for AS numbers, "));
}

TEST(Plan, TablesOfFlowsWithoutIpAreInTheBoundOnlyWhenThereAreAny) {
  constexpr uint32_t kThreads = 64;
  Options files{.threads = kThreads, .flows_max = 1000};
  Options live{.interfaces = {"a"}, .threads = kThreads, .flows_max = 1000};
  live.collectors.resize(1);
  const auto octets = [](const Options& options) {
    return FilePipeline::octets(kThreads, options.meter);
  };
  const std::string files_before = describe_memory(files, 0);
  const std::string live_before = describe_memory(live, 0);
  const size_t octets_before = octets(files);
  files.meter.non_ip = live.meter.non_ip = true;
  EXPECT_NE(describe_memory(files, 0), files_before);
  EXPECT_NE(describe_memory(live, 0), live_before);
  EXPECT_EQ(octets(files) - octets_before,
            3 * kThreads * MeterTable<LinkKey>::octets(kDeltaLinkEntries));
}

TEST(Plan, TellsThatFlowsWithoutIpAreReported) {
  const StopRequest stop = StopRequest::create().value();
  Options options = options_of("-", "stdout");
  for (const bool non_ip : {false, true}) {
    options.meter.non_ip = non_ip;
    testing::internal::CaptureStdout();
    EXPECT_EQ(check_plan(options, stop).value(), kExitDone);
    EXPECT_EQ(testing::internal::GetCapturedStdout().find("report flows without IP too") !=
                  std::string::npos,
              non_ip);
  }
}

TEST(Plan, KnowsWhomTheRunBecomes) {
  Options options{.read = {"x.pcap"}};
  EXPECT_FALSE(account_of(options).value());
  options.user = "root";
  EXPECT_EQ(account_of(options).value()->user, 0U);
  options.user = "no such account";
  EXPECT_FALSE(account_of(options));
}

TEST(Plan, RefusesToOverwriteAnInputWhateverItsPathIsCalled) {
  const TempDirectory directory;
  const std::string input = directory.write("x.pcap", std::array<uint8_t, 1>{0});
  const std::string link = directory.path_of("link");
  std::filesystem::create_symlink(input, link);
  for (const std::string& output : {input, link, directory.path() + "/./x.pcap"}) {
    const auto checked = check_outputs(options_of(input, "csv:" + output));
    ASSERT_FALSE(checked) << output;
    EXPECT_THAT(
        checked.error().message,
        StartsWith(fmt::format("--collector csv:{}: would overwrite the input {}", output, input)));
  }
  EXPECT_TRUE(check_outputs(options_of(input, "csv:" + directory.path_of("y"))));
}

TEST(Plan, DashesAreNoFileToOverwrite) { EXPECT_TRUE(check_outputs(options_of("-", "stdout"))); }

TEST(Plan, FailsOnAnInputThatCannotBeRead) {
  const TempDirectory directory;
  const std::string input = directory.write("x.pcap", std::array<uint8_t, 4>{1, 2, 3, 4});
  const StopRequest stop = StopRequest::create().value();
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const auto checked = check_plan(options_of(input, "stdout"), stop);
  const std::string plan = testing::internal::GetCapturedStdout();
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(checked);
  EXPECT_EQ(*checked, kExitFailed);
  EXPECT_THAT(log, HasSubstr("--read " + input + ": is no pcap"));
  EXPECT_THAT(plan, Not(HasSubstr("\nread ")));
}

// A socket to which nobody listens.
void make_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

TEST(Plan, TellsWhoseMemoryTheRingsOfASocketAre) {
  const Options options{.testimony = {"/a"}, .threads = 8, .flows_max = 1U << 20};
  const std::string memory = describe_memory(options, 0, 2);
  EXPECT_THAT(memory, HasSubstr(" for 2 meters and 0 for their rings; the rings of testimony"));
}

TEST(Plan, OneSocketUnderTwoNamesIsRefused) {
  const TempDirectory directory;
  const std::string first = directory.path_of("first");
  const std::string second = directory.path_of("second");
  make_socket(first);
  make_socket(second);
  Options options{.testimony = {first, second, directory.path_of("none")}};
  EXPECT_TRUE(check_sockets(options));
  options.testimony.push_back(directory.path_of("link"));
  std::filesystem::create_symlink(second, options.testimony.back());
  const auto checked = check_sockets(options);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("link: is " + second + " too"));
}

TEST(Plan, ARunWithoutInterfacesKeepsNoCapability) {
  EXPECT_THAT(kept_capabilities({.testimony = {"/a"}}), IsEmpty());
  EXPECT_THAT(kept_capabilities({.read = {"a"}}), IsEmpty());
  EXPECT_THAT(kept_capabilities({.interfaces = {"a"}, .testimony = {"/a"}}),
              ElementsAre(CAP_NET_RAW));
}

TEST(Plan, RootBecomesWhoMayConnectAgain) {
  constexpr uid_t kOwner = 12345;
  const TempDirectory directory;
  const std::string socket = directory.path_of("socket");
  make_socket(socket);
  for (const int needed : {CAP_CHOWN, CAP_SETUID, CAP_SETGID}) {
    if (::geteuid() != 0 || !has_capability(needed))
      GTEST_SKIP() << "THIS TAKES ROOT WITH CAP_CHOWN, CAP_SETUID AND CAP_SETGID";
  }
  ASSERT_EQ(::chown(socket.c_str(), kOwner, kOwner), 0);
  Options options{.testimony = {directory.path_of("none"), socket}};
  EXPECT_EQ(account_of(options).value()->user, kOwner);
  options.testimony.pop_back();
  EXPECT_EQ(account_of(options).value()->user, 0U) << "nobody knows yet who that will be";
  options.testimony = {socket};
  options.interfaces = {"eth1"};
  EXPECT_EQ(account_of(options).value()->user, kOwner) << "who captures besides connects, too";
  options.testimony.clear();
  EXPECT_EQ(account_of(options).value()->user, unprivileged_account().user);
  options.user = "root";
  EXPECT_EQ(account_of(options).value()->user, 0U);
}

}  // namespace
}  // namespace clerk
