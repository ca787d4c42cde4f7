// Frames that an interface receives without anybody sending them: BPF_PROG_TEST_RUN with live
// frames (Linux 5.18). The kernel makes copies of one frame, runs an XDP program on each, and gives
// those that it passes to the stack as if they had come in on the interface, in batches of 64.
//
// The program here gives each frame a source address of its own out of `flows` many, drawn at
// random, with a right checksum:
//
//   Ethernet, to nobody | IPv4 10.x.x.x > 172.16.0.1 | UDP 40000 > 443 | 18 octets
//
// so that a flood of N flows costs the injecting core as little as can be. One thread; what the
// kernel does with a frame until a packet socket has it is this thread's time as well.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "frame.h"

namespace clerk::bench {

class LiveFrames {
 public:
  // The addresses are those of 10.0.0.0/8.
  static constexpr std::uint32_t kFlowsMax = 1U << 24;

  // `flows` is a power of two. Throws std::system_error, with the verifier's words if it has any.
  LiveFrames(const std::string& interface, std::uint32_t flows);
  ~LiveFrames();
  LiveFrames(const LiveFrames&) = delete;
  LiveFrames& operator=(const LiveFrames&) = delete;

  // All of them, before it returns. Throws std::system_error: then it is unknown how many.
  // A signal would cut it short, so the caller has them blocked.
  void inject(std::uint32_t packets) const;

  std::size_t ip_octets() const { return frame_.ip_octets; }

 private:
  FrameBuilder builder_;
  Frame frame_;
  std::uint32_t interface_index_;
  int program_;
};

}  // namespace clerk::bench
