// The filter of a ring that others own: what the kernel does for rings of clerk's own happens here
// in user space. A plain matter of each packet: no allocation, and no error once it was created.
//
// A tag that the kernel took off is put back for the look at the packet, so that expressions mean
// what they mean for a capture file. One thread at a time.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"
#include "capture/packet.h"
#include "capture/packet_filter.h"

namespace clerk {

class RingFilter {
 public:
  // Compiles the expression for Ethernet and for IP without a link header, whichever it makes sense
  // for; with neither it is an error. An empty one lets everything through.
  static Result<RingFilter> create(const std::string& expression);

  [[nodiscard]] bool empty() const { return filter_.empty(); }

  // A packet on whose link type the expression makes no sense does not pass.
  [[nodiscard]] bool passes(const Packet& packet);

  // Whether there was such a packet.
  [[nodiscard]] bool has_met_senseless() const { return has_met_senseless_; }

 private:
  explicit RingFilter(PacketFilter filter) : filter_(std::move(filter)) {}

  PacketFilter filter_;
  bool fits_ethernet_ = false;
  bool fits_ip_ = false;
  bool has_met_senseless_ = false;
};

}  // namespace clerk
