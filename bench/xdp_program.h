// The XDP program of the injector, written by hand in the kernel's instructions, so that no
// compiler for them is needed: it draws an IPv4 source address below `flows`, puts the header's
// checksum right and passes the frame on (XDP_PASS).
//
// The frame it is made for is Ethernet without a tag and an IPv4 header of 20 octets; it must be
// the same for every packet but for the source address and the checksum.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <span>
#include <vector>

namespace clerk::bench {

std::vector<bpf_insn> source_drawing_program(std::span<const std::uint8_t> frame,
                                             std::uint32_t flows);

// A descriptor of the loaded program. Throws std::system_error, with the verifier's words if it
// has any.
int load_xdp_program(std::span<const bpf_insn> instructions);

}  // namespace clerk::bench
