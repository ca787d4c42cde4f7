#include "capture/kernel_filter.h"

#include <gmock/gmock.h>
#include <pcap/pcap.h>

#include "capture/live_test_support.h"

namespace clerk {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::Field;
using ::testing::Gt;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr uint32_t kCut = 96;
constexpr NetworkInterface kWithoutLinkHeaders{.index = 99, .link = RingLink::Network};

Result<KernelFilter> compile_raw(const std::string& expression) {
  return compile_kernel_filter(expression, kCut, "tun0", kWithoutLinkHeaders);
}

std::string message_of(const Result<KernelFilter>& result) {
  return result ? "no error" : result.error().message;
}

// What the filter keeps of a packet, by libpcap's interpreter: as much as the kernel would.
uint32_t kept(const Result<KernelFilter>& filter, const PacketBuilder& packet) {
  EXPECT_TRUE(filter) << message_of(filter);
  if (!filter) return UINT32_MAX;
  std::vector<bpf_insn> program;
  for (const sock_filter& each : *filter)
    program.push_back({.code = each.code, .jt = each.jt, .jf = each.jf, .k = each.k});
  const auto octets = packet.build();
  const auto size = static_cast<uint32_t>(octets.size());
  return ::bpf_filter(program.data(), octets.data(), size, size);
}

bool is_return(const sock_filter& instruction) { return BPF_CLASS(instruction.code) == BPF_RET; }

// An instruction that loads what the kernel knows beside the packet.
auto ancillary_load(int what, int size = BPF_B) {
  return AllOf(Field("code", &sock_filter::code, BPF_LD | size | BPF_ABS),
               Field("k", &sock_filter::k, static_cast<uint32_t>(SKF_AD_OFF + what)));
}

TEST(KernelFilter, TheDeafOneKeepsNothing) {
  EXPECT_EQ(kept(deaf_filter(), PacketBuilder().ethernet().ipv4().udp()), 0U);
}

TEST(KernelFilter, AnEmptyExpressionKeepsEveryPacket) {
  const auto filter = compile_raw("");
  EXPECT_EQ(kept(filter, PacketBuilder().ipv4().udp()), kCut);
  EXPECT_EQ(kept(filter, PacketBuilder()), kCut);
}

TEST(KernelFilter, OfPacketsWithoutLinkHeadersBeginsAtTheIpHeader) {
  const auto web = compile_raw("tcp port 80");
  EXPECT_EQ(kept(web, PacketBuilder().ipv4().tcp()), kCut);
  EXPECT_EQ(kept(web, PacketBuilder().ipv6().tcp()), kCut);
  EXPECT_EQ(kept(web, PacketBuilder().ipv4().udp()), 0U);
  EXPECT_EQ(kept(web, PacketBuilder().ipv6().tcp({.destination_port = 443})), 0U);
  EXPECT_EQ(kept(web, PacketBuilder().ethernet().ipv4().tcp()), 0U);
  EXPECT_EQ(kept(compile_raw("src net 192.0.2.0/24"), PacketBuilder().ipv4().udp()), kCut);
  EXPECT_EQ(kept(compile_raw("src net 192.0.3.0/24"), PacketBuilder().ipv4().udp()), 0U);
}

TEST(KernelFilter, AnExpressionThatMakesNoSenseWithoutLinkHeadersSaysSo) {
  for (const std::string expression : {"vlan 7", "ether host 02:00:00:00:00:01"}) {
    const std::string message = message_of(compile_raw(expression));
    EXPECT_THAT(message, StartsWith("filter '" + expression + "': "));
    EXPECT_THAT(message, EndsWith(" (see pcap-filter(7))"));
  }
}

class KernelFilterOnLoopback : public OnLoopback {
 protected:
  // For an Ethernet device that is up, which lo is as well but for its name.
  static Result<KernelFilter> compile(const std::string& expression) {
    NetworkInterface ethernet = interface_of("lo");
    ethernet.is_loopback = false;
    return compile_kernel_filter(expression, kCut, "lo", ethernet);
  }
};

TEST_F(KernelFilterOnLoopback, KeepsWhatTheExpressionDescribes) {
  const auto web = compile("tcp port 80");
  EXPECT_EQ(kept(web, PacketBuilder().ethernet().ipv4().tcp()), kCut);
  EXPECT_EQ(kept(web, PacketBuilder().ethernet().ipv6().tcp()), kCut);
  EXPECT_EQ(kept(web, PacketBuilder().ethernet().ipv4().udp()), 0U);
}

TEST_F(KernelFilterOnLoopback, EveryReturnIsTheSnaplenOrNothing) {
  for (const char* expression :
       {"", "ip", "not ip", "vlan 7", "tcp[tcpflags] & tcp-syn != 0", "len > 100", "len >= 0",
        "net 10.0.0.0/8 or udp portrange 1-1023", "mpls 5 and host 10.0.0.1"}) {
    const auto filter = compile(expression);
    ASSERT_TRUE(filter) << message_of(filter);
    for (const sock_filter& instruction : *filter) {
      if (!is_return(instruction)) continue;
      EXPECT_EQ(instruction.code, BPF_RET | BPF_K) << expression;
      EXPECT_TRUE(instruction.k == kCut || instruction.k == 0) << expression;
    }
  }
}

TEST_F(KernelFilterOnLoopback, AnExpressionThatIsAlwaysTrueOrFalseIsOneReturn) {
  EXPECT_EQ(kept(compile("len >= 0"), PacketBuilder().ethernet()), kCut);
  EXPECT_EQ(kept(compile("len < 0"), PacketBuilder().ethernet().ipv4().udp()), 0U);
}

// What the kernel answers is in ring_test.cc.
TEST_F(KernelFilterOnLoopback, AsksTheKernelForTheTagThatItTookOff) {
  const auto filter = compile("vlan 7");
  ASSERT_TRUE(filter) << message_of(filter);
  EXPECT_THAT(*filter, Contains(ancillary_load(SKF_AD_VLAN_TAG_PRESENT)));
  EXPECT_THAT(*filter, Contains(ancillary_load(SKF_AD_VLAN_TAG)));
}

// That each packet is seen once is in ring_test.cc.
TEST_F(KernelFilterOnLoopback, OfLoopbackBeginsByLeavingOutWhatLeaves) {
  for (const char* expression : {"", "udp"}) {
    const auto filter = compile_kernel_filter(expression, kCut, "lo", interface_of("lo"));
    ASSERT_TRUE(filter) << message_of(filter);
    ASSERT_THAT(*filter, SizeIs(Gt(3U)));
    EXPECT_THAT((*filter)[0], ancillary_load(SKF_AD_PKTTYPE, BPF_W));
    EXPECT_TRUE(is_return((*filter)[2]) && (*filter)[2].k == 0);
    EXPECT_TRUE(is_return(filter->back()));
  }
}

TEST_F(KernelFilterOnLoopback, AWrongExpressionIsRefusedWithItsTextAndTheManual) {
  const std::string message = message_of(compile("prot 80"));
  EXPECT_THAT(message, StartsWith("filter 'prot 80': "));
  EXPECT_THAT(message, EndsWith(" (see pcap-filter(7))"));
}

TEST_F(KernelFilterOnLoopback, LoopbackStandsInForAnEthernetDeviceThatIsDown) {
  const NetworkInterface down{.index = 99, .link = RingLink::Ethernet};
  const auto filter = compile_kernel_filter("udp", kCut, "eth9", down);
  EXPECT_EQ(kept(filter, PacketBuilder().ethernet().ipv4().udp()), kCut);
}

class KernelFilterInNamespace : public InNetworkNamespace {};

TEST_F(KernelFilterInNamespace, NeedsAnInterfaceThatIsUp) {
  const std::string message =
      message_of(compile_kernel_filter("udp", kCut, "lo", interface_of("lo")));
  EXPECT_THAT(message, StartsWith("filter 'udp': "));
  EXPECT_THAT(message, EndsWith("ip link set lo up"));
  EXPECT_TRUE(compile_kernel_filter("", kCut, "lo", interface_of("lo")));
}

}  // namespace
}  // namespace clerk
