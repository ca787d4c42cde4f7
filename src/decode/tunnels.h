// Which tunnels --decapsulate names.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/error.h"

namespace clerk {

enum class Tunnel : uint8_t { Gre, Erspan, IpInIp, Vxlan, Geneve, Gtpu, L2tp, Teredo, MplsUdp };

class TunnelSet {
 public:
  constexpr TunnelSet() = default;
  constexpr TunnelSet(std::initializer_list<Tunnel> tunnels) {
    for (const Tunnel tunnel : tunnels)
      add(tunnel);
  }

  [[nodiscard]] constexpr bool has(Tunnel tunnel) const { return (bits_ & bit(tunnel)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  constexpr void add(Tunnel tunnel) { bits_ = static_cast<uint16_t>(bits_ | bit(tunnel)); }

 private:
  static constexpr uint16_t bit(Tunnel tunnel) {
    return static_cast<uint16_t>(1U << static_cast<unsigned>(tunnel));
  }

  uint16_t bits_ = 0;
};

// Names with commas between them, or "all". The error names the word that is none and what there
// is.
Result<TunnelSet> parse_tunnels(std::string_view list);

// All names, with commas between them: for help.
std::string tunnel_names();

}  // namespace clerk
