#include "live_frames.h"

#include <net/if.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include <linux/bpf.h>

#include "bpf_call.h"
#include "xdp_program.h"

namespace clerk::bench {
namespace {

constexpr std::size_t kFrameOctetsMin = 60;

Packet flood_packet() {
  Packet packet;
  packet.source = 10U << 24;
  packet.destination = 172U << 24 | 16U << 16 | 1;
  packet.source_port = 40000;
  packet.destination_port = 443;
  packet.payload_octets = 18;  // Ethernet's minimum, without padding
  packet.protocol = Protocol::Udp;
  return packet;
}

std::uint32_t index_of(const std::string& interface) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) throw std::system_error(errno, std::generic_category(), interface);
  return index;
}

}  // namespace

LiveFrames::LiveFrames(const std::string& interface, std::uint32_t flows)
    : builder_(kFrameOctetsMin),
      frame_(builder_.build(flood_packet())),
      interface_index_(index_of(interface)),
      program_(load_xdp_program(source_drawing_program(frame_.bytes, flows))) {}

LiveFrames::~LiveFrames() { close(program_); }

void LiveFrames::inject(std::uint32_t packets) const {
  xdp_md context{};
  context.data_end = static_cast<std::uint32_t>(frame_.bytes.size());
  context.ingress_ifindex = interface_index_;
  bpf_attr attributes{};
  attributes.test.prog_fd = static_cast<std::uint32_t>(program_);
  attributes.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
  attributes.test.repeat = packets;
  attributes.test.data_in = reinterpret_cast<std::uintptr_t>(frame_.bytes.data());
  attributes.test.data_size_in = static_cast<std::uint32_t>(frame_.bytes.size());
  attributes.test.ctx_in = reinterpret_cast<std::uintptr_t>(&context);
  attributes.test.ctx_size_in = sizeof context;
  if (bpf_call(BPF_PROG_TEST_RUN, attributes) != 0)
    throw std::system_error(errno, std::generic_category(), "BPF_PROG_TEST_RUN");
}

}  // namespace clerk::bench
