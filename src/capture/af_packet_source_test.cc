#include "capture/af_packet_source.h"

#include <gmock/gmock.h>

#include <functional>
#include <thread>

#include "capture/live_test_support.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr milliseconds kPatience{10};

AfPacketOptions options_of(uint32_t members) {
  return {.members = members, .snaplen = kSnaplen, .ring_octets = size_t{2} << 20};
}

AfPacketOptions waiting(AfPacketOptions options) {
  options.wait = true;
  return options;
}

AfPacketOptions filtering(AfPacketOptions options, const std::string& expression) {
  options.filter = expression;
  return options;
}

std::unique_ptr<AfPacketInterface> open(const std::string& name, const AfPacketOptions& options) {
  auto interface = AfPacketInterface::open(name, options);
  EXPECT_TRUE(interface) << interface.error().message;
  return *std::move(interface);
}

std::string error_of(const std::string& name, const AfPacketOptions& options) {
  const auto interface = AfPacketInterface::open(name, options);
  return interface ? "no error" : interface.error().message;
}

std::vector<LivePacket> read_all(PacketSource& source) {
  return read_until_quiet([&source](std::vector<LivePacket>& to) {
    const auto block = source.take_block(kPatience);
    if (!block) return;
    read_block(*block, to);
    source.return_block();
  });
}

// Each member on a thread of its own, as in a run.
std::vector<size_t> seen_by_each(const AfPacketInterface& interface) {
  const auto sources = interface.sources();
  std::vector<size_t> seen(sources.size());
  std::vector<std::jthread> threads;
  threads.reserve(sources.size());
  for (size_t i = 0; i < sources.size(); ++i)
    threads.emplace_back([&, i] { seen[i] = read_all(*sources[i]).size(); });
  threads.clear();
  return seen;
}

size_t sum(const std::vector<size_t>& counts) {
  size_t sum = 0;
  for (const size_t count : counts)
    sum += count;
  return sum;
}

class AfPacketOnLoopback : public OnLoopback {};

TEST_F(AfPacketOnLoopback, AMemberSeesEachPacketOnce) {
  const auto interface = open("lo", options_of(1));
  ASSERT_THAT(interface->sources(), SizeIs(1));
  send(50);
  EXPECT_THAT(read_all(*interface->sources()[0]), SizeIs(50));
}

TEST_F(AfPacketOnLoopback, MembersTogetherSeeEachPacketOnce) {
  AfPacketOptions options = options_of(3);
  for (const Fanout mode : {Fanout::Hash, Fanout::Lb, Fanout::Rnd}) {
    options.fanout = mode;
    const auto interface = open("lo", options);
    ASSERT_THAT(interface->sources(), SizeIs(3));
    send(150);
    EXPECT_EQ(sum(seen_by_each(*interface)), 150U) << static_cast<int>(mode);
  }
}

TEST_F(AfPacketOnLoopback, WhatComesBetweenOpenAndTheFirstReadIsNotLost) {
  const auto interface = open("lo", options_of(2));
  send(20);
  std::this_thread::sleep_for(2 * RingShape{}.retire);
  EXPECT_EQ(sum(seen_by_each(*interface)), 20U);
}

TEST_F(AfPacketOnLoopback, TellsWhatTheKernelDropped) {
  const auto interface = open("lo", options_of(1));
  PacketSource& source = *interface->sources()[0];
  send(1);
  EXPECT_THAT(read_all(source), SizeIs(1));
  send(200, 60'000);
  const size_t seen = read_all(source).size();
  EXPECT_LT(seen, 200U);
  EXPECT_EQ(seen + source.take_counts().dropped, 200U);
  EXPECT_EQ(source.take_counts().dropped, 0U);
}

TEST_F(AfPacketOnLoopback, AWrongFilterIsAnErrorThatNamesInterfaceAndFilter) {
  EXPECT_THAT(error_of("lo", filtering(options_of(1), "prot 80")),
              StartsWith("--interface lo: filter 'prot 80': "));
}

TEST_F(AfPacketOnLoopback, SurvivesTheInterfaceGoingDownAndComingUp) {
  const auto interface = open("lo", options_of(1));
  PacketSource& source = *interface->sources()[0];
  EXPECT_THAT(read_all(source), SizeIs(0));
  set_interface("lo", InterfaceState::Down);
  EXPECT_THAT(read_all(source), SizeIs(0));
  set_interface("lo", InterfaceState::Up);
  send(3);
  EXPECT_THAT(read_all(source), SizeIs(3));
}

class AfPacketInNamespace : public InNetworkNamespace {};

TEST_F(AfPacketInNamespace, AnInterfaceThatIsNotThereIsAnErrorThatNamesThoseThatAre) {
  const std::string message = error_of("eth9", options_of(1));
  EXPECT_THAT(message, StartsWith("--interface eth9: there is no such interface; there are lo"));
  EXPECT_THAT(message, HasSubstr("--wait"));
}

TEST_F(AfPacketInNamespace, ANameThatNoInterfaceCanHaveIsAnErrorLikeAnyOther) {
  for (const std::string name : {"", "a name of more than fifteen octets", "a/b", "lo\n"})
    EXPECT_THAT(error_of(name, options_of(1)), StartsWith("--interface " + name + ": ")) << name;
}

TEST_F(AfPacketInNamespace, OpensAnInterfaceThatIsDown) {
  const auto interface = open("lo", options_of(1));
  set_interface("lo", InterfaceState::Up);
  TestDatagrams().send(3);
  EXPECT_THAT(read_all(*interface->sources()[0]), SizeIs(3));
}

class AfPacketOnDevice : public WithDevice {
 protected:
  void send(size_t count) {
    for (size_t i = 0; i < count; ++i)
      WithDevice::send(PacketBuilder().ethernet().ipv4().udp());
  }
};

// Takes blocks until this member has a ring and gets a packet of it; how many came with it.
size_t wait_for_packets(PacketSource& source, const std::function<void()>& send_one) {
  constexpr int kTries = 300;
  for (int i = 0; i < kTries; ++i) {
    send_one();
    const auto block = source.take_block(kPatience);
    if (!block) continue;
    std::vector<LivePacket> packets;
    read_block(*block, packets);
    source.return_block();
    return packets.size();
  }
  return 0;
}

TEST_F(AfPacketOnDevice, WaitsForAnInterfaceThatIsNotThereYet) {
  const auto interface = open("test0", waiting(filtering(options_of(1), "udp")));
  PacketSource& source = *interface->sources()[0];
  EXPECT_FALSE(source.take_block(kPatience));
  EXPECT_EQ(source.take_counts().dropped, 0U);
  if (!make_device()) GTEST_SKIP() << no_device();
  EXPECT_GT(wait_for_packets(source, [this] { send(1); }), 0U);
}

TEST_F(AfPacketOnDevice, ReadsAnInterfaceToItsEndAndOpensItWhenItIsBack) {
  if (!make_device()) GTEST_SKIP() << no_device();
  const auto interface = open("test0", filtering(options_of(2), "udp"));
  const auto sources = interface->sources();
  send(10);
  remove_device();
  EXPECT_EQ(sum(seen_by_each(*interface)), 10U);
  // Both have closed their rings by now, the first to look opens new ones.
  EXPECT_FALSE(sources[0]->take_block(kPatience));
  ASSERT_TRUE(make_device());
  const auto until = std::chrono::steady_clock::now() + milliseconds(5000);
  size_t sent = 0;
  size_t seen = 0;
  while (seen == 0 && std::chrono::steady_clock::now() < until) {
    send(1);
    ++sent;
    seen = sum(seen_by_each(*interface));
  }
  EXPECT_GT(seen, 0U);
  EXPECT_LE(seen, sent);
  send(40);
  EXPECT_EQ(sum(seen_by_each(*interface)), 40U);
}

}  // namespace
}  // namespace clerk
