// A ring of the kernel's own, in a network namespace, as a daemon would pass it. Files as rings are
// the subject of client_test.cc.
#include "testimony/ring_view.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <poll.h>

#include <atomic>
#include <optional>

#include "testimony/testimony_test_support.h"
#include "testing/in_network_namespace.h"

namespace testimony {
namespace {

using ::testing::HasSubstr;

constexpr Geometry kKernelGeometry{.fanout_size = 1, .block_octets = 1U << 16, .blocks = 4};
constexpr int kRetireMs = 5;

template <typename T>
void set_option(int socket, int name, const T& value) {
  EXPECT_EQ(::setsockopt(socket, SOL_PACKET, name, &value, sizeof value), 0) << name;
}

UniqueFd socket_with_ring(int type) {
  UniqueFd socket(::socket(AF_PACKET, type | SOCK_CLOEXEC, 0));
  tpacket_req3 request{};
  request.tp_block_size = kKernelGeometry.block_octets;
  request.tp_block_nr = kKernelGeometry.blocks;
  request.tp_frame_size = kKernelGeometry.block_octets;
  request.tp_frame_nr = kKernelGeometry.blocks;
  request.tp_retire_blk_tov = kRetireMs;
  set_option(socket.get(), PACKET_VERSION, int{TPACKET_V3});
  set_option(socket.get(), PACKET_RX_RING, request);
  return socket;
}

// The daemon's side of a ring: it maps the memory too, and gives blocks to the kernel.
class KernelRing {
 public:
  explicit KernelRing(int type = SOCK_RAW) : socket_(socket_with_ring(type)) {
    EXPECT_NE(memory_, MAP_FAILED);
  }
  KernelRing(const KernelRing&) = delete;
  KernelRing& operator=(const KernelRing&) = delete;
  ~KernelRing() { ::munmap(memory_, kOctets); }

  void listen_on(const char* interface) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface));
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
  }

  [[nodiscard]] int fd() const { return socket_.get(); }

  [[nodiscard]] bool wait_for(uint32_t index) {
    for (int i = 0; i < 1000 && (status(index).load() & TP_STATUS_USER) == 0; ++i)
      ::poll(nullptr, 0, kRetireMs);
    return (status(index).load() & TP_STATUS_USER) != 0;
  }

  void release(uint32_t index) { status(index).store(TP_STATUS_KERNEL); }

 private:
  static constexpr size_t kOctets = size_t{kKernelGeometry.block_octets} * kKernelGeometry.blocks;

  [[nodiscard]] std::atomic_ref<uint32_t> status(uint32_t index) const {
    auto* block = static_cast<uint8_t*>(memory_) + size_t{index} * kKernelGeometry.block_octets;
    return std::atomic_ref(reinterpret_cast<tpacket_block_desc*>(block)->hdr.bh1.block_status);
  }

  UniqueFd socket_;
  void* memory_ = ::mmap(nullptr, kOctets, PROT_READ | PROT_WRITE, MAP_SHARED, socket_.get(), 0);
};

class KernelRingTest : public clerk::InNetworkNamespace {
 protected:
  void SetUp() override {
    InNetworkNamespace::SetUp();
    if (IsSkipped()) return;
    clerk::set_interface("lo", clerk::InterfaceState::Up);
  }

  // A client to whom the ring was passed.
  static Client client_of(FakeDaemon& daemon, const KernelRing& ring) {
    daemon.send(greeting(kKernelGeometry));
    daemon.send_with(kRingOctet, {ring.fd()});
    auto client = daemon.greet(0);
    EXPECT_TRUE(client) << client.error().message;
    return *std::move(client);
  }

  static size_t packets_in(const Block& block) {
    BlockWalker packets(block.octets);
    RingPacket packet;
    size_t count = 0;
    while (packets.next(packet)) {
      EXPECT_EQ(packet.captured_octets, clerk::TestDatagrams::kHeaderOctets + 100);
      EXPECT_EQ(packet.ether_type, ETH_P_IP);
      ++count;
    }
    EXPECT_EQ(packets.packets_left(), 0U);
    return count;
  }
};

// Twice around the ring, by all the rules.
TEST_F(KernelRingTest, IsReadWhereItLies) {
  KernelRing ring;
  ring.listen_on("lo");
  FakeDaemon daemon;
  Client client = client_of(daemon, ring);
  EXPECT_EQ(client.link(), Link::Ethernet);
  clerk::TestDatagrams datagrams;
  for (uint32_t i = 0; i < 2 * kKernelGeometry.blocks; ++i) {
    const uint32_t index = i % kKernelGeometry.blocks;
    datagrams.send(5);
    ASSERT_TRUE(ring.wait_for(index));
    daemon.send(block(index));
    const auto found = client.next_block(kPatience);
    ASSERT_TRUE(found && *found);
    EXPECT_GT(packets_in(**found), 0U);
    EXPECT_TRUE(client.return_block(index));
    ring.release(index);
  }
  EXPECT_EQ(client.counts().blocks, 2 * kKernelGeometry.blocks);
  EXPECT_EQ(client.counts().stale + client.counts().torn + client.counts().losing, 0U);
  EXPECT_EQ(client.counts().missed, 0);
}

TEST_F(KernelRingTest, ABlockThatTheDaemonReleasesTooEarlyIsTornAndThenStale) {
  KernelRing ring;
  ring.listen_on("lo");
  FakeDaemon daemon;
  Client client = client_of(daemon, ring);
  clerk::TestDatagrams().send(1);
  ASSERT_TRUE(ring.wait_for(0));
  daemon.send(block(0));
  ASSERT_TRUE(client.next_block(kPatience)->has_value());
  ring.release(0);
  EXPECT_TRUE(client.return_block(0));
  EXPECT_EQ(client.counts().torn, 1U);
  daemon.send(block(0));
  EXPECT_FALSE(client.next_block(kNoPatience)->has_value());
  EXPECT_EQ(client.counts().stale, 1U);
}

TEST_F(KernelRingTest, MustBeOfTheSizeThatIsTold) {
  KernelRing ring;
  FakeDaemon daemon;
  daemon.send(greeting({.fanout_size = 1, .block_octets = 1U << 16, .blocks = 3}));
  daemon.send_with(kRingOctet, {ring.fd()});
  EXPECT_THAT(expect_failure(daemon.greet(0), Failure::Broken), HasSubstr("size"));
}

TEST_F(KernelRingTest, APacketSocketWithoutARingIsNone) {
  const UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  FakeDaemon daemon;
  daemon.send(greeting(kKernelGeometry));
  daemon.send_with(kRingOctet, {socket.get()});
  expect_failure(daemon.greet(0), Failure::Broken);
}

TEST_F(KernelRingTest, TellsWhatItsPacketsBeginWith) {
  FakeDaemon raw_daemon;
  EXPECT_EQ(client_of(raw_daemon, KernelRing(SOCK_RAW)).link(), Link::Ethernet) << "no interface";
  FakeDaemon cooked_daemon;
  EXPECT_EQ(client_of(cooked_daemon, KernelRing(SOCK_DGRAM)).link(), Link::Other);
}

TEST_F(KernelRingTest, WithoutEthernetHeadersItsPacketsBeginWithSomethingElse) {
  const clerk::TestDevice device("test0", clerk::DeviceKind::Tun);
  if (!device.obstacle().empty()) GTEST_SKIP() << clerk::no_device(device);
  KernelRing ring;
  ring.listen_on("test0");
  FakeDaemon daemon;
  EXPECT_EQ(client_of(daemon, ring).link(), Link::Other);
}

TEST_F(KernelRingTest, OutlivesItsInterface) {
  std::optional<clerk::TestDevice> device;
  device.emplace("test0", clerk::DeviceKind::Tap);
  if (!device->obstacle().empty()) GTEST_SKIP() << clerk::no_device(*device);
  KernelRing ring;
  ring.listen_on("test0");
  device.reset();
  FakeDaemon daemon;
  Client client = client_of(daemon, ring);
  EXPECT_EQ(client.link(), Link::Ethernet);
  EXPECT_FALSE(client.next_block(kNoPatience)->has_value());
}

}  // namespace
}  // namespace testimony
