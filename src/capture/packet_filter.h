// A pcap filter expression applied in user space: compiled by libpcap, once for each link type met.
//
// A tag that was taken off an Ethernet frame is put back for the look at it: the expression sees
// what was on the wire, but for the tag's priority bits, which nobody kept.
//
// One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "capture/packet.h"

namespace clerk {

class PacketFilter {
 public:
  // Checks the expression's syntax. An empty expression lets everything through.
  static Result<PacketFilter> create(std::string expression);

  // Compiles for the link type now, so that passes() neither allocates nor fails for it. Fails when
  // the expression makes no sense on it.
  Result<void> prepare(LinkType link_type);

  // Whether the packet passes. One of a link type that is not decoded does, to be counted as such.
  // Fails when the expression makes no sense on the packet's link type.
  Result<bool> passes(const Packet& packet);

  [[nodiscard]] bool empty() const { return expression_.empty(); }

  PacketFilter(PacketFilter&&) noexcept;
  PacketFilter& operator=(PacketFilter&&) noexcept;
  ~PacketFilter();

 private:
  struct Program;

  explicit PacketFilter(std::string expression);
  Result<Program*> program_for(LinkType link_type);
  Packet with_tag(const Packet& packet);

  std::string expression_;
  std::vector<std::unique_ptr<Program>> programs_;  // a handful at most
  std::unique_ptr<uint8_t[]> tagged_;               // room for a packet with its tag
};

}  // namespace clerk
