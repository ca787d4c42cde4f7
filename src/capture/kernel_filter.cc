#include "capture/kernel_filter.h"

#include <linux/if_packet.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <span>

namespace clerk {
namespace {

using Handle = std::unique_ptr<pcap_t, void (*)(pcap_t*)>;

// libpcap opens a ring of its own; nobody reads it.
constexpr int kUnreadRingOctets = 1 << 16;

sock_filter keep(uint32_t octets) { return BPF_STMT(BPF_RET | BPF_K, octets); }

// A handle that knows how this kernel hands over tags; nothing when the device is not up.
Handle live_handle(const char* device, uint32_t snaplen) {
  std::array<char, PCAP_ERRBUF_SIZE> error{};
  Handle handle(::pcap_create(device, error.data()), ::pcap_close);
  if (!handle) return handle;
  ::pcap_set_snaplen(handle.get(), static_cast<int>(snaplen));
  ::pcap_set_buffer_size(handle.get(), kUnreadRingOctets);
  if (::pcap_activate(handle.get()) < 0) handle.reset();
  return handle;
}

// The loopback interface has Ethernet headers too, and stands in for a device that is down.
Handle handle_for(const std::string& interface_name, RingLink link, uint32_t snaplen) {
  if (link == RingLink::Network)
    return {::pcap_open_dead(DLT_RAW, static_cast<int>(snaplen)), ::pcap_close};
  Handle handle = live_handle(interface_name.c_str(), snaplen);
  return handle ? std::move(handle) : live_handle("lo", snaplen);
}

// Loopback shows each packet twice: as it leaves, which is left out, and as it arrives. (The socket
// option for this, PACKET_IGNORE_OUTGOING, does nothing for the members of a fanout group.)
KernelFilter prefix_for(const NetworkInterface& interface) {
  if (!interface.is_loopback) return {};
  return {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1), keep(0)};
}

KernelFilter to_kernel(const bpf_program& program, uint32_t snaplen) {
  KernelFilter filter;
  for (const bpf_insn& instruction : std::span(program.bf_insns, program.bf_len)) {
    filter.push_back({instruction.code, instruction.jt, instruction.jf, instruction.k});
    const bool keeps = instruction.code == (BPF_RET | BPF_K) && instruction.k != 0;
    if (keeps) filter.back() = keep(snaplen);
  }
  return filter;
}

}  // namespace

KernelFilter deaf_filter() { return {keep(0)}; }

Result<KernelFilter> compile_kernel_filter(const std::string& expression, uint32_t snaplen,
                                           const std::string& interface_name,
                                           const NetworkInterface& interface) {
  KernelFilter filter = prefix_for(interface);
  if (expression.empty()) {
    filter.push_back(keep(snaplen));
    return filter;
  }
  const Handle handle = handle_for(interface_name, interface.link, snaplen);
  if (!handle)
    return fail("filter '{}': can be compiled only for an interface that is up: ip link set {} up",
                expression, interface_name);
  bpf_program program{};
  const std::unique_ptr<bpf_program, void (*)(bpf_program*)> owner(&program, ::pcap_freecode);
  if (::pcap_compile(handle.get(), &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
    return fail("filter '{}': {} (see pcap-filter(7))", expression, ::pcap_geterr(handle.get()));
  std::ranges::copy(to_kernel(program, snaplen), std::back_inserter(filter));
  return filter;
}

}  // namespace clerk
