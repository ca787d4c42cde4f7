#include "clerk/explain_expression.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "base/quote.h"
#include "clerk/flow_words.h"
#include "decode/transport.h"

namespace clerk {
namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

bool is_any(std::string_view part) { return part.empty() || part == "*"; }

// An address and a port, as written.
struct Parts {
  std::string_view address;
  std::string_view port;
  bool bracketed = false;
};

// Two colons and more are those of an IPv6 address, which then has no port.
Result<Parts> split(std::string_view side) {
  if (!side.starts_with('[')) {
    const size_t colon = side.find(':');
    if (colon == std::string_view::npos || side.find(':', colon + 1) != std::string_view::npos)
      return Parts{.address = side};
    return Parts{trimmed(side.substr(0, colon)), trimmed(side.substr(colon + 1))};
  }
  const size_t bracket = side.find(']');
  if (bracket == std::string_view::npos) return fail("{} has no closing bracket", quote(side));
  const std::string_view rest = trimmed(side.substr(bracket + 1));
  if (!rest.empty() && rest.front() != ':')
    return fail("behind the bracket of {} may stand a colon and a port", quote(side));
  return Parts{trimmed(side.substr(1, bracket - 1)), rest.empty() ? rest : trimmed(rest.substr(1)),
               true};
}

Result<IpAddress> parse_address(const Parts& parts) {
  const std::string text(parts.address);
  IpAddress address{.version = IpVersion::V6};
  if (::inet_pton(AF_INET6, text.c_str(), address.octets.data()) == 1) return address;
  address = {.version = IpVersion::V4};
  if (::inet_pton(AF_INET, text.c_str(), address.octets.data()) != 1)
    return fail("{} is no IPv4 or IPv6 address", quote(text));
  if (parts.bracketed) return fail("brackets are for IPv6 addresses, {} is none", quote(text));
  return address;
}

Result<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [behind, error] = std::from_chars(begin, end, port);
  if (error != std::errc() || behind != end)
    return fail("{} is no port, a number up to 65535", quote(text));
  return port;
}

Result<ExplainExpression::Side> parse_side(std::string_view name, std::string_view text) {
  const auto parts = split(text);
  if (!parts) return fail("{}: {}", name, parts.error().message);
  ExplainExpression::Side side;
  if (!is_any(parts->address)) {
    const auto address = parse_address(*parts);
    if (!address) return fail("{}: {}", name, address.error().message);
    side.address = *address;
  }
  if (!is_any(parts->port)) {
    const auto port = parse_port(parts->port);
    if (!port) return fail("{}: {}", name, port.error().message);
    side.port = *port;
  }
  return side;
}

Result<std::optional<uint8_t>> parse_protocol(std::string_view text) {
  if (is_any(text)) return std::nullopt;
  const auto protocol = find_protocol(text);
  if (!protocol)
    return fail("protocol: {} is no name that is known here, and no number up to 255", quote(text));
  return protocol;
}

bool has_ports(uint8_t protocol) {
  return has_transport_key(IpVersion::V4, protocol) && !is_icmp(IpVersion::V4, protocol);
}

// Refuses what no packet could match.
Result<void> check(const ExplainExpression& expression) {
  const auto& [source, destination, protocol] = expression;
  if (source.address && destination.address &&
      source.address->version != destination.address->version)
    return fail("source and destination are not of one IP version");
  if (protocol && !has_ports(*protocol) &&
      (source.port.value_or(0) != 0 || destination.port.value_or(0) != 0))
    return fail("{} has no ports; leave them out", protocol_name(*protocol));
  return {};
}

Result<ExplainExpression> parse(std::string_view text) {
  const size_t arrow = text.find('>');
  if (arrow == std::string_view::npos) return fail("there is no > between source and destination");
  if (text.find('>', arrow + 1) != std::string_view::npos) return fail("there is more than one >");
  const std::string_view behind = text.substr(arrow + 1);
  const size_t slash = behind.rfind('/');
  const bool has_protocol = slash != std::string_view::npos;
  ExplainExpression expression;
  expression.source = TRY(parse_side("source", trimmed(text.substr(0, arrow))));
  expression.destination = TRY(parse_side("destination", trimmed(behind.substr(0, slash))));
  if (has_protocol) expression.protocol = TRY(parse_protocol(trimmed(behind.substr(slash + 1))));
  TRY(check(expression));
  return expression;
}

bool has_address(const std::optional<IpAddress>& wanted, const IpAddress& address) {
  return !wanted || *wanted == address;
}

template <typename T>
bool is_wanted(const std::optional<T>& wanted, T value) {
  return !wanted || *wanted == value;
}

std::string to_string(const ExplainExpression::Side& side) {
  if (!side.address) return side.port ? fmt::format("*:{}", *side.port) : "*";
  if (!side.port) return to_string(*side.address);
  const std::string address = to_string(*side.address);
  return side.address->version == IpVersion::V4 ? fmt::format("{}:{}", address, *side.port)
                                                : fmt::format("[{}]:{}", address, *side.port);
}

}  // namespace

bool ExplainExpression::matches(const FlowRecord& record) const {
  // A flow without IP has no address that could be asked for.
  return !record.without_ip && matches_addresses(record.source, record.destination) &&
         is_wanted(source.port, record.source_port) &&
         is_wanted(destination.port, record.destination_port) &&
         is_wanted(protocol, record.protocol);
}

bool ExplainExpression::may_match(const Headers& headers) const {
  const size_t octets = headers.version == IpVersion::V4 ? 4 : 16;
  if (!matches_addresses(IpAddress::from_wire(headers.version, headers.addresses),
                         IpAddress::from_wire(headers.version, headers.addresses + octets)))
    return false;
  if (headers.fragment != Fragment::Whole) return true;
  const bool icmp = is_icmp(headers.version, headers.protocol);
  return is_wanted(source.port, headers.source_port) &&
         is_wanted(destination.port, icmp ? uint16_t{0} : headers.destination_port) &&
         is_wanted(protocol, headers.protocol);
}

bool ExplainExpression::matches_addresses(const IpAddress& from, const IpAddress& to) const {
  return has_address(source.address, from) && has_address(destination.address, to);
}

Result<ExplainExpression> parse_explain_expression(std::string_view text) {
  auto parsed = parse(text);
  if (parsed) return parsed;
  return fail(
      "--explain {}: {}; write for example '10.0.0.1:1234>10.0.0.2:80/tcp' or "
      "'[2001:db8::1]:53>*/udp'",
      quote(text), parsed.error().message);
}

std::string to_string(const ExplainExpression& expression) {
  std::string text =
      fmt::format("{}>{}", to_string(expression.source), to_string(expression.destination));
  if (!expression.protocol) return text;
  const std::string name = protocol_name(*expression.protocol);
  // One without a name has only a number.
  return text + '/' + (find_protocol(name) ? name : fmt::to_string(*expression.protocol));
}

}  // namespace clerk
