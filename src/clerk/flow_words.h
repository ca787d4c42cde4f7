// The words for the parts of a flow that people read and write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "flow/flow_record.h"

namespace clerk {

// "TCP", "protocol 200".
std::string protocol_name(uint8_t number);

// The number of a protocol: "tcp", "UDP-Lite", "icmp6", "200". Nothing when nobody is called so.
std::optional<uint8_t> find_protocol(std::string_view text);

// "10.0.0.1:80", "[2001:db8::1]:80"; the address alone when the port is 0.
std::string endpoint(const IpAddress& address, uint16_t port);

// "idle timeout".
std::string_view name_of(EndReason reason);

}  // namespace clerk
