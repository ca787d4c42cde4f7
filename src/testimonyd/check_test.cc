#include "testimonyd/check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "base/privileges.h"
#include "base/unique_fd.h"
#include "capture/network_interface.h"
#include "command_line/answer.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* kNoInterface = "no_such_if0";
constexpr MachineMemory kMuchMemory{size_t{1} << 50, size_t{1} << 50};
constexpr MachineMemory kLittleMemory{size_t{1} << 30, size_t{1} << 20};

std::span<const uint8_t> octets_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string config_text(const std::string& socket_name, const std::string& interface,
                        const std::string& rest = "") {
  return fmt::format(
      "[{{\"SocketName\": \"{}\",\n\"Interface\": \"{}\",\n\"BlockSize\": 1048576,\n\"NumBlocks\": "
      "16{}}}]",
      socket_name, interface, rest);
}

Config config_of(const std::string& text) {
  auto config = parse_config(text);
  EXPECT_TRUE(config) << describe("", config.error().front());
  return config ? *std::move(config) : Config{};
}

// On a machine that has two interfaces, both up.
Result<std::optional<NetworkInterface>> find_one_of_two(const std::string& name) {
  if (name == "lo") return NetworkInterface{.index = 1, .is_up = true};
  if (name == "tun0") return NetworkInterface{.index = 2, .link = RingLink::Network, .is_up = true};
  return std::nullopt;
}

std::vector<std::string> contradictions_of(const std::string& text,
                                           const std::optional<MachineMemory>& memory) {
  std::vector<std::string> lines;
  const CheckedMachine machine{.memory = memory, .find_interface = find_one_of_two};
  for (const ConfigProblem& problem : find_contradictions(config_of(text), machine))
    lines.push_back(describe("c", problem));
  return lines;
}

// Creates what a daemon leaves behind.
void create_socket(const std::string& path) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

class Check : public ::testing::Test {
 protected:
  // The exit status and what was printed.
  struct Outcome {
    int exit_status;
    std::string out;
    std::string err;
  };

  static Outcome check(const std::string& path) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int exit_status = check_config(path);
    return {exit_status, ::testing::internal::GetCapturedStdout(),
            ::testing::internal::GetCapturedStderr()};
  }

  TempDirectory directory_;
  std::string socket_ = directory_.path_of("s");
};

TEST_F(Check, AnInterfaceThatIsNotThereIsWaitedFor) {
  EXPECT_THAT(
      contradictions_of(config_text(socket_, kNoInterface), kMuchMemory),
      ElementsAre(AllOf(StartsWith("c:2:14: warning: Interface 'no_such_if0' is not there, and "
                                   "would be waited for; there are "),
                        HasSubstr("lo"))));
}

TEST_F(Check, TheDirectoryOfASocketMustBeThere) {
  const std::string file = directory_.write("file", {});
  for (const std::string& directory : {file, directory_.path_of("none")}) {
    EXPECT_THAT(contradictions_of(config_text(directory + "/s", "lo"), kMuchMemory),
                ElementsAre(fmt::format("c:1:17: error: SocketName '{0}/s': '{0}' is no directory; "
                                        "create it, by RuntimeDirectory= in a systemd unit for "
                                        "example",
                                        directory)));
  }
}

TEST_F(Check, APathMayBeFreeOrASocketAndNothingElse) {
  EXPECT_THAT(contradictions_of(config_text(socket_, "lo"), kMuchMemory), IsEmpty());
  create_socket(socket_);
  EXPECT_THAT(contradictions_of(config_text(socket_, "lo"), kMuchMemory), IsEmpty());
  const std::string file = directory_.write("file", {});
  EXPECT_THAT(contradictions_of(config_text(file, "lo"), kMuchMemory),
              ElementsAre(fmt::format("c:1:17: error: SocketName '{}': there is something at this "
                                      "path that is not a socket; remove it, or choose another "
                                      "path",
                                      file)));
}

TEST_F(Check, ARelativePathIsInTheDirectoryOfToday) {
  EXPECT_THAT(contradictions_of(config_text("no-such-file", "lo"), kMuchMemory), IsEmpty());
}

TEST_F(Check, AFilterMustMakeSenseOnTheInterface) {
  if (!has_capability(CAP_NET_RAW))
    GTEST_SKIP() << "WITHOUT CAP_NET_RAW NO FILTER IS CHECKED AGAINST ITS INTERFACE";
  const std::string filter = ", \"Filter\": \"ether host 02:00:00:00:00:01\"";
  EXPECT_THAT(contradictions_of(config_text(socket_, "lo", filter), kMuchMemory), IsEmpty());
  EXPECT_THAT(contradictions_of(config_text(socket_, "tun0", filter), kMuchMemory),
              ElementsAre(StartsWith("c:4:28: error: Filter: ethernet ")));
}

TEST_F(Check, RingsMustFitTheMemory) {
  EXPECT_THAT(contradictions_of(config_text(socket_, "lo"), kLittleMemory),
              ElementsAre("c:4:14: warning: the rings up to this one take 16 MiB, and 1 MiB are "
                          "available now, of which a fifth is left to others; choose fewer or "
                          "smaller blocks"));
  EXPECT_THAT(contradictions_of(config_text(socket_, "lo", ", \"FanoutSize\": 64"), kLittleMemory),
              ElementsAre("c:4:14: error: the rings up to this one take 1024 MiB, and 1024 MiB are "
                          "all the memory there is, of which a fifth is left to others; choose "
                          "fewer or smaller blocks"));
  EXPECT_THAT(contradictions_of(config_text(socket_, "lo", ", \"FanoutSize\": 64"), std::nullopt),
              IsEmpty());
}

TEST_F(Check, MemoryIsSummedOverTheSockets) {
  std::string two = config_text(socket_, "lo");
  two.back() = ',';
  two += "\n" + config_text(directory_.path_of("t"), "lo").substr(1);
  const MachineMemory for_one{size_t{24} << 20, size_t{24} << 20};
  EXPECT_THAT(contradictions_of(two, for_one),
              ElementsAre(StartsWith("c:8:14: error: the rings up to this one take 32 MiB")));
}

TEST(Plan, IsALineForEachSocket) {
  SocketConfig socket{
      .socket_name = "/run/s", .interface = "eth0", .block_octets = 1 << 20, .blocks = 16};
  EXPECT_EQ(describe_plan(socket),
            "/run/s: interface eth0, 1 ring of 16 blocks of 1 MiB, 16 MiB of memory; for its own "
            "account");
  socket = {.socket_name = "/run/a\nb",
            .interface = "eth0",
            .block_octets = 4096,
            .blocks = 3,
            .fanout_type = 0x9001,
            .fanout_size = 2,
            .user = "capture",
            .group = "adm",
            .filter = "tcp port 80",
            .promiscuous = false};
  EXPECT_EQ(
      describe_plan(socket),
      "'/run/a\\x0ab': interface eth0 (not promiscuous), 2 rings of 3 blocks of 4 KiB, 24 KiB "
      "of memory, fanout lb with rollover of whole datagrams; for capture and group adm; "
      "filter 'tcp port 80'");
}

TEST_F(Check, PrintsThePlanOfAGoodFileAndItsWarnings) {
  const std::string path = directory_.write(
      "c", octets_of(config_text(socket_, kNoInterface, ", \"Userr\": \"x\", \"Filter\": \"ip\"")));
  const auto [exit_status, out, err] = check(path);
  EXPECT_EQ(exit_status, kExitDone);
  EXPECT_EQ(out, fmt::format("{}: interface no_such_if0, 1 ring of 16 blocks of 1 MiB, 16 MiB of "
                             "memory; for its own account; filter 'ip'\n",
                             socket_));
  EXPECT_THAT(err, StartsWith(path + ":2:14: warning: Interface"));
  EXPECT_THAT(err, HasSubstr(path + ":4:18: warning: unknown key 'Userr' is ignored; did you mean "
                                    "User?\n"));
}

TEST_F(Check, PrintsEveryErrorOfABadFile) {
  const std::string path = directory_.write("c", octets_of("[{\"Userr\": 1, \"BlockSize\": 0}]"));
  const auto [exit_status, out, err] = check(path);
  EXPECT_EQ(exit_status, kExitFailed);
  EXPECT_EQ(out, "");
  for (const char* line :
       {":1:2: error: SocketName is missing", ":1:2: error: Interface is missing",
        ":1:3: warning: unknown key 'Userr'", ":1:28: error: BlockSize must be between"})
    EXPECT_THAT(err, HasSubstr(path + line));
}

TEST_F(Check, FailsWhenTheMachineCannotHaveIt) {
  const std::string path =
      directory_.write("c", octets_of(config_text(directory_.path_of("none/s"), "lo")));
  const auto [exit_status, out, err] = check(path);
  EXPECT_EQ(exit_status, kExitFailed);
  EXPECT_EQ(out, "");
  EXPECT_THAT(err, HasSubstr(":1:17: error: SocketName"));
}

TEST_F(Check, NamesAFileThatCannotBeRead) {
  const auto [exit_status, out, err] = check("/no/such/file");
  EXPECT_EQ(exit_status, kExitFailed);
  EXPECT_EQ(out, "");
  EXPECT_EQ(err,
            "testimonyd: /no/such/file: No such file or directory; --config names another file\n");
}

}  // namespace
}  // namespace clerk
