#include "capture/ring.h"

#include <gmock/gmock.h>

#include <atomic>
#include <functional>
#include <thread>

#include "base/time.h"
#include "capture/live_test_support.h"
#include "capture/promiscuity.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::Each;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr size_t kMebibyte = size_t{1} << 20;

KernelFilter filter_of(const std::string& expression, const std::string& interface_name,
                       uint32_t snaplen = kSnaplen) {
  const auto filter =
      compile_kernel_filter(expression, snaplen, interface_name, interface_of(interface_name));
  EXPECT_TRUE(filter) << filter.error().message;
  return filter.value_or(KernelFilter{});
}

Ring create(const std::string& interface_name, size_t octets = 4 * kMebibyte) {
  auto ring = Ring::create(interface_of(interface_name), RingShape::of_octets(octets));
  EXPECT_TRUE(ring) << ring.error().message;
  return *std::move(ring);
}

void expect_done(const Result<void>& result) { EXPECT_TRUE(result) << result.error().message; }

Ring listen(const std::string& interface_name, const std::string& expression = "",
            size_t octets = 4 * kMebibyte) {
  Ring ring = create(interface_name, octets);
  expect_done(ring.listen(filter_of(expression, interface_name)));
  return ring;
}

std::vector<LivePacket> read_all(Ring& ring) {
  return read_until_quiet([&ring](std::vector<LivePacket>& to) {
    ring.wait(milliseconds(10));
    while (const auto block = ring.ready_block()) {
      read_block(*block, to);
      ring.return_block();
    }
  });
}

class RingOnLoopback : public OnLoopback {};

TEST_F(RingOnLoopback, SeesEachPacketOnce) {
  Ring ring = listen("lo");
  send(50);
  const auto packets = read_all(ring);
  EXPECT_THAT(packets, SizeIs(50));
  for (const auto& [packet, octets] : packets) {
    EXPECT_EQ(packet.link_type, LinkType::Ethernet);
    EXPECT_EQ(packet.stripped_vlan_id, kNoVlanTag);
    EXPECT_EQ(packet.wire_octets, TestDatagrams::kHeaderOctets + 100);
    EXPECT_THAT(octets, SizeIs(TestDatagrams::kHeaderOctets + 100));
    EXPECT_EQ(octets.back(), 0xa5);
  }
  EXPECT_EQ(ring.take_statistics().drops, 0U);
}

TEST_F(RingOnLoopback, IsDeafUntilItListens) {
  Ring ring = create("lo");
  send(50, 100);
  EXPECT_THAT(read_all(ring), SizeIs(0));
  expect_done(ring.listen(filter_of("", "lo")));
  send(3, 200);
  const auto packets = read_all(ring);
  ASSERT_THAT(packets, SizeIs(3));
  for (const auto& each : packets)
    EXPECT_EQ(each.packet.wire_octets, TestDatagrams::kHeaderOctets + 200);
}

TEST_F(RingOnLoopback, TellsTheTimeOfEachPacketByTheWallClock) {
  Ring ring = listen("lo");
  const uint64_t before = wall_clock_ns();
  send(10);
  const uint64_t after = wall_clock_ns();
  uint64_t last = before;
  for (const auto& each : read_all(ring)) {
    EXPECT_GE(each.packet.time_ns, last);
    EXPECT_LE(each.packet.time_ns, after);
    last = each.packet.time_ns;
  }
}

TEST_F(RingOnLoopback, KeepsAsMuchOfAPacketAsTheFilterSays) {
  Ring ring = create("lo");
  expect_done(ring.listen(filter_of("", "lo", 96)));
  send(2, 1000);
  const auto packets = read_all(ring);
  ASSERT_THAT(packets, SizeIs(2));
  for (const auto& each : packets) {
    EXPECT_THAT(each.octets, SizeIs(96));
    EXPECT_EQ(each.packet.wire_octets, TestDatagrams::kHeaderOctets + 1000);
  }
}

TEST_F(RingOnLoopback, LeavesOutWhatTheFilterHoldsBack) {
  Ring ring = listen("lo", "greater 500");
  send(5, 100);
  send(7, 1000);
  EXPECT_THAT(read_all(ring), SizeIs(7));
  EXPECT_EQ(ring.take_statistics().drops, 0U) << "held back is not dropped";
}

TEST_F(RingOnLoopback, CountsToThePacketWhatFindsNoRoom) {
  constexpr size_t kSent = 200;  // far more than two blocks hold
  Ring ring = listen("lo", "", 0);
  send(kSent, 60'000);
  const size_t seen = read_all(ring).size();
  EXPECT_GT(seen, 2 * RingShape{}.block_octets / kSnaplen);
  EXPECT_LT(seen, kSent);
  EXPECT_EQ(seen + ring.take_statistics().drops, kSent);
  EXPECT_EQ(ring.take_statistics().drops, 0U) << "drops are taken once";
  send(3, 60'000);
  EXPECT_THAT(read_all(ring), SizeIs(3));
  EXPECT_EQ(ring.take_statistics().drops, 0U);
}

TEST_F(RingOnLoopback, LosesNothingUncountedWhileItIsReadAndOverrun) {
  constexpr size_t kBursts = 20;
  constexpr size_t kBurst = 100;
  Ring ring = listen("lo", "", 0);
  std::atomic<bool> all_sent = false;
  const std::jthread sender([&] {
    for (size_t i = 0; i < kBursts; ++i)
      send(kBurst, 40'000);
    all_sent = true;
  });
  size_t seen = 0;
  for (bool ends = false; !ends;) {
    ends = all_sent;
    seen += read_all(ring).size();
  }
  EXPECT_EQ(seen + ring.take_statistics().drops, kBursts * kBurst);
}

TEST_F(RingOnLoopback, WaitsNoLongerThanForABlock) {
  Ring ring = listen("lo");
  const auto start = steady_clock::now();
  send(1);
  ring.wait(milliseconds(60'000));
  EXPECT_LT(steady_clock::now() - start, milliseconds(1000));
  EXPECT_TRUE(ring.ready_block());
}

TEST_F(RingOnLoopback, WaitsNoLongerThanItIsTold) {
  Ring ring = listen("lo");
  const auto start = steady_clock::now();
  ring.wait(milliseconds(20));
  EXPECT_LT(steady_clock::now() - start, milliseconds(1000));
  EXPECT_FALSE(ring.ready_block());
}

// How many packets each member of a group of two sees.
std::vector<size_t> seen_by_two(Fanout mode, const std::function<void()>& send_some) {
  std::vector<Ring> rings;
  rings.push_back(create("lo"));
  rings.push_back(create("lo"));
  const auto group = rings[0].found_group(mode);
  EXPECT_TRUE(group) << group.error().message;
  expect_done(rings[1].join_group(mode, group.value_or(uint16_t{0})));
  for (const Ring& ring : rings)
    EXPECT_FALSE(ring.ready_block());
  for (Ring& ring : rings)
    expect_done(ring.listen(filter_of("", "lo")));
  send_some();
  return {read_all(rings[0]).size(), read_all(rings[1]).size()};
}

TEST_F(RingOnLoopback, TwoMembersOfAGroupSeeEachPacketOnce) {
  const auto seen = seen_by_two(Fanout::Rnd, [this] { send(200); });
  EXPECT_EQ(seen[0] + seen[1], 200U);
  EXPECT_THAT(seen, Each(Gt(0U)));
}

TEST_F(RingOnLoopback, MembersOfAGroupByHashSeeAFlowTogether) {
  const auto seen = seen_by_two(Fanout::Hash, [this] { send(200); });
  EXPECT_EQ(seen[0] + seen[1], 200U);
  EXPECT_THAT(seen, ::testing::Contains(0U));
}

// The kernel chooses a member before the member's filter leaves out what leaves: of loopback's
// packets, two by two, all that are kept may go to one.
TEST_F(RingOnLoopback, MembersOfAGroupInTurnSeeEachPacketOnce) {
  const auto seen = seen_by_two(Fanout::Lb, [this] { send(200); });
  EXPECT_EQ(seen[0] + seen[1], 200U);
}

TEST_F(RingOnLoopback, EachFounderHasAGroupOfItsOwn) {
  Ring first = create("lo");
  Ring second = create("lo");
  const auto first_group = first.found_group(Fanout::Hash);
  const auto second_group = second.found_group(Fanout::Hash);
  ASSERT_TRUE(first_group && second_group);
  EXPECT_NE(*first_group, *second_group);
}

TEST_F(RingOnLoopback, AFilterThatTheKernelRefusesIsAnErrorThatSaysWhy) {
  Ring ring = create("lo");
  const auto refused = ring.listen(KernelFilter{});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, StartsWith("the kernel does not take the filter: "));
}

TEST_F(RingOnLoopback, ListensForGood) {
  Ring ring = listen("lo");
  EXPECT_FALSE(ring.listen(deaf_filter()));
  send(3);
  EXPECT_THAT(read_all(ring), SizeIs(3));
}

TEST_F(RingOnLoopback, ARingThatTheKernelCannotMakeIsAnErrorThatSaysWhy) {
  const auto refused = Ring::create(interface_of("lo"), {.blocks = UINT32_MAX});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("choose a smaller --ring_mib"));
}

class RingInNamespace : public InNetworkNamespace {};

TEST_F(RingInNamespace, MayBeCreatedBeforeItsInterfaceIsUp) {
  Ring ring = listen("lo");
  set_interface("lo", InterfaceState::Up);
  TestDatagrams().send(3);
  EXPECT_THAT(read_all(ring), SizeIs(3));
}

TEST_F(RingOnLoopback, OutlivesItsInterfaceGoingDown) {
  Ring ring = listen("lo");
  set_interface("lo", InterfaceState::Down);
  EXPECT_THAT(read_all(ring), SizeIs(0));
  EXPECT_FALSE(ring.is_detached());
  set_interface("lo", InterfaceState::Up);
  send(3);
  EXPECT_THAT(read_all(ring), SizeIs(3));
}

class RingOnDevice : public WithDevice {};

TEST_F(RingOnDevice, GetsTheTagThatTheKernelTookOff) {
  if (!make_device()) GTEST_SKIP() << no_device();
  Ring ring = listen("test0", "vlan 7");
  const auto untagged = PacketBuilder().ethernet().ipv4().udp().payload(50);
  send(PacketBuilder().ethernet().vlan(7).ipv4().udp().payload(50));
  send(PacketBuilder().ethernet().vlan(8).ipv4().udp().payload(50));
  send(untagged);
  const auto packets = read_all(ring);
  ASSERT_THAT(packets, SizeIs(1));
  EXPECT_EQ(packets[0].packet.stripped_vlan_id, 7);
  EXPECT_EQ(packets[0].octets, untagged.build());
}

TEST_F(RingOnDevice, LeavesTagsBehindTheFirstWhereTheyAre) {
  if (!make_device()) GTEST_SKIP() << no_device();
  Ring ring = listen("test0", "vlan 7 and vlan 9");
  send(PacketBuilder().ethernet().vlan(7, {.tpid = 0x88a8}).vlan(9).ipv4().udp());
  const auto packets = read_all(ring);
  ASSERT_THAT(packets, SizeIs(1));
  EXPECT_EQ(packets[0].packet.stripped_vlan_id, 7);
  EXPECT_EQ(packets[0].octets, PacketBuilder().ethernet().vlan(9).ipv4().udp().build());
}

TEST_F(RingOnDevice, WithoutLinkHeadersGetsThePacketsAndTheirTypes) {
  if (!make_device(DeviceKind::Tun)) GTEST_SKIP() << no_device();
  const auto ipv4 = PacketBuilder().ipv4().udp().payload(50);
  const auto ipv6 = PacketBuilder().ipv6().udp().payload(50);
  EXPECT_EQ(interface_of("test0").link, RingLink::Network);
  Ring ring = listen("test0", "udp");
  send(ipv4);
  send(PacketBuilder().ipv4().tcp());
  send(ipv6);
  const auto packets = read_all(ring);
  ASSERT_THAT(packets, SizeIs(2));
  EXPECT_EQ(packets[0].packet.link_type, LinkType::Ipv4);
  EXPECT_EQ(packets[0].octets, ipv4.build());
  EXPECT_EQ(packets[1].packet.link_type, LinkType::Ipv6);
  EXPECT_EQ(packets[1].octets, ipv6.build());
}

TEST_F(RingOnDevice, KeepsWhatCameBeforeItsInterfaceWent) {
  if (!make_device()) GTEST_SKIP() << no_device();
  Ring ring = listen("test0", "udp");
  const auto promiscuity = Promiscuity::ask(interface_of("test0"));
  EXPECT_TRUE(promiscuity);
  send(PacketBuilder().ethernet().ipv4().udp());
  EXPECT_FALSE(ring.is_detached());
  remove_device();
  EXPECT_TRUE(ring.is_detached());
  EXPECT_THAT(read_all(ring), SizeIs(1));
}

}  // namespace
}  // namespace clerk
