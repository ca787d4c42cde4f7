// What the kernel says of a network interface, asked anew each time: interfaces come, go down and
// go away. Any thread; no state.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "capture/block.h"

namespace clerk {

struct NetworkInterface {
  int index = 0;  // of if_nametoindex(3); another one after it was removed and made again
  RingLink link = RingLink::Ethernet;
  bool is_loopback = false;
  bool is_up = false;  // by whoever runs the machine; a cable is another matter
  uint32_t mtu = kEthernetMtu;
};

// Nothing when no interface of this name exists.
Result<std::optional<NetworkInterface>> find_interface(const std::string& name);

// The name of an interface now; empty when there is none of this index.
std::string interface_name(int index);

// Whether packets may reach a capture merged into larger ones: generic or large receive offload.
// Loopback's are as large as their senders made them.
bool merges_packets(const std::string& name);

// All there are, for a message that names the choices.
std::vector<std::string> interface_names();

}  // namespace clerk
