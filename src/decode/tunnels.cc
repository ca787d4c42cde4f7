#include "decode/tunnels.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/quote.h"

namespace clerk {
namespace {

constexpr std::string_view kAll = "all";
constexpr std::array kNames{
    std::pair{std::string_view("gre"), Tunnel::Gre},
    std::pair{std::string_view("erspan"), Tunnel::Erspan},
    std::pair{std::string_view("ipip"), Tunnel::IpInIp},
    std::pair{std::string_view("vxlan"), Tunnel::Vxlan},
    std::pair{std::string_view("geneve"), Tunnel::Geneve},
    std::pair{std::string_view("gtpu"), Tunnel::Gtpu},
    std::pair{std::string_view("l2tp"), Tunnel::L2tp},
    std::pair{std::string_view("teredo"), Tunnel::Teredo},
    std::pair{std::string_view("mplsudp"), Tunnel::MplsUdp},
};

Result<void> add(std::string_view name, TunnelSet& tunnels) {
  for (const auto& [known, tunnel] : kNames) {
    if (name == known || name == kAll) tunnels.add(tunnel);
  }
  const bool is_known = name == kAll || std::ranges::find(kNames, name, [](const auto& entry) {
                                          return entry.first;
                                        }) != kNames.end();
  if (!is_known) return fail("{} is no tunnel; choose {} or all", quote(name), tunnel_names());
  return {};
}

}  // namespace

Result<TunnelSet> parse_tunnels(std::string_view list) {
  TunnelSet tunnels;
  for (;;) {
    const size_t comma = list.find(',');
    TRY(add(list.substr(0, comma), tunnels));
    if (comma == std::string_view::npos) return tunnels;
    list.remove_prefix(comma + 1);
  }
}

std::string tunnel_names() {
  std::string names;
  for (const auto& [name, tunnel] : kNames) {
    if (!names.empty()) names += ',';
    names += name;
  }
  return names;
}

}  // namespace clerk
