#include "testing/network_namespace.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/error.h"

namespace clerk {
namespace {

ifreq request_for(const std::string& name) {
  ifreq request{};
  CHECK(name.size() < sizeof request.ifr_name);
  std::ranges::copy(name, request.ifr_name);
  return request;
}

UniqueFd udp_socket() { return UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

}  // namespace

NetworkNamespace::NetworkNamespace()
    : before_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  if (!before_ || ::unshare(CLONE_NEWNET) != 0) obstacle_ = errno_text(errno);
}

NetworkNamespace::~NetworkNamespace() {
  if (obstacle_.empty()) CHECK(::setns(before_.get(), CLONE_NEWNET) == 0);
}

void set_interface(const std::string& name, InterfaceState state) {
  const UniqueFd socket = udp_socket();
  ifreq request = request_for(name);
  CHECK(::ioctl(socket.get(), SIOCGIFFLAGS, &request) == 0);
  const int others = request.ifr_flags & ~IFF_UP;
  request.ifr_flags = static_cast<short>(state == InterfaceState::Up ? others | IFF_UP : others);
  CHECK(::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0);
}

void set_mtu(const std::string& name, int mtu) {
  const UniqueFd socket = udp_socket();
  ifreq request = request_for(name);
  request.ifr_mtu = mtu;
  CHECK(::ioctl(socket.get(), SIOCSIFMTU, &request) == 0);
}

void remove_address(const std::string& name) {
  const UniqueFd socket = udp_socket();
  ifreq request = request_for(name);
  request.ifr_addr.sa_family = AF_INET;  // 0.0.0.0
  CHECK(::ioctl(socket.get(), SIOCSIFADDR, &request) == 0);
}

TestDevice::TestDevice(const std::string& name, DeviceKind kind)
    : device_(::open("/dev/net/tun", O_RDWR | O_CLOEXEC)) {
  ifreq request = request_for(name);
  request.ifr_flags = static_cast<short>((kind == DeviceKind::Tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI);
  if (!device_ || ::ioctl(device_.get(), TUNSETIFF, &request) != 0) {
    obstacle_ = errno_text(errno);
  } else {
    set_interface(name, InterfaceState::Up);
  }
}

void TestDevice::send(const std::vector<uint8_t>& octets) {
  const ssize_t written = ::write(device_.get(), octets.data(), octets.size());
  CHECK(written == static_cast<ssize_t>(octets.size()));
}

TestDatagrams::TestDatagrams() : receiver_(udp_socket()), sender_(udp_socket()) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  // A port that nobody listens on would be answered with ICMP.
  CHECK(::bind(receiver_.get(), any, size) == 0);
  CHECK(::getsockname(receiver_.get(), any, &size) == 0);
  CHECK(::connect(sender_.get(), any, size) == 0);
}

void TestDatagrams::send(size_t count, size_t octets) {
  const std::vector<uint8_t> payload(octets, 0xa5);
  for (size_t i = 0; i < count; ++i)
    CHECK(::send(sender_.get(), payload.data(), payload.size(), 0) == static_cast<ssize_t>(octets));
}

}  // namespace clerk
