// Where the frames of the sender come from: one of the traffics of traffic.h, or a capture file.
//
// A feed copies each frame into what the caller owns, so that a whole batch can wait to be sent. It
// starts over by itself: the caller decides how often. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "traffic.h"

namespace clerk::bench {

struct TimedFrame {
  std::vector<std::uint8_t> bytes;  // as on the wire, without the frame check sequence
  std::uint64_t time_ns = 0;        // since 1970, as the traffic or the capture has it
  std::size_t ip_octets = 0;        // IPv4 total length, or IPv6 payload length + 40; 0: not IP
};

class FrameFeed {
 public:
  virtual ~FrameFeed() = default;

  // False once behind the last frame; the call after that gives the first one again.
  virtual bool next(TimedFrame& frame) = 0;
};

// `kind` is mix, scan or elephants.
std::unique_ptr<FrameFeed> generated_frames(std::string_view kind, const TrafficPlan& plan);

// An Ethernet capture that libpcap opens. Throws std::runtime_error, also from next(), when it
// cannot be read and when a frame in it was cut by a snap length: it could not be sent as it was.
std::unique_ptr<FrameFeed> captured_frames(const std::string& path);

}  // namespace clerk::bench
