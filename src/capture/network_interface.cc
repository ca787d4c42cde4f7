#include "capture/network_interface.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/unique_fd.h"

namespace clerk {
namespace {

// Whether the packets of a device of this type begin with an Ethernet header. Those of the others
// are taken without their link header, of which there are many kinds: tunnels, PPP, InfiniBand.
RingLink link_of(unsigned short hardware) {
  return hardware == ARPHRD_ETHER || hardware == ARPHRD_LOOPBACK ? RingLink::Ethernet
                                                                 : RingLink::Network;
}

// Nothing when the interface is not there.
Result<std::optional<ifreq>> ask(const std::string& name, unsigned long question) {
  ifreq request{};
  if (name.size() >= sizeof request.ifr_name) return std::nullopt;
  std::ranges::copy(name, request.ifr_name);
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket && ::ioctl(socket.get(), question, &request) == 0) return request;
  if (errno == ENODEV) return std::nullopt;
  return fail("--interface {}: {}", name, errno_text(errno));
}

// The answer to a question of ethtool; 0 when the device does not know it.
uint32_t ask_ethtool(const std::string& name, uint32_t question) {
  ::ethtool_value value{.cmd = question, .data = 0};
  ifreq request{};
  if (name.size() >= sizeof request.ifr_name) return 0;
  std::ranges::copy(name, request.ifr_name);
  request.ifr_data = reinterpret_cast<char*>(&value);
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return socket && ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0 ? value.data : 0;
}

}  // namespace

Result<std::optional<NetworkInterface>> find_interface(const std::string& name) {
  const auto index = TRY(ask(name, SIOCGIFINDEX));
  const auto hardware = TRY(ask(name, SIOCGIFHWADDR));
  const auto flags = TRY(ask(name, SIOCGIFFLAGS));
  const auto mtu = TRY(ask(name, SIOCGIFMTU));
  // Between two questions it may go away; then it is not there.
  if (!index || !hardware || !flags || !mtu) return std::nullopt;
  return NetworkInterface{.index = index->ifr_ifindex,
                          .link = link_of(hardware->ifr_hwaddr.sa_family),
                          .is_loopback = (flags->ifr_flags & IFF_LOOPBACK) != 0,
                          .is_up = (flags->ifr_flags & IFF_UP) != 0,
                          .mtu = static_cast<uint32_t>(mtu->ifr_mtu)};
}

bool merges_packets(const std::string& name) {
  return name != "lo" && (ask_ethtool(name, ETHTOOL_GGRO) != 0 ||
                          (ask_ethtool(name, ETHTOOL_GFLAGS) & ETH_FLAG_LRO) != 0);
}

std::string interface_name(int index) {
  std::array<char, IF_NAMESIZE> name{};
  return ::if_indextoname(static_cast<unsigned>(index), name.data()) == nullptr ? "" : name.data();
}

std::vector<std::string> interface_names() {
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> all(
      ::if_nameindex(), ::if_freenameindex);
  std::vector<std::string> names;
  for (const auto* at = all.get(); at != nullptr && at->if_index != 0; ++at)
    names.emplace_back(at->if_name);
  return names;
}

}  // namespace clerk
