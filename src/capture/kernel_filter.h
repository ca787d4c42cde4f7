// A pcap filter as the kernel runs it on a packet socket: instructions of classic BPF whose return
// value is how much of a packet is kept.
//
// Compiled by libpcap for the live device, so that `vlan` finds the tag that the kernel took off.
// Any thread; a plain value.
#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "capture/network_interface.h"

namespace clerk {

using KernelFilter = std::vector<sock_filter>;

// An empty expression keeps every packet; of loopback's, which come twice, only those that arrive
// are kept, whatever the expression. Packets are cut behind `snaplen` octets. Errors name
// the filter and what to do. libpcap wants an interface that is up, and CAP_NET_RAW.
Result<KernelFilter> compile_kernel_filter(const std::string& expression, uint32_t snaplen,
                                           const std::string& interface_name,
                                           const NetworkInterface& interface);

// Lets nothing through.
KernelFilter deaf_filter();

}  // namespace clerk
