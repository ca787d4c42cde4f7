// Which packets --explain is about: SRC:PORT>DST:PORT/PROTO, one direction as flows have it.
//
//   10.0.0.1:1234>10.0.0.2:80/tcp    [2001:db8::1]:53>*/udp    10.0.0.1>*    *:*>*:443    *>*/icmp
//
// An IPv6 address stands in brackets when a port follows it. A part that is * or left out is any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ip_address.h"
#include "decode/headers.h"
#include "flow/flow_record.h"

namespace clerk {

struct ExplainExpression {
  struct Side {
    std::optional<IpAddress> address;
    std::optional<uint16_t> port;

    friend bool operator==(const Side&, const Side&) = default;
  };

  Side source;
  Side destination;
  std::optional<uint8_t> protocol;

  [[nodiscard]] bool matches(const FlowRecord& record) const;

  // Whether a packet's record may match. For fragments, whose ports and protocol the ledger knows,
  // only the addresses are asked.
  [[nodiscard]] bool may_match(const Headers& headers) const;

  [[nodiscard]] bool matches_addresses(const IpAddress& from, const IpAddress& to) const;

  // The same conversation in its other direction.
  [[nodiscard]] ExplainExpression reversed() const { return {destination, source, protocol}; }

  friend bool operator==(const ExplainExpression&, const ExplainExpression&) = default;
};

// The error names the part that is wrong, and an expression that is right.
Result<ExplainExpression> parse_explain_expression(std::string_view text);

// As it may be written again.
std::string to_string(const ExplainExpression& expression);

}  // namespace clerk
