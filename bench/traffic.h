// The three traffics of the benchmark: which packet comes next, and when.
//
//   MixTraffic       two-way flows of Zipf sizes that start, live and end, as on a campus link
//   ScanTraffic      a SYN flood: every packet is a flow of its own
//   ElephantTraffic  few one-way flows, in random order
//
// Each gives exactly `packets` packets through next(), in strictly increasing time, the same ones
// for the same TrafficPlan. Memory is 56 octets a flow for mix, 1 for elephants and nothing for
// scan, whatever the packets.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <string_view>
#include <vector>

#include "frame.h"
#include "random.h"

namespace clerk::bench {

struct TrafficPlan {
  std::uint64_t packets = 0;
  std::uint64_t flows = 0;        // two-way for mix, one-way for elephants; scan has one a packet
  std::uint64_t duration_ns = 0;  // the packets' times spread over it
  std::uint64_t seed = 0;
};

// Addresses of clients carry the flow's number in 24 bits: no two flows of a trace share a key.
inline constexpr std::uint64_t kFlowsMax = std::uint64_t{1} << 24;

// How many flows a kind (mix, scan, elephants) has when nobody says: mix 25 packets a two-way flow
// on average, elephants a hundred in all.
std::uint64_t flows_by_default(std::string_view kind, std::uint64_t packets);

// Evenly spread times with jitter, for the traffics without flows that start and end.
class EvenClock {
 public:
  explicit EvenClock(const TrafficPlan& plan);
  std::uint64_t next(Random& random);

 private:
  std::uint64_t gap_ns_;
  std::uint64_t slot_ = 0;
};

// A flow lives for its size times a mean gap between 1 ms and 1 s, or the whole trace when that is
// shorter. 70 % of the packets (and of the flows) are TCP, 25 % UDP, 5 % ICMP; 20 % IPv6; 10 %
// tagged.
class MixTraffic {
 public:
  // Short frames are padded to Ethernet's minimum.
  static constexpr std::size_t kFrameOctetsMin = 60;

  explicit MixTraffic(const TrafficPlan& plan);
  bool next(Packet& packet);
  std::uint64_t one_way_flows() const { return one_way_flows_; }

 private:
  // What all packets of a flow share beside its endpoints.
  struct Kind {
    Protocol protocol;
    bool is_ipv6;
    bool is_tagged;
    std::uint32_t share;  // of the packets, in parts of a thousand
  };

  struct Flow {
    std::uint64_t start_ns = 0;
    std::uint64_t spacing_ns = 1;
    std::uint32_t size = 0;  // packets
    std::uint32_t sent = 0;
    std::array<std::uint32_t, 2> tcp_sequence{};  // the next of either side, counted from its SYN
    std::uint8_t kind = 0;
    bool is_answered = false;
  };

  // When a flow sends its next packet. Ordered in full, so that no heap implementation can change
  // the trace.
  struct Event {
    std::uint64_t time_ns;
    std::uint32_t flow;
    auto operator<=>(const Event&) const = default;
  };

  static constexpr std::uint64_t zipf_total(std::uint64_t flows, std::uint64_t scale);
  static const std::array<Kind, 12> kKinds;

  void draw_sizes(const TrafficPlan& plan);
  void draw_kinds();
  void draw_lives(std::uint64_t duration_ns);
  Event take_event();
  Event event_of(std::uint32_t flow);
  bool is_reply(const Flow& flow);
  void fill_endpoints(Packet& packet, std::uint32_t index, bool reply) const;
  void fill_transport(Packet& packet, Flow& flow, bool reply);
  void fill_tcp(Packet& packet, Flow& flow, bool reply);
  std::uint16_t draw_tcp_payload();
  std::uint16_t draw_udp_payload();

  Random random_;
  std::uint64_t seed_;
  std::vector<Flow> flows_;
  std::vector<Event> starts_;  // first packets still to come, the earliest last
  // Next packets of the flows that have begun, the earliest on top.
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t time_ns_ = 0;
  std::uint64_t one_way_flows_ = 0;
};

// Every 64-bit number is one 5-tuple, and mix() of the packet's ordinal gives each of them at most
// once.
class ScanTraffic {
 public:
  // 64 octets without the frame check sequence: a SYN of 44 octets of IP, and padding.
  static constexpr std::size_t kFrameOctetsMin = 64;

  explicit ScanTraffic(const TrafficPlan& plan);
  bool next(Packet& packet);
  std::uint64_t one_way_flows() const { return sent_; }

 private:
  TrafficPlan plan_;
  Random random_;
  EvenClock clock_;
  std::uint64_t sent_ = 0;
};

class ElephantTraffic {
 public:
  // 64 octets without the frame check sequence, filled by UDP payload.
  static constexpr std::size_t kFrameOctetsMin = 64;

  explicit ElephantTraffic(const TrafficPlan& plan);
  bool next(Packet& packet);
  std::uint64_t one_way_flows() const { return one_way_flows_; }

 private:
  Random random_;
  EvenClock clock_;
  std::uint64_t remaining_;
  std::vector<std::uint8_t> is_seen_;
  std::uint64_t one_way_flows_ = 0;
};

}  // namespace clerk::bench
