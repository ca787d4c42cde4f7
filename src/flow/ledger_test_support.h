// For the tests of the ledger: packets by their second, and of a record what most tests ask.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "decode/wire.h"
#include "flow/flow_test_support.h"
#include "flow/ledger.h"
#include "testing/described_packet.h"

namespace clerk {

inline constexpr uint32_t kStart = 1000;  // the second at which the packets of most tests begin

inline uint64_t at(double second) { return static_cast<uint64_t>(second * 1e9); }

inline DescribedPacket udp(uint64_t time_ns, uint16_t source_port = 1000) {
  return {.time_ns = time_ns, .source_port = source_port};
}

inline DescribedPacket tcp(uint64_t time_ns, uint8_t flags) {
  return {.time_ns = time_ns, .protocol = wire::protocol::kTcp, .tcp_flags = flags};
}

inline DescribedPacket fragment(uint64_t time_ns, DatagramPart part, uint16_t identification = 7) {
  return {.time_ns = time_ns, .part = part, .identification = identification};
}

inline DescribedPacket arp(uint64_t time_ns, uint8_t source_host = 1) {
  return {.time_ns = time_ns, .source_host = source_host, .octets = 60, .ether_type = 0x0806};
}

// What most tests ask of a record.
inline std::string brief(const Released& released) {
  return fmt::format("at {}: port {}, {} packets, reason {}", released.second,
                     released.record.source_port, released.record.packets,
                     std::to_underlying(released.record.end_reason));
}

inline std::vector<std::string> brief(const std::vector<Released>& released) {
  std::vector<std::string> texts;
  texts.reserve(released.size());
  for (const Released& one : released)
    texts.push_back(brief(one));
  return texts;
}

inline LedgerOptions options_of(uint32_t flows_max, double idle_seconds, double active_seconds) {
  return {.flows_max = flows_max,
          .timeouts = {.idle_ns = at(idle_seconds), .active_ns = at(active_seconds)}};
}

// The same at any number of threads.
class LedgerOnThreads : public ::testing::TestWithParam<uint32_t> {
 protected:
  static LedgerOptions on_threads(LedgerOptions options = test_options()) {
    options.threads = GetParam();
    return options;
  }
};

}  // namespace clerk
