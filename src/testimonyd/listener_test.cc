#include "testimonyd/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/privileges.h"
#include "testing/temp_file.h"

namespace clerk {
namespace {

using ::testing::HasSubstr;

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "listenerXXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~ListenerTest() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string path() const { return (directory_ / "socket").string(); }

  [[nodiscard]] UniqueFd connect() const {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path(), address.sun_path);
    const int connected =
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    return connected == 0 ? std::move(socket) : UniqueFd();
  }

  [[nodiscard]] mode_t mode() const {
    struct stat status{};
    EXPECT_EQ(::stat(path().c_str(), &status), 0);
    return status.st_mode & 0777;
  }

  [[nodiscard]] std::string error() const {
    const auto opened = Listener::open({.path = path()});
    return opened ? "" : opened.error().message;
  }

  std::filesystem::path directory_;
};

TEST_F(ListenerTest, ListensAndRemovesItsSocketAtTheEnd) {
  {
    const auto listener = Listener::open({.path = path()});
    ASSERT_TRUE(listener) << listener.error().message;
    const auto nobody = listener->accept();
    ASSERT_TRUE(nobody);
    EXPECT_FALSE(*nobody);
    const UniqueFd client = connect();
    ASSERT_TRUE(client);
    const auto accepted = listener->accept();
    ASSERT_TRUE(accepted && *accepted);
    EXPECT_EQ(mode(), 0600U);
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(ListenerTest, TheModeIsAsAsked) {
  const auto listener = Listener::open({.path = path(), .mode = 0660});
  EXPECT_EQ(mode(), 0660U);
}

TEST_F(ListenerTest, TheOwnerIsAsAsked) {
  if (!has_capability(CAP_CHOWN)) GTEST_SKIP() << "GIVING FILES AWAY TAKES CAP_CHOWN";
  const auto listener =
      Listener::open({.path = path(), .user = "12345", .group = "23456", .mode = 0660});
  ASSERT_TRUE(listener) << listener.error().message;
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 12345U);
  EXPECT_EQ(status.st_gid, 23456U);
}

TEST_F(ListenerTest, AnUnknownOwnerIsAnErrorAndLeavesNothing) {
  for (const auto& [user, group] : {std::pair("nosuchaccount", ""), std::pair("", "nosuchgroup")}) {
    const auto listener = Listener::open({.path = path(), .user = user, .group = group});
    ASSERT_FALSE(listener);
    EXPECT_THAT(listener.error().message, HasSubstr("nosuch"));
    EXPECT_FALSE(std::filesystem::exists(path()));
  }
}

TEST_F(ListenerTest, ASocketThatSomebodyAnswersOnIsLeftAlone) {
  const auto first = Listener::open({.path = path()});
  ASSERT_TRUE(first);
  EXPECT_THAT(error(), HasSubstr("another program answers there"));
  EXPECT_TRUE(connect());
}

TEST_F(ListenerTest, ADeadSocketIsReplaced) {
  {
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path(), address.sun_path);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  const auto listener = Listener::open({.path = path()});
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(connect());
}

TEST_F(ListenerTest, WhatIsNoSocketIsLeftAlone) {
  std::ofstream(path()) << "precious";
  EXPECT_THAT(error(), HasSubstr("no socket"));
  EXPECT_EQ(std::filesystem::file_size(path()), 8U);
  std::filesystem::remove(path());
  std::filesystem::create_directory(path());
  EXPECT_THAT(error(), HasSubstr("no socket"));
  std::filesystem::remove(path());
  std::filesystem::create_symlink("/etc/passwd", path());
  EXPECT_THAT(error(), HasSubstr("no socket"));
}

TEST_F(ListenerTest, SomebodyElsesSocketIsNotRemovedAtTheEnd) {
  {
    const auto listener = Listener::open({.path = path()});
    ASSERT_TRUE(listener);
    std::filesystem::remove(path());
    std::ofstream(path()) << "somebody else's";
  }
  EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(ListenerTest, PathsThatCannotBeAreErrors) {
  EXPECT_THAT(Listener::open({.path = ""}).error().message, HasSubstr("1 to 107"));
  EXPECT_THAT(Listener::open({.path = std::string(108, 'x')}).error().message,
              HasSubstr("1 to 107"));
  EXPECT_THAT(Listener::open({.path = (directory_ / "none" / "socket").string()}).error().message,
              HasSubstr("directory"));
}

}  // namespace
}  // namespace clerk
