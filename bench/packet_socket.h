// The sending half of an AF_PACKET socket: whole Ethernet frames onto one interface.
//
// Nothing here blocks, and what the kernel accepted is known to the packet. A veth hands a frame to
// the other end's backlog within the call (Linux 6.18: ENOBUFS when that is full), so an accepted
// frame is one that the other end has counted. One thread; the caller keeps the frames.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "frame_feed.h"

namespace clerk::bench {

class PacketSocket {
 public:
  // The frames of one sendmmsg(): enough that the cost of the call itself no longer shows.
  static constexpr std::size_t kBatchFrames = 64;

  // Throws std::system_error.
  explicit PacketSocket(const std::string& interface);
  ~PacketSocket();
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  // Sends as many of at most kBatchFrames as the kernel takes now, from the front, and returns how
  // many. With 0 errno says why.
  std::size_t send(std::span<const TimedFrame> frames);

 private:
  int fd_;
  std::array<iovec, kBatchFrames> vectors_{};
  std::array<mmsghdr, kBatchFrames> headers_{};
};

}  // namespace clerk::bench
