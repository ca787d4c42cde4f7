#include "testimonyd/stats.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "clerk/version.h"

namespace clerk {
namespace {

using Json = nlohmann::ordered_json;

Json to_object(const ClientStats& client) {
  return {{"client", client.number},
          {"pid", client.process},
          {"uid", client.user},
          {"connected_seconds", client.connected_seconds},
          {"blocks_sent", client.blocks_sent},
          {"blocks_returned", client.blocks_returned},
          {"blocks_held", client.blocks_held}};
}

Json to_object(const RingStats& ring) {
  const RingCounts& counts = ring.counts;
  Json clients = Json::array();
  for (const ClientStats& client : ring.clients)
    clients.push_back(to_object(client));
  return {{"index", ring.index},
          {"packets", counts.kernel.packets},
          {"drops", counts.kernel.drops},
          {"freezes", counts.kernel.freezes},
          {"blocks", counts.blocks},
          {"blocks_losing", counts.blocks_losing},
          {"blocks_sent", counts.blocks_sent},
          {"blocks_returned", counts.blocks_returned},
          {"blocks_held", counts.blocks_held},
          {"clients_joined", counts.clients_joined},
          {"evictions", counts.evictions},
          {"clients", std::move(clients)}};
}

Json to_object(const SocketStats& socket) {
  Json rings = Json::array();
  for (const RingStats& ring : socket.rings)
    rings.push_back(to_object(ring));
  return {{"socket", socket.socket},
          {"interface", socket.interface},
          {"capturing", socket.is_capturing},
          {"rings_made", socket.rings_made},
          {"clients_greeting", socket.clients_greeting},
          {"clients_refused", socket.clients_refused},
          {"rings", std::move(rings)}};
}

std::string line_of(const SocketStats& socket, const RingStats& ring) {
  const RingCounts& counts = ring.counts;
  return fmt::format(
      "{}: index={} packets={} drops={} freezes={} blocks={} blocks_losing={} blocks_sent={} "
      "blocks_returned={} blocks_held={} clients={} clients_joined={} evictions={}",
      socket.socket, ring.index, counts.kernel.packets, counts.kernel.drops, counts.kernel.freezes,
      counts.blocks, counts.blocks_losing, counts.blocks_sent, counts.blocks_returned,
      counts.blocks_held, ring.clients.size(), counts.clients_joined, counts.evictions);
}

std::string line_of(const SocketStats& socket, const RingStats& ring, const ClientStats& client) {
  return fmt::format(
      "{}: index={} client={} pid={} uid={} connected_seconds={:.0f} blocks_sent={} "
      "blocks_returned={} blocks_held={}",
      socket.socket, ring.index, client.number, client.process, client.user,
      client.connected_seconds, client.blocks_sent, client.blocks_returned, client.blocks_held);
}

}  // namespace

std::string to_json(const DaemonStats& stats) {
  Json sockets = Json::array();
  for (const SocketStats& socket : stats.sockets)
    sockets.push_back(to_object(socket));
  const Json object = {{"version", kVersion},
                       {"uptime_seconds", stats.uptime_seconds},
                       {"sockets", std::move(sockets)}};
  // A path may hold any octets; what is no UTF-8 is replaced.
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::vector<std::string> to_lines(const DaemonStats& stats) {
  std::vector<std::string> lines;
  for (const SocketStats& socket : stats.sockets) {
    lines.push_back(fmt::format(
        "{}: interface={} capturing={} rings_made={} clients_greeting={} clients_refused={}",
        socket.socket, socket.interface, socket.is_capturing ? 1 : 0, socket.rings_made,
        socket.clients_greeting, socket.clients_refused));
    for (const RingStats& ring : socket.rings) {
      lines.push_back(line_of(socket, ring));
      for (const ClientStats& client : ring.clients)
        lines.push_back(line_of(socket, ring, client));
    }
  }
  return lines;
}

}  // namespace clerk
