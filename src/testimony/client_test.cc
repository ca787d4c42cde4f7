// What a client does once it is connected: blocks that come and go back, and daemons that err.
#include "testimony/client.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <limits>
#include <optional>
#include <thread>

#include "testimony/testimony_test_support.h"

namespace testimony {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint32_t kUser = TP_STATUS_USER;
constexpr uint32_t kKernel = TP_STATUS_KERNEL;
constexpr uint32_t kTimedOut = TP_STATUS_BLK_TMO;
constexpr uint32_t kLosing = TP_STATUS_LOSING;

class ClientTest : public WithoutLeaks {};

// The next block, which must be there; a test that goes on without one would say less.
Block take(Client& client) {
  const auto found = client.next_block(kPatience);
  EXPECT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found.value_or(std::nullopt));
  return found.value_or(std::nullopt).value_or(Block{});
}

void give_back(Client& client, uint32_t index) {
  const auto given = client.return_block(index);
  EXPECT_TRUE(given) << given.error().message;
}

void expect_nothing(Client& client) {
  const auto found = client.next_block(kNoPatience);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_FALSE(*found);
}

TEST_F(ClientTest, HandsOutABlockAndGivesItBack) {
  FakeDaemon daemon;
  Client client = daemon.connected(1);
  const Octets packet{1, 2, 3};
  daemon.deliver(2, {.packets = clerk::BlockBuilder().packet({.octets = packet})});
  const Block found = take(client);
  EXPECT_EQ(found.index, 2U);
  EXPECT_THAT(found.octets, SizeIs(kGeometry.block_octets));
  BlockWalker packets(found.octets);
  RingPacket seen;
  ASSERT_TRUE(packets.next(seen));
  EXPECT_THAT(std::span(seen.data, seen.captured_octets), ElementsAreArray(packet));
  EXPECT_THAT(daemon.next_write(), IsEmpty());
  give_back(client, 2);
  EXPECT_EQ(daemon.next_write(), block(2));
  EXPECT_EQ(client.counts().blocks, 1U);
  EXPECT_EQ(client.link(), Link::Ethernet);
}

TEST_F(ClientTest, MessagesMayComeInAnyTwoPieces) {
  const Octets stream = tlv(0x8abc, {1, 2, 3}) + block(3) + tlv(0xffee) + block(0);
  for (size_t cut = 1; cut < stream.size(); ++cut) {
    FakeDaemon daemon;
    Client client = daemon.connected();
    daemon.fill(3, {});
    daemon.fill(0, {});
    daemon.send({stream.begin(), stream.begin() + static_cast<ptrdiff_t>(cut)});
    daemon.send({stream.begin() + static_cast<ptrdiff_t>(cut), stream.end()});
    EXPECT_EQ(take(client).index, 3U) << cut;
    EXPECT_EQ(take(client).index, 0U) << cut;
    expect_nothing(client);
  }
}

TEST_F(ClientTest, MessagesMayComeOctetByOctet) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.fill(3, {});
  daemon.fill(1, {});
  for (const uint8_t octet : block(3) + tlv(0x8abc, {1, 2, 3}) + block(1))
    daemon.send({octet});
  EXPECT_EQ(take(client).index, 3U);
  EXPECT_EQ(take(client).index, 1U);
}

TEST_F(ClientTest, SkipsTlvsOfAnyLength) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.fill(1, {});
  daemon.send(tlv(0x8abc) + tlv(0x8003, {9}));
  daemon.send(tlv(0x9fff, Octets(kValueOctetsMax, 0xff)) + block(1));
  EXPECT_EQ(take(client).index, 1U);
}

TEST_F(ClientTest, SeveralBlocksMayBeOutAndComeBackInAnyOrder) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  for (uint32_t i = 0; i < kGeometry.blocks; ++i)
    daemon.fill(i, {.sequence = 10 + i});
  daemon.send(block(0) + block(1) + block(2) + block(3));
  for (uint32_t i = 0; i < kGeometry.blocks; ++i)
    EXPECT_EQ(take(client).index, i);
  for (const uint32_t index : {2U, 0U, 3U, 1U}) {
    give_back(client, index);
    EXPECT_EQ(daemon.next_write(), block(index)) << "each index in a write of its own";
  }
}

TEST_F(ClientTest, ABlockThatIsTheKernelsGoesBackUnseen) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.fill(1, {.status = kKernel});
  daemon.fill(2, {.status = kLosing | kTimedOut});
  daemon.send(block(1) + block(2));
  expect_nothing(client);
  EXPECT_EQ(daemon.next_write(), block(1));
  EXPECT_EQ(daemon.next_write(), block(2));
  EXPECT_EQ(client.counts().stale, 2U);
  EXPECT_EQ(client.counts().blocks, 0U);
}

TEST_F(ClientTest, ABlockThatComesTwiceGoesBackUnseen) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.deliver(1, {.sequence = 5});
  give_back(client, take(client).index);
  EXPECT_EQ(daemon.next_write(), block(1));
  daemon.send(block(1));
  expect_nothing(client);
  EXPECT_EQ(daemon.next_write(), block(1));
  EXPECT_EQ(client.counts().stale, 1U);
  daemon.deliver(1, {.sequence = 9});
  EXPECT_EQ(take(client).index, 1U);
  EXPECT_EQ(client.counts().blocks, 2U);
}

TEST_F(ClientTest, TheFirstSequenceNumberMayBeAny) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.deliver(0, {.sequence = 0});
  daemon.deliver(1, {.sequence = 0});
  EXPECT_EQ(take(client).index, 0U);
  EXPECT_EQ(take(client).index, 1U);
  EXPECT_EQ(client.counts().stale, 0U);
}

TEST_F(ClientTest, AStaleBlockBetweenOthersHoldsNothingUp) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.fill(0, {.status = kKernel});
  daemon.fill(1, {});
  daemon.send(block(0) + block(0) + block(1));
  EXPECT_EQ(take(client).index, 1U);
  EXPECT_EQ(client.counts().stale, 2U);
}

TEST_F(ClientTest, BlocksOutOfOrderAreHandedOut) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  uint32_t index = 0;
  for (const uint64_t sequence : {2325U, 2326U, 2323U, 2324U, 2329U, 2330U, 2327U, 2328U}) {
    daemon.deliver(index, {.sequence = sequence});
    EXPECT_EQ(take(client).index, index);
    give_back(client, index);
    index = (index + 1) % kGeometry.blocks;
  }
  EXPECT_EQ(client.counts().blocks, 8U);
  EXPECT_EQ(client.counts().missed, 0);
}

TEST_F(ClientTest, CountsBlocksThatDidNotCome) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.deliver(0, {.sequence = 5});
  daemon.deliver(1, {.sequence = 9});
  take(client);
  take(client);
  EXPECT_EQ(client.counts().missed, 3);
  daemon.deliver(2, {.sequence = 7});
  take(client);
  EXPECT_EQ(client.counts().missed, 2);
  daemon.deliver(3, {.sequence = std::numeric_limits<uint64_t>::max()});
  take(client);
  EXPECT_EQ(client.counts().missed, std::numeric_limits<int64_t>::max());
}

TEST_F(ClientTest, GoesOnWhereAnEarlierConnectionToTheSameRingEnded) {
  FakeDaemon daemon;
  struct stat ring{};
  ASSERT_EQ(::fstat(daemon.ring(), &ring), 0);
  Client client = daemon.connected();
  EXPECT_EQ(client.position(), std::nullopt);
  client.go_on_from({.ring = ring.st_ino, .sequence = 3});
  daemon.deliver(0, {.sequence = 9});
  take(client);
  EXPECT_EQ(client.counts().missed, 5);
  EXPECT_EQ(client.position(), (Position{.ring = ring.st_ino, .sequence = 9}));
}

TEST_F(ClientTest, MissesNothingOfAnotherRing) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  client.go_on_from({.ring = 1, .sequence = 3});
  daemon.deliver(0, {.sequence = 9});
  take(client);
  EXPECT_EQ(client.counts().missed, 0);
}

TEST_F(ClientTest, CountsBlocksBeforeWhichTheKernelDropped) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.deliver(0, {.sequence = 1, .status = kUser | kLosing});
  daemon.deliver(1, {.sequence = 2, .status = kUser | kLosing | kTimedOut});
  daemon.deliver(2, {.sequence = 3, .status = kUser | kTimedOut});
  for (int i = 0; i < 3; ++i)
    take(client);
  EXPECT_EQ(client.counts().losing, 2U);
}

TEST_F(ClientTest, CountsBlocksThatChangedWhileTheyWereOut) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  for (uint32_t i = 0; i < 3; ++i)
    daemon.deliver(i, {.sequence = i});
  for (uint32_t i = 0; i < 3; ++i)
    take(client);
  daemon.fill(0, {.sequence = 8});
  daemon.fill(1, {.sequence = 1, .status = kKernel});
  for (uint32_t i = 0; i < 3; ++i)
    give_back(client, i);
  EXPECT_EQ(client.counts().torn, 2U);
}

TEST_F(ClientTest, ABlockStaysAsItWasWhenAFileChanges) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.deliver(0, {.sequence = 1, .packets = clerk::BlockBuilder().packet({.octets = {7}})});
  const Block found = take(client);
  daemon.fill(0, {.sequence = 2});
  RingPacket seen;
  EXPECT_TRUE(BlockWalker(found.octets).next(seen));
}

TEST_F(ClientTest, AFileThatIsCutShortReadsAsZeros) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.deliver(1, {.sequence = 1, .packets = clerk::BlockBuilder().pad_to(4096)});
  ASSERT_EQ(::ftruncate(daemon.ring(), 4096 + 64), 0);
  const Block found = take(client);
  ASSERT_THAT(found.octets, SizeIs(4096));
  EXPECT_EQ(found.octets[63], 0xa5);
  EXPECT_EQ(found.octets[64], 0);
  EXPECT_EQ(found.octets[4095], 0);
  ASSERT_EQ(::ftruncate(daemon.ring(), 0), 0);
  give_back(client, 1);
  EXPECT_EQ(client.counts().torn, 1U);
  daemon.send(block(1));
  expect_nothing(client);
  EXPECT_EQ(client.counts().stale, 1U);
}

TEST_F(ClientTest, RefusesABlockThatTheRingHasNot) {
  for (const uint32_t index : {kGeometry.blocks, kGeometry.blocks + 1, kBlockIndexMax}) {
    FakeDaemon daemon;
    Client client = daemon.connected();
    daemon.send(block(index));
    EXPECT_THAT(expect_failure(client.next_block(kPatience), Failure::Broken),
                HasSubstr(std::to_string(index)));
    expect_failure(client.next_block(kPatience), Failure::Broken);
  }
}

TEST_F(ClientTest, RefusesABlockThatIsStillOut) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.deliver(1, {.sequence = 1});
  take(client);
  daemon.deliver(1, {.sequence = 2});
  EXPECT_THAT(expect_failure(client.next_block(kPatience), Failure::Broken), HasSubstr("again"));
}

TEST_F(ClientTest, ReturnsOnlyWhatIsOut) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.deliver(1, {});
  take(client);
  give_back(client, 1);
  EXPECT_EQ(daemon.next_write(), block(1));
  for (const uint32_t index : {0U, 1U, 4U, kBlockIndexMax, 0xffff'ffffU})
    EXPECT_THAT(expect_failure(client.return_block(index), Failure::Broken),
                HasSubstr("block " + std::to_string(index)));
  EXPECT_THAT(daemon.next_write(), IsEmpty());
  daemon.deliver(0, {});
  EXPECT_EQ(take(client).index, 0U) << "the mistake ends nothing";
}

TEST_F(ClientTest, TellsWhatTheKernelCounted) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  EXPECT_FALSE(client.kernel_counters());
  const Octets counters{0, 0, 0, 0, 0, 0, 1, 2, 0x80, 0, 0, 0, 0, 0, 0, 3};
  daemon.send(tlv(Type::KernelCounters, counters));
  expect_nothing(client);
  ASSERT_TRUE(client.kernel_counters());
  EXPECT_EQ(client.kernel_counters()->packets, 0x102U);
  EXPECT_EQ(client.kernel_counters()->drops, 0x8000'0000'0000'0003U);
  for (const size_t octets : {0U, 8U, 15U, 17U, 24U})
    daemon.send(tlv(Type::KernelCounters, Octets(octets)));
  expect_nothing(client);
  EXPECT_EQ(client.kernel_counters()->packets, 0x102U);
}

TEST_F(ClientTest, EndsWithTheConnectionAtAnyOctet) {
  const Octets stream = block(2) + tlv(0x8abc, {1, 2});
  for (size_t count = 0; count <= stream.size(); ++count) {
    FakeDaemon daemon;
    Client client = daemon.connected();
    daemon.fill(2, {});
    if (count > 0) daemon.send({stream.begin(), stream.begin() + static_cast<ptrdiff_t>(count)});
    daemon.close();
    if (count >= block(2).size()) {
      EXPECT_EQ(take(client).index, 2U);
    }
    EXPECT_THAT(expect_failure(client.next_block(kPatience), Failure::Ended), HasSubstr("closed"));
    expect_failure(client.return_block(2), Failure::Ended);
  }
}

TEST_F(ClientTest, ReportsTheDaemonsError) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.deliver(1, {});
  daemon.send(error_tlv("the interface is gone\n"));
  take(client);
  EXPECT_EQ(expect_failure(client.next_block(kPatience), Failure::Ended),
            "the daemon says: the interface is gone?");
  EXPECT_EQ(expect_failure(client.return_block(1), Failure::Ended),
            "the daemon says: the interface is gone?");
}

// Who is too slow learns of it when giving a block back.
TEST_F(ClientTest, ReportsTheErrorOfADaemonThatIsGone) {
  for (const int type : {SOCK_STREAM, SOCK_SEQPACKET}) {
    FakeDaemon daemon(type);
    Client client = daemon.connected();
    daemon.deliver(1, {});
    daemon.deliver(2, {.sequence = 2});
    daemon.deliver(3, {.sequence = 3});
    EXPECT_EQ(take(client).index, 1U);
    EXPECT_EQ(take(client).index, 2U);
    give_back(client, 1);  // which the daemon does not read
    daemon.send(error_tlv("held a block too long"));
    daemon.close();
    EXPECT_THAT(expect_failure(client.return_block(2), Failure::Ended),
                HasSubstr("held a block too long"));
    EXPECT_THAT(expect_failure(client.next_block(kPatience), Failure::Ended),
                HasSubstr("held a block too long"));
  }
}

TEST_F(ClientTest, WaitsNoLongerThanItIsTold) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(client.next_block(milliseconds(30))->has_value());
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(30));
  EXPECT_FALSE(client.next_block(milliseconds::min())->has_value());
  daemon.send(tlv(0x8abc, {1}));
  EXPECT_FALSE(client.next_block(milliseconds(1))->has_value());
  daemon.deliver(1, {});
  EXPECT_TRUE(client.next_block(milliseconds::max())->has_value());
}

TEST_F(ClientTest, DescriptorsThatNobodyAskedForAreClosed) {
  FakeDaemon daemon;
  Client client = daemon.connected();
  daemon.fill(1, {});
  const size_t before = open_descriptors();
  daemon.send_with(tlv(0x8abc, {1, 2}), {daemon.ring(), daemon.ring()});
  daemon.send_with(block(1), {daemon.ring()});
  EXPECT_EQ(take(client).index, 1U);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ClientTest, MayBeMoved) {
  FakeDaemon first_daemon;
  FakeDaemon second_daemon;
  Client first = first_daemon.connected();
  Client second = second_daemon.connected();
  second_daemon.deliver(3, {});
  first = std::move(second);
  EXPECT_EQ(take(first).index, 3U);
}

// A ring whose blocks do not all fit into the socket's buffer on their way back.
constexpr Geometry kManyBlocks{.fanout_size = 1, .block_octets = 64, .blocks = 256};

class SlowDaemonTest : public WithoutLeaks {
 protected:
  // A client that has given all blocks back, and the daemon has read none.
  Client client_ahead() {
    Client client = daemon_->connected();
    const int smallest = 1;
    EXPECT_EQ(::setsockopt(client.fd(), SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest), 0);
    for (uint32_t i = 0; i < kManyBlocks.blocks; ++i)
      daemon_->deliver(i, {.sequence = i});
    for (uint32_t i = 0; i < kManyBlocks.blocks; ++i)
      give_back(client, take(client).index);
    return client;
  }

  // Adds what the client wrote until then.
  void read_into(Octets& octets) {
    for (Octets some = daemon_->next_write(); !some.empty(); some = daemon_->next_write()) {
      EXPECT_EQ(some.size() % 4, 0U);
      octets = std::move(octets) + some;
    }
  }

  static Octets all_blocks() {
    Octets octets;
    for (uint32_t i = 0; i < kManyBlocks.blocks; ++i)
      put_block(i, octets);
    return octets;
  }

 private:
  void TearDown() override {
    daemon_.reset();
    WithoutLeaks::TearDown();
  }

 protected:
  std::optional<FakeDaemon> daemon_{std::in_place, SOCK_STREAM, kManyBlocks};
};

TEST_F(SlowDaemonTest, WhatItDoesNotTakeIsSentLater) {
  Client client = client_ahead();
  Octets returned;
  read_into(returned);
  EXPECT_LT(returned.size(), all_blocks().size()) << "the test is to fill the buffer";
  while (returned.size() < all_blocks().size()) {
    const size_t before = returned.size();
    expect_nothing(client);
    read_into(returned);
    ASSERT_GT(returned.size(), before);
  }
  EXPECT_EQ(returned, all_blocks());
}

TEST_F(SlowDaemonTest, WhatItTakesAtLastIsSentWhileTheClientWaits) {
  Client client = client_ahead();
  Octets returned;
  const std::jthread daemon_thread([&] {
    while (returned.size() < all_blocks().size()) {
      std::this_thread::sleep_for(milliseconds(1));
      read_into(returned);
    }
    daemon_->send(block(0) + tlv(0x8abc));  // the same again: stale
    daemon_->deliver(1, {.sequence = 1000});
  });
  EXPECT_EQ(take(client).index, 1U);
  EXPECT_EQ(returned, all_blocks());
}

TEST_F(SlowDaemonTest, WhatItNeverTakesDoesNotFillTheMemory) {
  Client client = client_ahead();
  daemon_->fill(0, {.status = kKernel});
  Octets many;
  for (uint32_t i = 0; i < 2 * kManyBlocks.blocks; ++i)
    put_block(0, many);
  daemon_->send(many);
  EXPECT_THAT(expect_failure(client.next_block(kPatience), Failure::Broken),
              HasSubstr("takes none back"));
}

TEST_F(SlowDaemonTest, WhatIsQueuedIsNoErrorOfItsOwnWhenItCloses) {
  Client client = client_ahead();
  daemon_->send(error_tlv("enough"));
  daemon_->close();
  EXPECT_THAT(expect_failure(client.next_block(kPatience), Failure::Ended), HasSubstr("enough"));
}

}  // namespace
}  // namespace testimony
