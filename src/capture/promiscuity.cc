#include "capture/promiscuity.h"

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cerrno>

namespace clerk {

Result<Promiscuity> Promiscuity::ask(const NetworkInterface& interface) {
  UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // hears nothing
  packet_mreq request{};
  request.mr_ifindex = interface.index;
  request.mr_type = PACKET_MR_PROMISC;
  const bool asked = socket && ::setsockopt(socket.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP,
                                            &request, sizeof request) == 0;
  if (asked) return Promiscuity(std::move(socket));
  return fail("cannot become promiscuous: {}; it can be done without", errno_text(errno));
}

}  // namespace clerk
