#include "capture/ring_filter.h"

#include <utility>

namespace clerk {

Result<RingFilter> RingFilter::create(const std::string& expression) {
  RingFilter filter(TRY(PacketFilter::create(expression)));
  filter.fits_ethernet_ = filter.filter_.prepare(LinkType::Ethernet).has_value();
  filter.fits_ip_ = filter.filter_.prepare(LinkType::Raw).has_value();
  return filter;
}

// Behind a link header that was cut off the kernel's own filter would look for IP as well, whatever
// the packet is.
bool RingFilter::passes(const Packet& packet) {
  const bool is_ethernet = packet.link_type == LinkType::Ethernet;
  if (is_ethernet ? !fits_ethernet_ : !fits_ip_) {
    has_met_senseless_ = true;
    return false;
  }
  Packet seen = packet;
  if (!is_ethernet) seen.link_type = LinkType::Raw;
  return filter_.passes(seen).value_or(false);
}

}  // namespace clerk
