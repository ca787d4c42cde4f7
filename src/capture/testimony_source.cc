#include "capture/testimony_source.h"

#include <poll.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "capture/testimony_connection.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using Clock = TestimonyService::Clock;
using testimony::Failure;

// A daemon that is there answers at once. A capture thread neither hands over nor ends while it
// waits for one that is not.
constexpr milliseconds kHandshakePatience{1000};

// A daemon that starts at the same moment makes its socket, and then gives it to its owner.
constexpr milliseconds kOwnerPatience{500};
constexpr milliseconds kOwnerInterval{50};

// How often a daemon that has never answered is asked.
constexpr milliseconds kQuestionInterval{500};

bool may_come(Failure failure) {
  return failure == Failure::NotThere || failure == Failure::Silent ||
         failure == Failure::Refused || failure == Failure::Ended;
}

std::string_view way_out(Failure failure) {
  switch (failure) {
    case Failure::NotPermitted:
      return "; --user names an account that may, or the Group of its configuration lets others "
             "connect";
    case Failure::NoSocket: return "; name the SocketName of a testimonyd";
    case Failure::Broken: return "; is it a testimonyd that listens there?";
    default: return "";
  }
}

std::unexpected<Error> cannot_read(const std::string& path, const testimony::Error& error) {
  return fail("--testimony {}: {}{}", path, error.message, way_out(error.failure));
}

testimony::Result<testimony::Geometry> ask_geometry_at_start(const std::string& path) {
  const auto deadline = Clock::now() + kOwnerPatience;
  auto geometry = testimony::ask_geometry(path, kHandshakePatience);
  while (!geometry && geometry.error().failure == Failure::NotPermitted &&
         Clock::now() < deadline) {
    std::this_thread::sleep_for(kOwnerInterval);
    geometry = testimony::ask_geometry(path, kHandshakePatience);
  }
  return geometry;
}

Block block_of(const testimony::Block& block, testimony::Link link) {
  const bool is_ethernet = link == testimony::Link::Ethernet;
  return {.octets = block.octets, .link = is_ethernet ? RingLink::Ethernet : RingLink::Network};
}

}  // namespace

class TestimonySocket::Member : public PacketSource {
 public:
  Member(TestimonyService& service, uint32_t number, uint32_t members)
      : service_(service), number_(number), members_(members) {}

  std::optional<Block> take_block(milliseconds patience) override;
  void return_block() override;
  SourceCounts take_counts() override;

 private:
  void look_after_connections();
  void follow_fanout_size();
  void ask_fanout_size();
  void open_one();
  void open(TestimonyConnection& connection);
  void close(TestimonyConnection& connection, const testimony::Error& error);
  std::optional<Block> next_block();
  void wait_until(Clock::time_point deadline);
  [[nodiscard]] Clock::time_point next_try() const;

  TestimonyService& service_;
  const uint32_t number_;
  const uint32_t members_;

  uint32_t fanout_size_ = 0;  // that the connections are for
  std::vector<TestimonyConnection> connections_;
  size_t next_ = 0;  // the connection to begin with, so that none has to wait for the others
  Clock::time_point next_question_;  // for the fanout size, while nobody knows it

  // The block that is lent, and what came of returning it.
  TestimonyConnection* lender_ = nullptr;
  uint32_t lent_ = 0;
  std::optional<testimony::Error> return_error_;

  SourceCounts counts_;  // of connections that are closed
  std::vector<pollfd> polled_;
};

std::optional<Block> TestimonySocket::Member::take_block(milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  look_after_connections();
  if (const auto block = next_block()) return block;
  wait_until(deadline);
  return next_block();
}

// An error is left to the next take_block(): between the two there is only a count of packets.
void TestimonySocket::Member::return_block() {
  const auto returned = lender_->client().return_block(lent_);
  if (!returned) return_error_ = returned.error();
}

SourceCounts TestimonySocket::Member::take_counts() {
  for (TestimonyConnection& connection : connections_)
    connection.collect(counts_);
  if (number_ == 0) counts_ += service_.take_outages(Clock::now());
  return std::exchange(counts_, {});
}

void TestimonySocket::Member::look_after_connections() {
  if (return_error_) close(*lender_, *std::exchange(return_error_, {}));
  lender_ = nullptr;
  if (number_ == 0) service_.watch_silence(Clock::now());
  if (number_ == 0 && service_.fanout_size() == 0) ask_fanout_size();
  follow_fanout_size();
  open_one();
}

// A daemon that came back may have more indexes than before, or fewer.
void TestimonySocket::Member::follow_fanout_size() {
  const uint32_t size = service_.fanout_size();
  if (size == fanout_size_) return;
  fanout_size_ = size;
  std::erase_if(connections_, [&](TestimonyConnection& connection) {
    if (connection.index() < size) return false;
    connection.collect(counts_);
    return true;
  });
  const auto known = static_cast<uint32_t>(connections_.size());
  for (uint32_t index = number_ + known * members_; index < size; index += members_)
    connections_.emplace_back(index);
}

void TestimonySocket::Member::ask_fanout_size() {
  if (Clock::now() < next_question_) return;
  const auto geometry = testimony::ask_geometry(service_.path(), kHandshakePatience);
  if (geometry) return service_.note_geometry(*geometry);
  service_.note_absent(geometry.error(), Clock::now());
  next_question_ = Clock::now() + kQuestionInterval;
}

// One at a time: those that are open have blocks meanwhile.
void TestimonySocket::Member::open_one() {
  const auto now = Clock::now();
  const auto due = std::ranges::find_if(connections_, [now](const auto& connection) {
    return !connection.is_open() && connection.next_try() <= now;
  });
  if (due != connections_.end()) open(*due);
}

void TestimonySocket::Member::open(TestimonyConnection& connection) {
  auto client = testimony::Client::connect(service_.path(), connection.index(), kHandshakePatience);
  const auto now = Clock::now();
  if (!client) {
    connection.put_off(now);
    return service_.note_not_connected(connection.index(), client.error(), now);
  }
  const testimony::Geometry geometry = client->geometry();
  connection.open(*std::move(client), now);
  service_.note_connected(connection.index(), geometry, now);
}

void TestimonySocket::Member::close(TestimonyConnection& connection,
                                    const testimony::Error& error) {
  const auto now = Clock::now();
  connection.close(counts_, now);
  service_.note_lost(connection.index(), error, now);
}

// Of the connections in turn, the first that has one.
std::optional<Block> TestimonySocket::Member::next_block() {
  for (size_t i = 0; i < connections_.size(); ++i) {
    TestimonyConnection& connection = connections_[(next_ + i) % connections_.size()];
    if (!connection.is_open()) continue;
    const auto block = connection.next_block(milliseconds(0));
    if (!block) {
      close(connection, block.error());
    } else if (*block) {
      next_ = (next_ + i + 1) % connections_.size();
      lender_ = &connection;
      lent_ = (*block)->index;
      service_.note_block(Clock::now());
      return block_of(**block, connection.client().link());
    }
  }
  return {};
}

// Until a connection has something to look at, or is to be opened, or the time is over.
void TestimonySocket::Member::wait_until(Clock::time_point deadline) {
  polled_.clear();
  for (TestimonyConnection& connection : connections_) {
    if (connection.is_open())
      polled_.push_back({.fd = connection.client().fd(), .events = POLLIN, .revents = 0});
  }
  const auto until = std::min(deadline, next_try());
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
  ::poll(polled_.data(), polled_.size(), static_cast<int>(std::max(left, milliseconds(0)).count()));
}

Clock::time_point TestimonySocket::Member::next_try() const {
  auto first = Clock::time_point::max();
  for (const TestimonyConnection& connection : connections_) {
    if (!connection.is_open()) first = std::min(first, connection.next_try());
  }
  return first;
}

TestimonySocket::TestimonySocket(const std::string& path) : service_(path) {}

TestimonySocket::~TestimonySocket() = default;

Result<std::unique_ptr<TestimonySocket>> TestimonySocket::open(const std::string& path,
                                                               uint32_t members) {
  const auto geometry = ask_geometry_at_start(path);
  if (!geometry && !may_come(geometry.error().failure)) return cannot_read(path, geometry.error());
  std::unique_ptr<TestimonySocket> socket(new TestimonySocket(path));
  if (geometry) {
    members = geometry->fanout_size;
    socket->service_.note_geometry(*geometry);
  } else {
    socket->service_.note_absent(geometry.error(), Clock::now());
  }
  members = std::min(members, kMembersMax);
  for (uint32_t i = 0; i < members; ++i)
    socket->members_.push_back(std::make_unique<Member>(socket->service_, i, members));
  return socket;
}

std::vector<PacketSource*> TestimonySocket::sources() const {
  std::vector<PacketSource*> sources;
  sources.reserve(members_.size());
  for (const auto& member : members_)
    sources.push_back(member.get());
  return sources;
}

Result<testimony::Geometry> ask_testimony_geometry(const std::string& path) {
  const auto geometry = testimony::ask_geometry(path, kHandshakePatience);
  if (geometry) return *geometry;
  if (!may_come(geometry.error().failure)) return cannot_read(path, geometry.error());
  return fail("--testimony {}: {}; a run would wait for it", path, geometry.error().message);
}

}  // namespace clerk
