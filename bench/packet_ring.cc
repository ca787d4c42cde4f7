#include "packet_ring.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <linux/if_ether.h>

namespace clerk::bench {
namespace {

void require(bool good, const std::string& what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

template <typename T>
void set_option(int fd, int name, const T& value) {
  require(setsockopt(fd, SOL_PACKET, name, &value, sizeof value) == 0,
          "packet socket option " + std::to_string(name));
}

tpacket_req3 request_for(std::uint32_t blocks) {
  constexpr std::uint32_t kNominalFrameOctets = 2048;  // frames are as long as their packets
  tpacket_req3 request{};
  request.tp_block_size = PacketRing::kBlockOctets;
  request.tp_block_nr = blocks;
  request.tp_frame_size = kNominalFrameOctets;
  request.tp_frame_nr = blocks * (PacketRing::kBlockOctets / kNominalFrameOctets);
  request.tp_retire_blk_tov = PacketRing::kRetireMs;
  return request;
}

void bind_to(int fd, const std::string& interface) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  require(address.sll_ifindex != 0, "--interface " + interface);
  require(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "bind to " + interface);
}

}  // namespace

// Protocol 0: nothing comes in before bind().
PacketRing::PacketRing(const std::string& interface, std::uint32_t mib)
    : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)),
      blocks_(mib * ((1U << 20) / kBlockOctets)) {
  require(fd_ >= 0, "socket(AF_PACKET)");
  const int version = TPACKET_V3;
  const int on = 1;
  set_option(fd_, PACKET_VERSION, version);
  set_option(fd_, PACKET_IGNORE_OUTGOING, on);
  set_option(fd_, PACKET_RX_RING, request_for(blocks_));
  void* const memory = mmap(nullptr, std::size_t{blocks_} * kBlockOctets, PROT_READ | PROT_WRITE,
                            MAP_SHARED, fd_, 0);
  require(memory != MAP_FAILED, "mmap of the ring");
  memory_ = static_cast<std::uint8_t*>(memory);
  bind_to(fd_, interface);
}

PacketRing::~PacketRing() {
  munmap(memory_, std::size_t{blocks_} * kBlockOctets);
  close(fd_);
}

// The kernel clears its own counts when they are read.
RingCounts PacketRing::counts() {
  tpacket_stats_v3 since{};
  socklen_t octets = sizeof since;
  require(getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &since, &octets) == 0,
          "PACKET_STATISTICS");
  counts_.packets += since.tp_packets;
  counts_.drops += since.tp_drops;
  return counts_;
}

}  // namespace clerk::bench
