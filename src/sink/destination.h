// What a user may write behind --collector, taken apart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace clerk {

enum class DestinationKind : uint8_t { Udp, IpfixFile, Csv, Json };

struct Destination {
  std::string name;  // as it was written
  DestinationKind kind = DestinationKind::Csv;
  std::string host;  // of a network destination
  std::string port;
  std::string path;  // of a file; "-" is stdout
};

// HOST, HOST:PORT, udp://HOST:PORT, file:PATH, csv:PATH, json:PATH or stdout; IPv6 in brackets. The
// error says how to write it.
Result<Destination> parse_destination(std::string_view text);

}  // namespace clerk
