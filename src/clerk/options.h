// The command line: what the user asked for, checked as far as words can be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/log.h"
#include "capture/af_packet_source.h"
#include "clerk/explain_expression.h"
#include "command_line/answer.h"
#include "flow/delta.h"
#include "flow/enrich.h"
#include "ipfix/timestamp.h"
#include "sink/destination.h"
#include "sink/record_pacer.h"

namespace clerk {

struct Options {
  std::vector<std::string> read;        // capture files, or
  std::vector<std::string> interfaces;  // live,
  std::vector<std::string> testimony;   // from sockets of a daemon; never with files, and one input
  AfPacketOptions af_packet;            // of each interface
  std::vector<uint32_t> cpus;           // for the capture threads in turn; may be empty
  std::string filter;
  std::optional<uint32_t> mtu;  // of the links, instead of what interfaces say or Ethernet has
  uint32_t threads = 1;  // live: of each interface, and of a socket that does not tell how many
  std::vector<Destination> collectors;       // at least one, unless packets are explained
  std::optional<ExplainExpression> explain;  // which packets, on stdout; only with files
  AsnFile asns;
  uint32_t asns_reread_seconds = 0;
  uint64_t idle_timeout_ns = 0;
  uint64_t active_timeout_ns = 0;
  uint32_t flows_max = 0;
  std::string decapsulate;  // as written; what it means is in `meter`
  MeterOptions meter;
  uint32_t observation_domain = 0;
  RecordPace udp_pace;
  ipfix::TimeUnit time_unit = ipfix::TimeUnit::Nanoseconds;
  std::string user;  // whom to become, once the sources are open; empty: the default
  LogLevel log_level = LogLevel::Info;
  bool check = false;

  [[nodiscard]] bool live() const { return !interfaces.empty() || !testimony.empty(); }
};

std::variant<Options, Answer> parse_command_line(int argc, const char* const* argv);

}  // namespace clerk
