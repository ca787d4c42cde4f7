#include "packet_socket.h"

#include <net/if.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <linux/if_packet.h>

namespace clerk::bench {
namespace {

void require(bool good, const std::string& what) {
  if (!good) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

// Protocol 0: the socket receives nothing, so no frame is ever queued on it.
PacketSocket::PacketSocket(const std::string& interface)
    : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
  require(fd_ >= 0, "socket(AF_PACKET)");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  require(address.sll_ifindex != 0, "--interface " + interface);
  require(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
          "bind to " + interface);
  // Past the queueing discipline, whose queue would drop what it has accepted.
  const int on = 1;
  require(setsockopt(fd_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) == 0,
          "PACKET_QDISC_BYPASS");
  for (std::size_t i = 0; i < kBatchFrames; ++i) {
    headers_[i].msg_hdr.msg_iov = &vectors_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

PacketSocket::~PacketSocket() { close(fd_); }

std::size_t PacketSocket::send(std::span<const TimedFrame> frames) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    // sendmmsg() only reads them; iovec has one type for both directions.
    vectors_[i] = {.iov_base = const_cast<std::uint8_t*>(frames[i].bytes.data()),
                   .iov_len = frames[i].bytes.size()};
  }
  const int sent =
      sendmmsg(fd_, headers_.data(), static_cast<unsigned>(frames.size()), MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

}  // namespace clerk::bench
