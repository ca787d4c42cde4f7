// The handshake as a client sees it: what a daemon may say, in which pieces, and what it may not.
#include "testimony/handshake.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <functional>

#include "testimony/testimony_test_support.h"

namespace testimony {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class HandshakeTest : public WithoutLeaks {
 protected:
  // The daemon says this, then nothing more; it is not there for long.
  static Result<Client> after(const Octets& octets, uint32_t index = 0) {
    FakeDaemon daemon;
    if (!octets.empty()) daemon.send(octets);
    daemon.fall_silent();
    return daemon.greet(index);
  }

  static std::string failure_after(const Octets& octets, Failure failure) {
    return expect_failure(after(octets), failure);
  }

  // A whole handshake, from these pieces before the ring.
  static void expect_client(const std::vector<Octets>& pieces) {
    FakeDaemon daemon;
    for (const Octets& piece : pieces)
      if (!piece.empty()) daemon.send(piece);
    daemon.pass_ring();
    const auto client = daemon.greet(1);
    ASSERT_TRUE(client) << client.error().message;
    EXPECT_EQ(client->geometry(), kGeometry);
    EXPECT_EQ(daemon.next_write(), number_tlv(Type::FanoutIndex, 1));
    EXPECT_THAT(daemon.next_write(), IsEmpty());
  }
};

Octets first_of(const Octets& octets, size_t count) {
  return {octets.begin(), octets.begin() + static_cast<ptrdiff_t>(count)};
}

Octets behind(const Octets& octets, size_t count) {
  return {octets.begin() + static_cast<ptrdiff_t>(count), octets.end()};
}

TEST_F(HandshakeTest, MayComeInAnyTwoPieces) {
  const Octets whole = greeting();
  for (size_t cut = 0; cut <= whole.size(); ++cut)
    expect_client({first_of(whole, cut), behind(whole, cut)});
}

TEST_F(HandshakeTest, MayComeOctetByOctet) {
  std::vector<Octets> octets;
  for (const uint8_t octet : greeting())
    octets.push_back({octet});
  expect_client(octets);
}

TEST_F(HandshakeTest, TakesTheGeometryInAnyOrder) {
  std::vector<Octets> parts{number_tlv(Type::FanoutSize, kGeometry.fanout_size),
                            number_tlv(Type::BlockSize, kGeometry.block_octets),
                            number_tlv(Type::NumBlocks, kGeometry.blocks)};
  std::ranges::sort(parts);
  do {
    expect_client({kVersionOctet, parts[0], parts[1], parts[2], kWaiting});
  } while (std::ranges::next_permutation(parts).found);
}

TEST_F(HandshakeTest, SkipsWhatItDoesNotKnow) {
  for (const size_t octets : {size_t{0}, size_t{1}, size_t{4}, size_t{4097}, kValueOctetsMax}) {
    for (const int type : {0x8001, 0x8006, 0x9000, 0xc006, 0xc007, 0xfffe}) {
      const Octets unknown = tlv(static_cast<uint16_t>(type), Octets(octets, 0xff));
      expect_client({kVersionOctet, unknown, geometry_tlvs(), kWaiting});
      expect_client({kVersionOctet, geometry_tlvs() + unknown, kWaiting});
    }
  }
}

TEST_F(HandshakeTest, BelievesTheLastOfTwo) {
  expect_client({kVersionOctet, number_tlv(Type::NumBlocks, 99), geometry_tlvs(), kWaiting});
}

TEST_F(HandshakeTest, SkipsTlvsBeforeTheRing) {
  const Octets unknown = tlv(0x8abc, {1, 2, 3, 4, 5});
  expect_client({greeting(), unknown, unknown + kWaiting});
  for (size_t cut = 0; cut <= unknown.size(); ++cut)
    expect_client({greeting() + first_of(unknown, cut), behind(unknown, cut)});
}

TEST_F(HandshakeTest, TheRingMayComeWithATlvBeforeIt) {
  FakeDaemon daemon;
  daemon.send(greeting());
  daemon.send_with(tlv(0x8abc, {1}) + kRingOctet, {daemon.ring()});
  EXPECT_TRUE(daemon.greet(0));
}

TEST_F(HandshakeTest, BlocksMayFollowTheRingInTheSameRead) {
  FakeDaemon daemon;
  daemon.fill(3, {});
  daemon.send(greeting());
  daemon.send_with(kRingOctet + tlv(0x8abc, {1}) + block(3), {daemon.ring()});
  auto client = daemon.greet(0);
  ASSERT_TRUE(client);
  const auto found = client->next_block(kNoPatience);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->index, 3U);
}

TEST_F(HandshakeTest, BlocksMayFollowTheRingInPieces) {
  const Octets behind_ring = block(3) + tlv(0x8abc, {1, 2}) + block(2);
  for (size_t cut = 0; cut <= behind_ring.size(); ++cut) {
    FakeDaemon daemon;
    daemon.fill(3, {});
    daemon.fill(2, {});
    daemon.send(greeting());
    daemon.send_with(kRingOctet + first_of(behind_ring, cut), {daemon.ring()});
    if (cut < behind_ring.size()) daemon.send(behind(behind_ring, cut));
    auto client = daemon.greet(0);
    ASSERT_TRUE(client);
    for (const uint32_t index : {3U, 2U}) {
      const auto found = client->next_block(kPatience);
      ASSERT_TRUE(found && *found) << cut;
      EXPECT_EQ((*found)->index, index);
    }
  }
}

TEST_F(HandshakeTest, EverythingMayComeInOneReadOfAStream) {
  FakeDaemon daemon(SOCK_STREAM);
  daemon.fill(1, {});
  daemon.send(greeting());
  daemon.send_with(kRingOctet, {daemon.ring()});
  daemon.send(block(1));
  auto client = daemon.greet(0);
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_TRUE(client->next_block(kNoPatience)->has_value());
}

TEST_F(HandshakeTest, AnotherVersionIsNotUnderstood) {
  for (const unsigned version : {0U, 1U, 3U, 255U})
    EXPECT_THAT(failure_after(Octets{static_cast<uint8_t>(version)} + geometry_tlvs() + kWaiting,
                              Failure::Broken),
                HasSubstr("version " + std::to_string(version) + " "));
}

TEST_F(HandshakeTest, EachPartOfTheGeometryMustBeThere) {
  const Octets fanout = number_tlv(Type::FanoutSize, 1);
  const Octets size = number_tlv(Type::BlockSize, 4096);
  const Octets blocks = number_tlv(Type::NumBlocks, 4);
  for (const Octets& parts : {Octets(), fanout + size, fanout + blocks, size + blocks})
    EXPECT_THAT(failure_after(kVersionOctet + parts + kWaiting, Failure::Broken),
                HasSubstr("geometry"));
}

TEST_F(HandshakeTest, RefusesAGeometryThatNoRingHas) {
  const Geometry impossible[] = {
      {.fanout_size = 0, .block_octets = 4096, .blocks = 4},
      {.fanout_size = 1, .block_octets = 0, .blocks = 4},
      {.fanout_size = 1, .block_octets = 4096, .blocks = 0},
      {.fanout_size = kFanoutSizeMax + 1, .block_octets = 4096, .blocks = 4},
      {.fanout_size = 0xffff'ffff, .block_octets = 4096, .blocks = 4},
      {.fanout_size = 1, .block_octets = 40, .blocks = 4},
      {.fanout_size = 1, .block_octets = 4097, .blocks = 4},
      {.fanout_size = 1, .block_octets = 4096, .blocks = kBlocksMax + 1},
      {.fanout_size = 1, .block_octets = 0xffff'ffff, .blocks = 0xffff'ffff},
      {.fanout_size = 1, .block_octets = 0x8000'0000, .blocks = 0x8000'0000},
  };
  for (const Geometry& geometry : impossible)
    EXPECT_THAT(failure_after(greeting(geometry), Failure::Broken), HasSubstr("geometry"));
}

TEST_F(HandshakeTest, CopiesNoFileThatIsTooLarge) {
  FakeDaemon daemon;
  daemon.send(greeting({.fanout_size = 1, .block_octets = 0xffff'fff8, .blocks = kBlocksMax}));
  daemon.pass_ring();
  EXPECT_THAT(expect_failure(daemon.greet(0), Failure::Broken), HasSubstr("too large"));
}

TEST_F(HandshakeTest, RefusesANumberOfAnotherLength) {
  for (const Type type : {Type::FanoutSize, Type::BlockSize, Type::NumBlocks})
    for (const size_t octets :
         {size_t{0}, size_t{1}, size_t{3}, size_t{5}, size_t{8}, size_t{65535}})
      failure_after(kVersionOctet + geometry_tlvs() + tlv(type, Octets(octets)) + kWaiting,
                    Failure::Broken);
}

TEST_F(HandshakeTest, RefusesABlockBeforeTheRing) {
  for (const uint32_t index : {0U, 1U, kBlockIndexMax})
    failure_after(kVersionOctet + block(index) + geometry_tlvs() + kWaiting, Failure::Broken);
}

TEST_F(HandshakeTest, DoesNotAskForAPartThatThereIsNot) {
  for (const uint32_t index : {2U, 7U, 0x8000'0000U, 0xffff'ffffU}) {
    FakeDaemon daemon;
    daemon.send(greeting());
    EXPECT_THAT(expect_failure(daemon.greet(index), Failure::Refused),
                HasSubstr("no part " + std::to_string(index)));
    EXPECT_THAT(daemon.next_write(), IsEmpty());
  }
}

TEST_F(HandshakeTest, EndsWithTheConnectionAtAnyOctet) {
  const Octets whole = greeting() + tlv(0x8abc, {1, 2});
  for (size_t count = 0; count <= whole.size(); ++count)
    EXPECT_THAT(failure_after(first_of(whole, count), Failure::Refused), HasSubstr("closed"));
}

TEST_F(HandshakeTest, EndsWhenTheDaemonClosesWithoutReading) {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    FakeDaemon daemon(type);
    daemon.send(greeting());
    daemon.close();
    expect_failure(daemon.greet(0), Failure::Refused);
  }
}

TEST_F(HandshakeTest, ReportsTheDaemonsErrorWhereverItComes) {
  const Octets error = error_tlv("no more than 3 clients");
  const Octets before[] = {kVersionOctet, kVersionOctet + geometry_tlvs(), greeting(),
                           greeting() + tlv(0x8abc, {1})};
  for (const Octets& octets : before)
    EXPECT_THAT(failure_after(octets + error, Failure::Refused),
                HasSubstr("no more than 3 clients"));
}

TEST_F(HandshakeTest, ReportsTheErrorOfADaemonThatIsGone) {
  FakeDaemon daemon;
  daemon.send(greeting());
  daemon.send(error_tlv("enough"));
  daemon.close();
  EXPECT_THAT(expect_failure(daemon.greet(0), Failure::Refused), HasSubstr("enough"));
}

TEST_F(HandshakeTest, PrintsOfAnErrorOnlyWhatDoesNoHarm) {
  const auto message =
      failure_after(greeting() + error_tlv("a\x1b[2J\n\xc2\x9b\x7f z"), Failure::Refused);
  EXPECT_EQ(message, "the daemon says: a?[2J???? z");
  const auto longest =
      failure_after(greeting() + error_tlv(std::string(65535, 'x')), Failure::Refused);
  EXPECT_LT(longest.size(), 400U);
  EXPECT_THAT(longest, HasSubstr("xxx..."));
}

TEST_F(HandshakeTest, WaitsNoLongerThanItIsTold) {
  const Octets whole = greeting();
  for (size_t count = 0; count <= whole.size(); ++count) {
    FakeDaemon daemon;
    if (count > 0) daemon.send(first_of(whole, count));
    expect_failure(daemon.greet(0, kNoPatience), Failure::Silent);
  }
  FakeDaemon daemon;
  const auto start = Clock::now();
  expect_failure(daemon.greet(0, std::chrono::milliseconds(50)), Failure::Silent);
  EXPECT_GE(Clock::now() - start, std::chrono::milliseconds(50));
  expect_failure(daemon.greet(0, std::chrono::milliseconds::min()), Failure::Silent);
}

TEST_F(HandshakeTest, ARingIsOneDescriptor) {
  for (const size_t count : {0U, 2U, 16U}) {
    FakeDaemon daemon;
    daemon.send(greeting());
    if (count == 0) daemon.send(kRingOctet);
    if (count > 0) daemon.send_with(kRingOctet, std::vector<int>(count, daemon.ring()));
    EXPECT_THAT(expect_failure(daemon.greet(0), Failure::Broken),
                HasSubstr(std::to_string(count) + " descriptors"));
  }
}

TEST_F(HandshakeTest, DescriptorsAtAWrongTimeAreNoRing) {
  FakeDaemon daemon;
  daemon.send_with(first_of(greeting(), 5), {daemon.ring()});
  daemon.send_with(behind(greeting(), 5), {daemon.ring(), daemon.ring()});
  daemon.send(kRingOctet);
  expect_failure(daemon.greet(0), Failure::Broken);
}

TEST_F(HandshakeTest, DescriptorsAtAWrongTimeDoNoHarm) {
  FakeDaemon daemon;
  daemon.send_with(first_of(greeting(), 5), {daemon.ring()});
  daemon.send_with(behind(greeting(), 5), {daemon.ring(), daemon.ring()});
  daemon.send_with(tlv(0x8abc), {daemon.ring()});
  daemon.pass_ring();
  const size_t before = open_descriptors();
  const auto client = daemon.greet(0);
  EXPECT_TRUE(client);
  EXPECT_EQ(open_descriptors(), before + 2) << "its socket and its ring";
}

TEST_F(HandshakeTest, ARingIsAPacketSocketOrAFile) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const UniqueFd pipe_ends[] = {UniqueFd(pipe[0]), UniqueFd(pipe[1])};
  const UniqueFd tcp(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const UniqueFd device(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  for (const int wrong : {pipe_ends[0].get(), pipe_ends[1].get(), tcp.get(), device.get()}) {
    FakeDaemon daemon;
    daemon.send(greeting());
    daemon.send_with(kRingOctet, {wrong});
    EXPECT_THAT(expect_failure(daemon.greet(0), Failure::Broken), HasSubstr("no packet socket"));
  }
}

// The kernel then leaves out the descriptor and says so.
TEST_F(HandshakeTest, TellsThatThereIsNoRoomForADescriptor) {
  FakeDaemon daemon;
  daemon.send(greeting());
  daemon.pass_ring();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd client_end = daemon.take_client_end();
  const int highest = ::dup(client_end.get());
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(highest) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto client = Client::greet(highest, 0, kPatience);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(expect_failure(client, Failure::System), HasSubstr("limit of open files"));
}

TEST_F(HandshakeTest, WhatTheClientOwnsIsClosedOnExec) {
  FakeDaemon daemon;
  const UniqueFd client_end = daemon.take_client_end();
  const int socket = ::dup(client_end.get());
  daemon.send(greeting());
  daemon.pass_ring();
  const auto client = Client::greet(socket, 0);
  ASSERT_TRUE(client);
  EXPECT_EQ(::fcntl(client->fd(), F_GETFD), FD_CLOEXEC);
}

}  // namespace
}  // namespace testimony
