#include "testimony_dump/packet_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <span>

namespace testimony_dump {
namespace {

using Octets = std::span<const uint8_t>;

constexpr uint16_t kIpv4 = 0x0800;
constexpr uint16_t kArp = 0x0806;
constexpr uint16_t kVlan = 0x8100;
constexpr uint16_t kIpv6 = 0x86dd;
constexpr uint16_t kServiceVlan = 0x88a8;
constexpr uint16_t kVlanIdMask = 0x0fff;

constexpr size_t kEtherTypeOffset = 12;
constexpr size_t kEthernetOctets = 14;
constexpr size_t kTagOctets = 4;
constexpr size_t kIpv4OctetsMin = 20;
constexpr size_t kIpv6Octets = 40;
constexpr uint16_t kFragmentOffsetMask = 0x1fff;

// What follows, and where it begins; less than all of it when the packet is cut.
struct Layer {
  uint16_t ether_type = 0;
  Octets octets;
};

Octets behind(Octets octets, size_t count) {
  return octets.subspan(std::min(count, octets.size()));
}

// The caller has looked that they are there.
uint16_t number_at(Octets octets, size_t offset) {
  return static_cast<uint16_t>(octets[offset] << 8 | octets[offset + 1]);
}

std::string time_text(const testimony::RingPacket& packet) {
  const std::time_t second = packet.second;
  std::tm parts{};
  ::gmtime_r(&second, &parts);
  std::array<char, 24> whole{};
  std::array<char, 16> fraction{};
  std::strftime(whole.data(), whole.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(fraction.data(), fraction.size(), ".%09uZ", packet.nanosecond);
  return std::string(whole.data()) + fraction.data();
}

Layer behind_link_header(const testimony::RingPacket& packet, testimony::Link link) {
  const Octets octets(packet.data, packet.captured_octets);
  if (link == testimony::Link::Other)
    return {.ether_type = packet.ether_type, .octets = behind(octets, packet.network_offset)};
  if (octets.size() < kEthernetOctets) return {};
  return {.ether_type = number_at(octets, kEtherTypeOffset),
          .octets = behind(octets, kEthernetOctets)};
}

std::string vlan_text(uint16_t tci) { return " vlan " + std::to_string(tci & kVlanIdMask); }

// Tags that the kernel left in the packet.
std::string take_tags(Layer& layer) {
  std::string text;
  while ((layer.ether_type == kVlan || layer.ether_type == kServiceVlan) &&
         layer.octets.size() >= kTagOctets) {
    text += vlan_text(number_at(layer.octets, 0));
    layer = {.ether_type = number_at(layer.octets, 2), .octets = behind(layer.octets, kTagOctets)};
  }
  return text;
}

std::string type_text(uint16_t ether_type) {
  if (ether_type == kIpv4) return " IPv4";
  if (ether_type == kIpv6) return " IPv6";
  if (ether_type == kArp) return " ARP";
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), " 0x%04x", ether_type);
  return text.data();
}

std::string protocol_text(uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_ICMP: return " ICMP";
    case IPPROTO_TCP: return " TCP";
    case IPPROTO_UDP: return " UDP";
    case IPPROTO_ICMPV6: return " ICMPv6";
    case IPPROTO_SCTP: return " SCTP";
    default: return " protocol " + std::to_string(protocol);
  }
}

bool has_ports(uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

std::string address_text(int family, Octets address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, address.data(), text.data(), text.size());
  return text.data();
}

// `transport` begins with the ports, where there are any and it was captured.
std::string conversation_text(std::string source, std::string destination, uint8_t protocol,
                              Octets transport) {
  constexpr size_t kPortsOctets = 4;
  if (has_ports(protocol) && transport.size() >= kPortsOctets) {
    source += ":" + std::to_string(number_at(transport, 0));
    destination += ":" + std::to_string(number_at(transport, 2));
  }
  return " " + source + " > " + destination + protocol_text(protocol);
}

std::string ipv4_text(Octets octets) {
  if (octets.size() < kIpv4OctetsMin) return {};
  const size_t header_octets = static_cast<size_t>(octets[0] & 0x0f) * 4;
  const bool is_first_fragment = (number_at(octets, 6) & kFragmentOffsetMask) == 0;
  const bool tells = is_first_fragment && header_octets >= kIpv4OctetsMin;
  return conversation_text(address_text(AF_INET, octets.subspan(12)),
                           address_text(AF_INET, octets.subspan(16)), octets[9],
                           tells ? behind(octets, header_octets) : Octets());
}

// Extension headers are told as the protocol that they are.
std::string ipv6_text(Octets octets) {
  if (octets.size() < kIpv6Octets) return {};
  return conversation_text("[" + address_text(AF_INET6, octets.subspan(8)) + "]",
                           "[" + address_text(AF_INET6, octets.subspan(24)) + "]", octets[6],
                           behind(octets, kIpv6Octets));
}

}  // namespace

std::string text_of(const testimony::RingPacket& packet, testimony::Link link, uint32_t part) {
  std::string text = time_text(packet) + " " + std::to_string(part) + " wire " +
                     std::to_string(packet.wire_octets) + " captured " +
                     std::to_string(packet.captured_octets);
  Layer layer = behind_link_header(packet, link);
  if (packet.has_vlan) text += vlan_text(packet.vlan_tci);
  text += take_tags(layer);
  text += type_text(layer.ether_type);
  if (layer.ether_type == kIpv4) text += ipv4_text(layer.octets);
  if (layer.ether_type == kIpv6) text += ipv6_text(layer.octets);
  return text;
}

}  // namespace testimony_dump
