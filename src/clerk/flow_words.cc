#include "clerk/flow_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace clerk {
namespace {

struct Protocol {
  uint8_t number;
  std::string_view name;
};

// Where a number has several names, the one that is written comes first.
constexpr std::array kProtocols{
    Protocol{1, "ICMP"},       Protocol{2, "IGMP"},       Protocol{4, "IPIP"},
    Protocol{6, "TCP"},        Protocol{17, "UDP"},       Protocol{33, "DCCP"},
    Protocol{41, "IPv6"},      Protocol{46, "RSVP"},      Protocol{47, "GRE"},
    Protocol{50, "ESP"},       Protocol{51, "AH"},        Protocol{58, "ICMPv6"},
    Protocol{58, "ICMP6"},     Protocol{58, "IPv6-ICMP"}, Protocol{59, "IPv6-NoNxt"},
    Protocol{88, "EIGRP"},     Protocol{89, "OSPF"},      Protocol{103, "PIM"},
    Protocol{112, "VRRP"},     Protocol{115, "L2TP"},     Protocol{132, "SCTP"},
    Protocol{135, "Mobility"}, Protocol{136, "UDP-Lite"}, Protocol{139, "HIP"},
    Protocol{140, "Shim6"},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// As people type it: "udplite" is UDP-Lite.
std::string plain(std::string_view name) {
  std::string letters;
  for (const char c : name) {
    if (c != '-') letters += lower(c);
  }
  return letters;
}

}  // namespace

std::string protocol_name(uint8_t number) {
  const auto* const found = std::ranges::find(kProtocols, number, &Protocol::number);
  return found == kProtocols.end() ? fmt::format("protocol {}", number) : std::string(found->name);
}

std::optional<uint8_t> find_protocol(std::string_view text) {
  uint8_t number = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [behind, error] = std::from_chars(begin, end, number);
  if (error == std::errc() && behind == end) return number;
  const std::string wanted = plain(text);
  const auto* const found = std::ranges::find_if(
      kProtocols, [&](const Protocol& protocol) { return plain(protocol.name) == wanted; });
  return found == kProtocols.end() ? std::nullopt : std::optional(found->number);
}

std::string endpoint(const IpAddress& address, uint16_t port) {
  if (port == 0) return to_string(address);
  return address.version == IpVersion::V4 ? fmt::format("{}:{}", to_string(address), port)
                                          : fmt::format("[{}]:{}", to_string(address), port);
}

std::string_view name_of(EndReason reason) {
  switch (reason) {
    case EndReason::IdleTimeout: return "idle timeout";
    case EndReason::ActiveTimeout: return "active timeout";
    case EndReason::EndDetected: return "end detected";
    case EndReason::ForcedEnd: return "forced end";
    case EndReason::LackOfResources: return "lack of resources";
  }
  std::unreachable();
}

}  // namespace clerk
