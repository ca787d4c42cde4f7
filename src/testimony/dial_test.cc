// Connecting to a socket's path: daemons that are there, and what is said of those that are not.
#include "testimony/dial.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <optional>
#include <thread>

#include "testimony/testimony_test_support.h"
#include "testing/temp_file.h"

namespace testimony {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uid_t kNobody = 65534;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  EXPECT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

UniqueFd bound_socket(const std::string& path, int type = SOCK_STREAM) {
  UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  const auto address = address_of(path);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return socket;
}

UniqueFd listening_socket(const std::string& path, int backlog = 8) {
  UniqueFd socket = bound_socket(path);
  EXPECT_EQ(::listen(socket.get(), backlog), 0);
  return socket;
}

// As a user to whom permissions apply, whoever runs the test.
template <typename Function>
auto as_nobody(Function function) {
  const uid_t before = ::geteuid();
  EXPECT_EQ(::seteuid(before == 0 ? kNobody : before), 0);
  auto result = function();
  EXPECT_EQ(::seteuid(before), 0);
  return result;
}

class DialTest : public WithoutLeaks {
 protected:
  DialTest() { ::chmod(directory_.path().c_str(), 0755); }

  [[nodiscard]] std::string path() const { return directory_.path_of("socket"); }

  clerk::TempDirectory directory_;
};

TEST_F(DialTest, ConnectsAndGreets) {
  const UniqueFd listener = listening_socket(path());
  std::optional<Result<Client>> client;
  // connect() needs nobody who accepts; the daemon speaks first all the same.
  std::jthread client_thread([&] { client = Client::connect(path(), 1); });
  FakeDaemon daemon(UniqueFd(::accept(listener.get(), nullptr, nullptr)));
  daemon.send(greeting());
  daemon.pass_ring();
  client_thread.join();
  ASSERT_TRUE(*client) << client->error().message;
  EXPECT_EQ((*client)->geometry(), kGeometry);
  EXPECT_EQ(daemon.next_write(), number_tlv(Type::FanoutIndex, 1));
}

TEST_F(DialTest, AsksForTheGeometryAlone) {
  const UniqueFd listener = listening_socket(path());
  std::optional<Result<Geometry>> geometry;
  std::jthread client_thread([&] { geometry = ask_geometry(path(), kPatience); });
  FakeDaemon daemon(UniqueFd(::accept(listener.get(), nullptr, nullptr)));
  daemon.send(greeting());
  client_thread.join();
  ASSERT_TRUE(*geometry) << geometry->error().message;
  EXPECT_EQ(**geometry, kGeometry);
  EXPECT_TRUE(daemon.next_write().empty());
}

TEST_F(DialTest, ASocketThatIsNotThere) {
  expect_failure(Client::connect(path(), 0), Failure::NotThere);
  expect_failure(ask_geometry(path(), kPatience), Failure::NotThere);
}

TEST_F(DialTest, ASocketThatADaemonLeftBehind) {
  const UniqueFd socket = bound_socket(path());
  EXPECT_THAT(expect_failure(dial(path()), Failure::NotThere), HasSubstr("does not run"));
}

TEST_F(DialTest, SomethingElse) {
  const std::string file = directory_.write("file", {});
  EXPECT_THAT(expect_failure(dial(file), Failure::NoSocket), HasSubstr("no socket"));
  expect_failure(dial(directory_.path()), Failure::NoSocket);
  expect_failure(dial(file + "/socket"), Failure::NoSocket);
  const UniqueFd datagrams = bound_socket(path(), SOCK_DGRAM);
  EXPECT_THAT(expect_failure(dial(path()), Failure::NoSocket), HasSubstr("another type"));
}

TEST_F(DialTest, APathThatNoSocketCanHave) {
  expect_failure(dial(""), Failure::NoSocket);
  expect_failure(dial(std::string("\0abstract", 9)), Failure::NoSocket);
  EXPECT_THAT(expect_failure(dial("/" + std::string(107, 'x')), Failure::NoSocket),
              HasSubstr("107 octets"));
  expect_failure(dial("/" + std::string(106, 'x')), Failure::NotThere);
}

TEST_F(DialTest, ASocketOfSomebodyElse) {
  const UniqueFd listener = listening_socket(path());
  ASSERT_EQ(::chmod(path().c_str(), 0), 0);
  const auto refused = as_nobody([&] { return dial(path()); });
  const auto message = expect_failure(refused, Failure::NotPermitted);
  EXPECT_THAT(message, AllOf(HasSubstr("may not connect"), HasSubstr("mode 0000")));
  if (::geteuid() != 0) return;
  EXPECT_THAT(message, AllOf(HasSubstr("(65534)"), HasSubstr("belongs to root:root")));
}

TEST_F(DialTest, ASocketBehindAClosedDirectory) {
  const UniqueFd listener = listening_socket(path());
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0), 0);
  const auto refused = as_nobody([&] { return dial(path()); });
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  EXPECT_THAT(expect_failure(refused, Failure::NotPermitted), HasSubstr("directory"));
}

TEST_F(DialTest, ADaemonThatTakesNoConnections) {
  const UniqueFd listener = listening_socket(path(), 0);
  const auto waiting = dial(path());
  ASSERT_TRUE(waiting);
  expect_failure(dial(path()), Failure::Silent);
  expect_failure(Client::greet(::dup(waiting->get()), 0, kNoPatience), Failure::Silent);
}

}  // namespace
}  // namespace testimony
