#include "base/privileges.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <sstream>
#include <vector>

#include "base/unique_fd.h"

namespace clerk {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uid_t kNobodyUser = 65534;
constexpr uid_t kUnnamedUser = 48'151'623;
constexpr std::array kKeepNetRaw{CAP_NET_RAW};
constexpr std::span<const int> kKeepNothing{};
constexpr const char* kNone = "0000000000000000";
constexpr const char* kNetRawAlone = "0000000000002000";  // 1 << CAP_NET_RAW

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t got = 0; (got = ::read(fd, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<size_t>(got));
  return text;
}

// What `run` returns in a child, so that this process keeps its privileges.
std::string in_child(const std::function<std::string()>& run) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return "no pipe";
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string text = run();
    const ssize_t written = ::write(in.get(), text.data(), text.size());
    ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  in = UniqueFd();
  std::string text = read_all(out.get());
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0 ? text : "the child failed: " + text;
}

// Lines "Name: value" as /proc/self/status has them, blanks in values being single spaces.
struct Status {
  std::string text;

  [[nodiscard]] std::string value(const std::string& name) const {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with(name + ":")) return words(line.substr(name.size() + 1));
    return "there is no " + name + " in: " + text;
  }

 private:
  static std::string words(const std::string& line) {
    std::istringstream in(line);
    std::string joined;
    for (std::string word; in >> word;)
      joined += (joined.empty() ? "" : " ") + word;
    return joined;
  }
};

std::string read_status() {
  const UniqueFd file(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  return read_all(file.get());
}

std::string try_packet_socket() {
  const UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  return socket ? "works" : errno_text(errno);
}

// In the child: gives up, then tells how it is and what it can still do.
std::string outcome_of(const std::optional<Account>& become, std::span<const int> kept) {
  const auto result = give_up_privileges(become, kept);
  if (!result) return "Error: " + result.error().message + "\n";
  std::string text = read_status();
  text += "Packet socket: " + try_packet_socket() + "\n";
  text += "Description: " + describe_privileges() + "\n";
  text += std::string("Return to root: ") + (::setuid(0) == 0 ? "works" : "refused") + "\n";
  return text;
}

Status give_up_in_child(const std::optional<Account>& become, std::span<const int> kept) {
  return {in_child([&] { return outcome_of(become, kept); })};
}

// In the child: what a process has that an ordinary user started, with file capabilities or none.
bool become_ordinary_user(std::initializer_list<unsigned> capabilities) {
  const std::array<gid_t, 1> groups{kNobodyUser};
  if (::prctl(PR_SET_KEEPCAPS, 1) != 0 || ::setgroups(1, groups.data()) != 0 ||
      ::setresgid(kNobodyUser, kNobodyUser, kNobodyUser) != 0 ||
      ::setresuid(kNobodyUser, kNobodyUser, kNobodyUser) != 0)
    return false;
  capng_clear(CAPNG_SELECT_CAPS);
  for (const unsigned each : capabilities)
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), each);
  return capng_apply(CAPNG_SELECT_CAPS) == 0;
}

Status give_up_as_ordinary_user(std::initializer_list<unsigned> capabilities,
                                const std::optional<Account>& become, std::span<const int> kept) {
  return {in_child([&]() -> std::string {
    if (!become_ordinary_user(capabilities)) return "Error: not even the test could start\n";
    return outcome_of(become, kept);
  })};
}

class PrivilegesOfRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root has privileges to give up";
    for (const int needed : {CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_NET_RAW})
      if (!has_capability(needed)) GTEST_SKIP() << "this root lacks capability " << needed;
  }

  const Account nobody_ = find_account("nobody").value();
};

TEST(Account, IsFoundByNameAndByNumber) {
  for (const char* name : {"root", "0"}) {
    const Account root = find_account(name).value();
    EXPECT_EQ(root.name, "root");
    EXPECT_EQ(root.user, 0U);
    EXPECT_EQ(root.group, 0U);
  }
}

TEST(Account, ANumberWithoutAnAccountStandsForItself) {
  const Account unnamed = find_account(std::to_string(kUnnamedUser)).value();
  EXPECT_EQ(unnamed.name, "48151623");
  EXPECT_EQ(unnamed.user, kUnnamedUser);
  EXPECT_EQ(unnamed.group, kUnnamedUser);
}

TEST(Account, OthersAreRefusedByName) {
  for (const char* name : {"", "no-such-account", "-1", "+1", "0x10", "1 ", "4294967295",
                           "4294967296", "99999999999999999999"}) {
    const auto account = find_account(name);
    ASSERT_FALSE(account) << name;
    EXPECT_THAT(account.error().message,
                StartsWith(std::string("--user ") + name + ": no such account"));
  }
}

TEST(Group, IsFoundByNameAndByNumber) {
  EXPECT_EQ(find_group("root").value(), 0U);
  EXPECT_EQ(find_group("0").value(), 0U);
  EXPECT_EQ(find_group("48151623").value(), 48'151'623U);
}

TEST(Group, OthersAreRefused) {
  for (const char* name : {"", "no-such-group", "-1", "4294967295", "4294967296"}) {
    const auto group = find_group(name);
    ASSERT_FALSE(group) << name;
    EXPECT_THAT(group.error().message, StartsWith("no such group"));
  }
}

TEST(Account, TheUnprivilegedOneIsClerkOrNobody) {
  const Account account = unprivileged_account();
  EXPECT_EQ(account.name, ::getpwnam("clerk") != nullptr ? "clerk" : "nobody");
  EXPECT_NE(account.user, 0U);
}

TEST_F(PrivilegesOfRoot, AnAccountIsBecomeForGood) {
  const Status status = give_up_in_child(nobody_, kKeepNothing);
  EXPECT_EQ(status.value("Uid"), "65534 65534 65534 65534");
  EXPECT_EQ(status.value("Gid"), "65534 65534 65534 65534");
  EXPECT_EQ(status.value("Groups"), "65534");
  EXPECT_EQ(status.value("Return to root"), "refused");
  EXPECT_EQ(status.value("NoNewPrivs"), "1");
}

TEST_F(PrivilegesOfRoot, NoCapabilityIsLeftInAnySet) {
  const Status status = give_up_in_child(nobody_, kKeepNothing);
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_EQ(status.value(set), kNone) << set;
  EXPECT_EQ(status.value("Packet socket"), errno_text(EPERM));
  EXPECT_EQ(status.value("Description"), "user nobody (65534), capabilities: none");
}

TEST_F(PrivilegesOfRoot, WhatIsKeptWorksInTheNewAccount) {
  const Status status = give_up_in_child(nobody_, kKeepNetRaw);
  EXPECT_EQ(status.value("Uid"), "65534 65534 65534 65534");
  for (const char* set : {"CapPrm", "CapEff"})
    EXPECT_EQ(status.value(set), kNetRawAlone) << set;
  for (const char* set : {"CapInh", "CapBnd", "CapAmb"})
    EXPECT_EQ(status.value(set), kNone) << set;
  EXPECT_EQ(status.value("Packet socket"), "works");
  EXPECT_EQ(status.value("Return to root"), "refused");
  EXPECT_EQ(status.value("Description"), "user nobody (65534), capabilities: net_raw");
}

TEST_F(PrivilegesOfRoot, RootThatStaysRootKeepsNothingElseEither) {
  const Status status = give_up_in_child(std::nullopt, kKeepNetRaw);
  EXPECT_EQ(status.value("Uid"), "0 0 0 0");
  for (const char* set : {"CapPrm", "CapEff"})
    EXPECT_EQ(status.value(set), kNetRawAlone) << set;
  EXPECT_EQ(status.value("CapBnd"), kNone);
  EXPECT_EQ(status.value("Description"), "user root (0), capabilities: net_raw");
}

TEST_F(PrivilegesOfRoot, RootMayBeAskedFor) {
  const Status status = give_up_in_child(find_account("root").value(), kKeepNothing);
  EXPECT_EQ(status.value("Uid"), "0 0 0 0");
  EXPECT_EQ(status.value("CapEff"), kNone);
}

TEST_F(PrivilegesOfRoot, TheGroupsOfTheStarterGoAndThoseOfTheAccountCome) {
  const Status status{in_child([&]() -> std::string {
    const std::array<gid_t, 3> of_starter{0, 4, 6};
    if (::setgroups(of_starter.size(), of_starter.data()) != 0) return "Error: setgroups\n";
    return outcome_of(nobody_, kKeepNothing);
  })};
  EXPECT_EQ(status.value("Groups"), "65534");
}

TEST_F(PrivilegesOfRoot, AUserIdWithoutAnAccountIsBecome) {
  const Status status = give_up_in_child(find_account("48151623").value(), kKeepNetRaw);
  EXPECT_EQ(status.value("Uid"), "48151623 48151623 48151623 48151623");
  EXPECT_EQ(status.value("Gid"), "48151623 48151623 48151623 48151623");
  EXPECT_EQ(status.value("Groups"), "48151623");
  EXPECT_EQ(status.value("Description"), "user 48151623, capabilities: net_raw");
}

TEST_F(PrivilegesOfRoot, CapabilitiesThatTheProcessLacksAreNotMissed) {
  const Status status =
      give_up_as_ordinary_user({CAP_NET_RAW}, {}, std::array{CAP_NET_RAW, CAP_SYS_ADMIN});
  EXPECT_EQ(status.value("CapEff"), kNetRawAlone);
}

TEST_F(PrivilegesOfRoot, AnOrdinaryUserGivesUpFileCapabilities) {
  const Status status = give_up_as_ordinary_user({CAP_NET_RAW, CAP_NET_ADMIN}, {}, kKeepNetRaw);
  EXPECT_EQ(status.value("Uid"), "65534 65534 65534 65534");
  for (const char* set : {"CapPrm", "CapEff"})
    EXPECT_EQ(status.value(set), kNetRawAlone) << set;
  EXPECT_EQ(status.value("Packet socket"), "works");
  EXPECT_EQ(status.value("NoNewPrivs"), "1");
}

TEST_F(PrivilegesOfRoot, AnOrdinaryUserWithoutAnyLosesNone) {
  const Status status = give_up_as_ordinary_user({}, {}, kKeepNetRaw);
  EXPECT_EQ(status.value("Uid"), "65534 65534 65534 65534");
  EXPECT_EQ(status.value("CapPrm"), kNone);
  EXPECT_NE(status.value("CapBnd"), kNone);  // it takes CAP_SETPCAP
  EXPECT_EQ(status.value("Description"), "user nobody (65534), capabilities: none");
}

TEST_F(PrivilegesOfRoot, AnOrdinaryUserIsToldThatItCannotBecomeAnother) {
  for (const char* name : {"root", "48151623"}) {
    const Status status = give_up_as_ordinary_user({}, find_account(name).value(), kKeepNothing);
    EXPECT_THAT(status.value("Error"), StartsWith(std::string("--user ") + name + ": "));
    EXPECT_THAT(status.value("Error"), HasSubstr("start it as root"));
  }
}

TEST_F(PrivilegesOfRoot, AnOrdinaryUserMayAskForItsOwnAccount) {
  const Status status = give_up_as_ordinary_user({CAP_NET_RAW}, nobody_, kKeepNetRaw);
  EXPECT_EQ(status.value("Uid"), "65534 65534 65534 65534");
  EXPECT_EQ(status.value("CapEff"), kNetRawAlone);
}

TEST_F(PrivilegesOfRoot, AmbientCapabilitiesAreKeptWithoutBeingAmbient) {
  const Status status{in_child([&]() -> std::string {
    if (!become_ordinary_user({CAP_NET_RAW, CAP_NET_ADMIN})) return "Error: the test's own\n";
    capng_update(CAPNG_ADD, CAPNG_INHERITABLE, CAP_NET_RAW);
    capng_apply(CAPNG_SELECT_CAPS);
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) != 0)
      return "Error: not ambient\n";
    return outcome_of({}, kKeepNetRaw);
  })};
  EXPECT_EQ(status.value("CapEff"), kNetRawAlone);
  EXPECT_EQ(status.value("CapInh"), kNone);
  EXPECT_EQ(status.value("CapAmb"), kNone);
}

TEST_F(PrivilegesOfRoot, HasCapabilityFollowsTheEffectiveSet) {
  EXPECT_EQ(in_child([&]() -> std::string {
              const bool before = has_capability(CAP_NET_RAW);
              const bool done = give_up_privileges(nobody_, kKeepNothing).has_value();
              return before && done && !has_capability(CAP_NET_RAW) ? "followed" : "did not";
            }),
            "followed");
}

TEST(Privileges, MostOfThemAreToldByWhatIsMissing) {
  int held = 0;
  int known = 0;
  for (; ::prctl(PR_CAPBSET_READ, known, 0, 0, 0) >= 0; ++known)
    held += has_capability(known) ? 1 : 0;
  if (held <= known - held)
    GTEST_SKIP() << "THIS PROCESS HAS " << held << " OF " << known << " CAPABILITIES, NOT MOST";
  EXPECT_THAT(describe_privileges(), HasSubstr(", capabilities: all"));
}

}  // namespace
}  // namespace clerk
