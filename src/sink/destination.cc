#include "sink/destination.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace clerk {
namespace {

constexpr std::string_view kDefaultPort = "4739";  // ipfix (IANA)
constexpr std::string_view kUdp = "udp://";

bool is_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0;
}

std::optional<std::string_view> behind(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  return text.substr(prefix.size());
}

Result<Destination> parse_path(std::string_view name, DestinationKind kind, std::string_view path) {
  if (path.empty()) return fail("--collector {}: a path must follow the colon", name);
  return Destination{.name = std::string(name), .kind = kind, .path = std::string(path)};
}

Result<Destination> udp_destination(std::string_view name, std::string_view host,
                                    std::string_view port) {
  if (host.empty()) return fail("--collector {}: a host must come before the port", name);
  if (!is_port(port)) return fail("--collector {}: '{}' is no port (1 to 65535)", name, port);
  return Destination{.name = std::string(name),
                     .kind = DestinationKind::Udp,
                     .host = std::string(host),
                     .port = std::string(port)};
}

// [ADDRESS] or [ADDRESS]:PORT.
Result<Destination> parse_bracketed(std::string_view name, std::string_view text) {
  const size_t close = text.find(']');
  if (close == std::string_view::npos)
    return fail("--collector {}: the bracket is not closed", name);
  const std::string_view rest = text.substr(close + 1);
  if (!rest.empty() && rest.front() != ':') {
    return fail("--collector {}: write [ADDRESS]:PORT", name);
  }
  return udp_destination(name, text.substr(1, close - 1),
                         rest.empty() ? kDefaultPort : rest.substr(1));
}

Result<Destination> parse_udp(std::string_view name, std::string_view text) {
  if (text.starts_with('[')) return parse_bracketed(name, text);
  if (std::ranges::count(text, ':') > 1) {
    return fail("--collector {}: write an IPv6 address in brackets, as [2001:db8::1]:4739", name);
  }
  if (text.find('/') != std::string_view::npos) {
    return fail("--collector {}: is no HOST:PORT; write csv:{} for a file", name, text);
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return udp_destination(name, text, kDefaultPort);
  return udp_destination(name, text.substr(0, colon), text.substr(colon + 1));
}

}  // namespace

Result<Destination> parse_destination(std::string_view text) {
  if (text.empty()) return fail("--collector: a destination must follow");
  if (text == "stdout")
    return Destination{.name = "stdout", .kind = DestinationKind::Csv, .path = "-"};
  if (const auto path = behind(text, "file:"))
    return parse_path(text, DestinationKind::IpfixFile, *path);
  if (const auto path = behind(text, "csv:")) return parse_path(text, DestinationKind::Csv, *path);
  if (const auto path = behind(text, "json:"))
    return parse_path(text, DestinationKind::Json, *path);
  if (const auto rest = behind(text, kUdp)) return parse_udp(text, *rest);
  if (text.find("://") != std::string_view::npos) {
    return fail("--collector {}: this version sends IPFIX over udp:// only", text);
  }
  return parse_udp(text, text);
}

}  // namespace clerk
