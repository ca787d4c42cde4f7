// For the tests that hold decode() against testing/reference_decoder.h: the same packet through
// both, and what they disagree on, in words.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "decode/decode.h"
#include "testing/reference_decoder.h"

namespace clerk::differential {

// A packet as both decoders are to see it.
struct Subject {
  uint32_t link_type = 1;
  std::vector<uint8_t> octets = {};  // captured
  uint32_t wire_octets = 0;
  std::optional<uint16_t> stripped_vlan_id = {};
  std::vector<Tunnel> tunnels = {};
};

inline constexpr std::pair<Tunnel, reference::Tunnel> kTunnels[] = {
    {Tunnel::Gre, reference::Tunnel::Gre},         {Tunnel::Erspan, reference::Tunnel::Erspan},
    {Tunnel::IpInIp, reference::Tunnel::IpInIp},   {Tunnel::Vxlan, reference::Tunnel::Vxlan},
    {Tunnel::Geneve, reference::Tunnel::Geneve},   {Tunnel::Gtpu, reference::Tunnel::Gtpu},
    {Tunnel::L2tp, reference::Tunnel::L2tp},       {Tunnel::Teredo, reference::Tunnel::Teredo},
    {Tunnel::MplsUdp, reference::Tunnel::MplsUdp},
};

inline std::vector<Tunnel> all_tunnels() {
  std::vector<Tunnel> all;
  for (const auto& [tunnel, same] : kTunnels)
    all.push_back(tunnel);
  return all;
}

inline constexpr std::pair<Stop, reference::Stop> kStopsOfBoth[] = {
    {Stop::Done, reference::Stop::Done},
    {Stop::NonIp, reference::Stop::NonIp},
    {Stop::LinkType, reference::Stop::LinkType},
    {Stop::Truncated, reference::Stop::Truncated},
    {Stop::Malformed, reference::Stop::Malformed},
    {Stop::DepthLimit, reference::Stop::DepthLimit},
    {Stop::Macsec, reference::Stop::Macsec},
    {Stop::WlanProtected, reference::Stop::WlanProtected},
    {Stop::WlanAmsdu, reference::Stop::WlanAmsdu},
    {Stop::WlanFragment, reference::Stop::WlanFragment},
};

inline std::string name_of(reference::Stop stop) {
  for (const auto& [same, of_reference] : kStopsOfBoth) {
    if (of_reference != stop) continue;
    return same == Stop::Done ? "done" : std::string(clerk::name_of(same));
  }
  return "none of these";
}

// decode() may leave by any cause; the meter's own are none of the reference's.
inline std::optional<reference::Stop> same_stop(Stop stop) {
  for (const auto& [same, of_reference] : kStopsOfBoth)
    if (same == stop) return of_reference;
  return {};
}

inline reference::Fragment same_fragment(Fragment fragment) {
  switch (fragment) {
    case Fragment::Whole: return reference::Fragment::Whole;
    case Fragment::First: return reference::Fragment::First;
    case Fragment::Later: return reference::Fragment::Later;
  }
  return reference::Fragment::Whole;
}

inline std::optional<reference::Octets> address_or_none(const uint8_t* mac) {
  if (mac == nullptr) return {};
  return reference::Octets(mac, mac + 6);
}

inline reference::Key key_of(const Headers& headers) {
  const size_t address_octets = headers.version == IpVersion::V4 ? 4 : 16;
  const uint8_t* destination = headers.addresses + address_octets;
  reference::Key key{.version = headers.version == IpVersion::V4 ? 4 : 6,
                     .source = {headers.addresses, destination},
                     .destination = {destination, destination + address_octets},
                     .protocol = headers.protocol,
                     .tos = headers.tos,
                     .source_port = headers.source_port,
                     .destination_port = headers.destination_port,
                     .fragment = same_fragment(headers.fragment),
                     .octets = headers.octets,
                     .tcp_flags = headers.tcp_flags,
                     .tcp_flags_missing = headers.tcp_flags_missing,
                     .decapsulated = headers.decapsulated};
  // Headers has values here for fragments only.
  if (headers.fragment != Fragment::Whole) {
    key.datagram_protocol = headers.datagram_protocol;
    key.identification = headers.identification;
  }
  return key;
}

// decode(), or the part of it that knows all packets.
using Decoder = Stop (*)(const Packet&, TunnelSet, Headers&, LayerTrace*);

inline reference::Answer fast(const Subject& subject, Decoder decoder = &decode) {
  // Memory of exactly its size, so that the address sanitizer sees a read behind its end.
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[subject.octets.size()]);
  std::ranges::copy(subject.octets, copy.get());
  const Packet packet{.data = copy.get(),
                      .captured_octets = static_cast<uint32_t>(subject.octets.size()),
                      .wire_octets = subject.wire_octets,
                      .link_type = LinkType{subject.link_type},
                      .stripped_vlan_id = subject.stripped_vlan_id.value_or(kNoVlanTag)};
  TunnelSet tunnels;
  for (const Tunnel tunnel : subject.tunnels)
    tunnels.add(tunnel);
  Headers headers;
  std::memset(&headers, 0xa5, sizeof headers);  // what is not filled in shows
  const auto stop = same_stop(decoder(packet, tunnels, headers, nullptr));
  if (!stop) return {.stop = reference::Stop{UINT8_MAX}};
  reference::Answer answer{.stop = *stop};
  if (*stop == reference::Stop::Done) answer.key = key_of(headers);
  if (*stop == reference::Stop::NonIp || *stop == reference::Stop::Macsec)
    answer.link = {.source = address_or_none(headers.link.source),
                   .destination = address_or_none(headers.link.destination),
                   .ether_type = headers.link.ether_type,
                   .octets = headers.link.octets};
  const bool has_vlan = *stop == reference::Stop::Done || answer.link != reference::Link{};
  if (has_vlan) answer.vlan_id = headers.vlan_id;
  return answer;
}

// What the reference says, without what Headers does not tell at that stop.
inline reference::Answer slow(const Subject& subject) {
  reference::Capture capture{.link_type = subject.link_type,
                             .octets = subject.octets,
                             .wire_octets = subject.wire_octets,
                             .stripped_vlan_id = subject.stripped_vlan_id};
  for (const auto& [tunnel, same] : kTunnels)
    if (std::ranges::count(subject.tunnels, tunnel) > 0) capture.tunnels.insert(same);
  reference::Answer answer = reference::decode(capture);
  if (answer.stop == reference::Stop::Done) answer.link = {};
  const bool has_link =
      answer.stop == reference::Stop::NonIp || answer.stop == reference::Stop::Macsec;
  if (answer.stop != reference::Stop::Done && !has_link) answer = {.stop = answer.stop};
  return answer;
}

inline std::string hex(const reference::Octets& octets) {
  return fmt::format("{:02x}", fmt::join(octets, ""));
}

inline std::string describe(const std::optional<reference::Octets>& address) {
  return address ? hex(*address) : "none";
}

// One line a field, so that two of them can be laid side by side.
inline std::vector<std::string> describe(const reference::Answer& answer) {
  const reference::Key& key = answer.key;
  return {
      "stop " + name_of(answer.stop),
      fmt::format("vlan {}", answer.vlan_id),
      "source MAC " + describe(answer.link.source),
      "destination MAC " + describe(answer.link.destination),
      fmt::format("EtherType {:04x}", answer.link.ether_type),
      fmt::format("frame octets {}", answer.link.octets),
      fmt::format("version {}", key.version),
      "source " + hex(key.source),
      "destination " + hex(key.destination),
      fmt::format("protocol {}", key.protocol),
      fmt::format("ToS {:02x}", key.tos),
      fmt::format("source port {}", key.source_port),
      fmt::format("destination port {}", key.destination_port),
      fmt::format("fragment {}", static_cast<int>(key.fragment)),
      fmt::format("datagram protocol {}", key.datagram_protocol),
      fmt::format("identification {:x}", key.identification),
      fmt::format("octets {}", key.octets),
      fmt::format("TCP flags {:02x}", key.tcp_flags),
      fmt::format("TCP flags missing {}", key.tcp_flags_missing),
      fmt::format("decapsulated {}", key.decapsulated),
  };
}

inline std::string describe(const Subject& subject) {
  std::string tunnels;
  for (const Tunnel tunnel : subject.tunnels)
    tunnels += fmt::format(" {}", static_cast<int>(tunnel));
  return fmt::format("link type {}, {} of {} octets captured, stripped tag {}, tunnels{}\n{}",
                     subject.link_type, subject.octets.size(), subject.wire_octets,
                     subject.stripped_vlan_id ? std::to_string(*subject.stripped_vlan_id) : "none",
                     tunnels, hex(subject.octets));
}

inline std::string differences(std::string_view name, const reference::Answer& fast_answer,
                               const reference::Answer& slow_answer) {
  const auto of_fast = describe(fast_answer);
  const auto of_slow = describe(slow_answer);
  std::string lines;
  for (size_t field = 0; field < of_fast.size(); ++field)
    if (of_fast[field] != of_slow[field])
      lines += fmt::format("  {}: {}  reference: {}\n", name, of_fast[field], of_slow[field]);
  return lines;
}

// What the decoders answer differently, or nothing.
inline std::string disagreement(const Subject& subject) {
  const auto of_slow = slow(subject);
  const std::string lines = differences("fast", fast(subject), of_slow) +
                            differences("layers", fast(subject, &decode_layers), of_slow);
  return lines.empty() ? "" : describe(subject) + "\n" + lines;
}

}  // namespace clerk::differential
