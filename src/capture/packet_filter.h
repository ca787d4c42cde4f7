// A pcap filter expression applied in user space: compiled by libpcap, once for each link type met.
//
// One thread at a time.
#pragma once

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

  std::string expression_;
  std::vector<std::unique_ptr<Program>> programs_;  // a handful at most
};

}  // namespace clerk
