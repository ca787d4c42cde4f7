#include "traffic.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace clerk::bench {
namespace {

// 2023-11-14T22:13:20Z: a round number, long past.
constexpr std::uint64_t kEpochNs = 1'700'000'000ULL * 1'000'000'000ULL;

// Clients are 10.0.0.0/8, servers 172.16.0.0/12: no flow's reply can look like another flow's
// request.
constexpr std::uint32_t kClientNet = 10U << 24;
constexpr std::uint32_t kServerNet = 172U << 24 | 16U << 16;

constexpr std::array<std::uint16_t, 8> kServerPorts = {443, 443, 443, 80, 8443, 22, 5001, 8080};
constexpr std::array<std::uint8_t, 8> kDscps = {0, 0, 0, 0, 0, 0, 10, 46};

// Of a thousand flows, those that show both directions; the rest are unanswered or return on
// another path. 200,000 two-way flows so make about 384,800 one-way flows.
constexpr std::uint64_t kAnsweredPerMille = 929;

// Distinct for distinct indexes below kFlowsMax: each step is invertible modulo 2^24.
constexpr std::uint32_t client_of(std::uint32_t index) {
  constexpr std::uint32_t kMask = kFlowsMax - 1;
  std::uint32_t x = index * 0x9e3779b1U & kMask;
  x ^= x >> 13;
  x = x * 0x85ebca6bU & kMask;
  return kClientNet | (x ^ x >> 12);
}

// A mean gap between 1 ms and 1.024 s: every doubling is as likely as the next.
std::uint64_t draw_gap_ns(Random& random) {
  const std::uint64_t octave_ns = 1'000'000ULL << random.below(10);
  return octave_ns + random.below(octave_ns);
}

}  // namespace

std::uint64_t flows_by_default(std::string_view kind, std::uint64_t packets) {
  if (kind == "elephants") return 100;
  return std::max<std::uint64_t>(1, packets / 25);
}

EvenClock::EvenClock(const TrafficPlan& plan)
    : gap_ns_(std::max<std::uint64_t>(
          1, plan.duration_ns / std::max<std::uint64_t>(1, plan.packets))) {}

std::uint64_t EvenClock::next(Random& random) {
  return kEpochNs + gap_ns_ * slot_++ + random.below(gap_ns_);
}

// The product of 70 / 25 / 5, 80 / 20 and 90 / 10 per cent, in parts of a thousand.
const std::array<MixTraffic::Kind, 12> MixTraffic::kKinds = {{
    {Protocol::Tcp, false, false, 504},
    {Protocol::Tcp, false, true, 56},
    {Protocol::Tcp, true, false, 126},
    {Protocol::Tcp, true, true, 14},
    {Protocol::Udp, false, false, 180},
    {Protocol::Udp, false, true, 20},
    {Protocol::Udp, true, false, 45},
    {Protocol::Udp, true, true, 5},
    {Protocol::Icmp, false, false, 36},
    {Protocol::Icmp, false, true, 4},
    {Protocol::Icmp, true, false, 9},
    {Protocol::Icmp, true, true, 1},
}};

MixTraffic::MixTraffic(const TrafficPlan& plan)
    : random_(plan.seed), seed_(plan.seed), flows_(std::min(plan.flows, plan.packets)) {
  draw_sizes(plan);
  draw_kinds();
  draw_lives(plan.duration_ns);
}

// Packets of all flows when the flow of rank k has scale / k of them, and at least one.
constexpr std::uint64_t MixTraffic::zipf_total(std::uint64_t flows, std::uint64_t scale) {
  std::uint64_t total = 0;
  for (std::uint64_t rank = 1; rank <= flows; ++rank) {
    total += std::max<std::uint64_t>(1, scale / rank);
  }
  return total;
}

// Zipf with s = 1: the largest scale that does not exceed the plan, and the rest one by one to the
// smallest flows.
void MixTraffic::draw_sizes(const TrafficPlan& plan) {
  std::uint64_t low = 0;
  std::uint64_t high =
      std::min<std::uint64_t>(plan.packets, std::numeric_limits<std::uint32_t>::max());
  while (low < high) {
    const std::uint64_t middle = low + (high - low + 1) / 2;
    if (zipf_total(flows_.size(), middle) <= plan.packets) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  std::uint64_t rest = plan.packets - zipf_total(flows_.size(), low);
  for (std::uint64_t rank = flows_.size(); rank >= 1; --rank) {
    const std::uint64_t left_over = (rest + rank - 1) / rank;
    rest -= left_over;
    flows_[rank - 1].size =
        static_cast<std::uint32_t>(std::max<std::uint64_t>(1, low / rank) + left_over);
  }
}

// Largest flow first, each to the kind that lags most behind its share. So the shares hold for
// packets, although one flow has a twelfth of them, and for flows, because most are alike in size.
void MixTraffic::draw_kinds() {
  std::array<std::int64_t, kKinds.size()> owed{};
  for (Flow& flow : flows_) {
    for (std::size_t i = 0; i < owed.size(); ++i) {
      owed[i] += std::int64_t{kKinds[i].share} * flow.size;
    }
    const auto most = std::max_element(owed.begin(), owed.end());
    *most -= std::int64_t{1000} * flow.size;
    flow.kind = static_cast<std::uint8_t>(most - owed.begin());
  }
}

void MixTraffic::draw_lives(std::uint64_t duration_ns) {
  starts_.reserve(flows_.size());
  for (std::uint32_t i = 0; i < flows_.size(); ++i) {
    Flow& flow = flows_[i];
    const std::uint64_t life_ns = std::min(duration_ns, flow.size * draw_gap_ns(random_));
    flow.spacing_ns = std::max<std::uint64_t>(1, life_ns / flow.size);
    flow.start_ns = kEpochNs + random_.below(duration_ns - life_ns + 1);
    flow.is_answered = random_.below(1000) < kAnsweredPerMille;
    one_way_flows_ += flow.is_answered && flow.size > 1 ? 2 : 1;
    starts_.push_back(event_of(i));
  }
  std::sort(starts_.begin(), starts_.end(), std::greater<>());
}

// A flow's packet falls anywhere in its own slot, so gaps vary up to twice the mean.
MixTraffic::Event MixTraffic::event_of(std::uint32_t index) {
  const Flow& flow = flows_[index];
  return {flow.start_ns + flow.spacing_ns * flow.sent + random_.below(flow.spacing_ns), index};
}

// Only when an event is left.
MixTraffic::Event MixTraffic::take_event() {
  if (events_.empty() || (!starts_.empty() && starts_.back() < events_.top())) {
    const Event event = starts_.back();
    starts_.pop_back();
    return event;
  }
  const Event event = events_.top();
  events_.pop();
  return event;
}

bool MixTraffic::next(Packet& packet) {
  if (starts_.empty() && events_.empty()) return false;
  const Event event = take_event();
  Flow& flow = flows_[event.flow];
  const bool reply = is_reply(flow);
  time_ns_ = std::max(event.time_ns, time_ns_ + 1);
  packet = Packet{};
  packet.time_ns = time_ns_;
  fill_endpoints(packet, event.flow, reply);
  fill_transport(packet, flow, reply);
  if (++flow.sent < flow.size) events_.push(event_of(event.flow));
  return true;
}

// A request, its answer, then either side at random; TCP ends with one FIN from each.
bool MixTraffic::is_reply(const Flow& flow) {
  if (!flow.is_answered || flow.sent == 0) return false;
  if (flow.sent == 1) return true;
  if (kKinds[flow.kind].protocol == Protocol::Tcp) {
    if (flow.size == 3 || flow.sent + 2 == flow.size) return false;
    if (flow.sent + 1 == flow.size) return true;
  }
  return random_.below(2) == 1;
}

void MixTraffic::fill_endpoints(Packet& packet, std::uint32_t index, bool reply) const {
  const Kind& kind = kKinds[flows_[index].kind];
  const std::uint64_t hash = mix(seed_ ^ mix(index));
  packet.protocol = kind.protocol;
  packet.is_ipv6 = kind.is_ipv6;
  packet.vlan_id = kind.is_tagged ? static_cast<std::uint16_t>(100 + hash % 8) : std::uint16_t{0};
  packet.dscp = kDscps[hash >> 8 & 7];
  packet.source = client_of(index);
  packet.destination = kServerNet | (hash >> 16 & 0xffff);
  packet.source_port = static_cast<std::uint16_t>(32768 + (hash >> 32) % 28232);
  packet.destination_port = kServerPorts[hash >> 48 & 7];
  if (!reply) return;
  std::swap(packet.source, packet.destination);
  std::swap(packet.source_port, packet.destination_port);
}

void MixTraffic::fill_transport(Packet& packet, Flow& flow, bool reply) {
  switch (packet.protocol) {
    case Protocol::Tcp: return fill_tcp(packet, flow, reply);
    case Protocol::Udp: packet.payload_octets = draw_udp_payload(); return;
    case Protocol::Icmp: break;
  }
  constexpr std::uint16_t kPingPayload = 56;  // what ping sends
  packet.payload_octets = kPingPayload;
  packet.source_port = static_cast<std::uint16_t>(flow.start_ns >> 10);
  packet.destination_port = static_cast<std::uint16_t>(flow.sent);
  packet.icmp_type = packet.is_ipv6 ? (reply ? 129 : 128) : (reply ? 0 : 8);
}

// SYN, SYN with ACK, data, FIN, FIN. A flow of two packets is a connection refused; one of three
// closes on one side.
void MixTraffic::fill_tcp(Packet& packet, Flow& flow, bool reply) {
  const bool first_of_side = flow.sent == 0 || (flow.sent == 1 && flow.is_answered);
  const bool last_of_side = flow.sent + 1 == flow.size ||
                            (flow.is_answered && flow.size > 3 && flow.sent + 2 == flow.size);
  packet.tcp_flags = flow.sent == 0 ? 0 : tcp_flag::kAck;
  if (first_of_side && last_of_side && reply) {
    packet.tcp_flags |= tcp_flag::kRst;
  } else if (first_of_side) {
    packet.tcp_flags |= tcp_flag::kSyn;
  } else if (last_of_side) {
    packet.tcp_flags |= tcp_flag::kFin;
  } else {
    packet.payload_octets = draw_tcp_payload();
    if (packet.payload_octets != 0) packet.tcp_flags |= tcp_flag::kPsh;
  }
  std::uint32_t& sequence = flow.tcp_sequence[reply ? 1 : 0];
  packet.tcp_sequence = sequence;
  packet.tcp_acknowledgment = flow.sent == 0 ? 0 : flow.tcp_sequence[reply ? 0 : 1];
  sequence += packet.payload_octets +
              ((packet.tcp_flags & (tcp_flag::kSyn | tcp_flag::kFin)) != 0 ? 1U : 0U);
}

// Bare acknowledgments, full segments, and all that lies between: with the rest of the mix 420
// octets a frame.
std::uint16_t MixTraffic::draw_tcp_payload() {
  constexpr std::uint16_t kSegmentOctetsMax = 1440;  // fits IPv6 in 1500 octets
  const std::uint64_t percent = random_.below(100);
  if (percent < 58) return 0;
  if (percent < 78) return kSegmentOctetsMax;
  return static_cast<std::uint16_t>(1 + random_.below(kSegmentOctetsMax - 1));
}

std::uint16_t MixTraffic::draw_udp_payload() {
  return static_cast<std::uint16_t>(16 + random_.below(684));
}

ScanTraffic::ScanTraffic(const TrafficPlan& plan) : plan_(plan), random_(plan.seed), clock_(plan) {}

// 24 bits of source, 20 of destination, 15 and 5 of the ports make the 64.
bool ScanTraffic::next(Packet& packet) {
  if (sent_ == plan_.packets) return false;
  const std::uint64_t tuple = mix(plan_.seed + sent_++);
  packet = Packet{};
  packet.time_ns = clock_.next(random_);
  packet.protocol = Protocol::Tcp;
  packet.tcp_flags = tcp_flag::kSyn;
  packet.source = kClientNet | static_cast<std::uint32_t>(tuple & 0xffffff);
  packet.destination = kServerNet | static_cast<std::uint32_t>(tuple >> 24 & 0xfffff);
  packet.source_port = static_cast<std::uint16_t>(1024 + (tuple >> 44 & 0x7fff));
  packet.destination_port = static_cast<std::uint16_t>(1 + (tuple >> 59));
  return true;
}

ElephantTraffic::ElephantTraffic(const TrafficPlan& plan)
    : random_(plan.seed), clock_(plan), remaining_(plan.packets), is_seen_(plan.flows) {}

bool ElephantTraffic::next(Packet& packet) {
  if (remaining_ == 0) return false;
  --remaining_;
  const auto flow = static_cast<std::uint32_t>(random_.below(is_seen_.size()));
  one_way_flows_ += is_seen_[flow] == 0 ? 1U : 0U;
  is_seen_[flow] = 1;
  packet = Packet{};
  packet.time_ns = clock_.next(random_);
  packet.source = client_of(flow);
  packet.destination = kServerNet | 1;
  packet.source_port = static_cast<std::uint16_t>(32768 + flow % 28232);
  packet.destination_port = 443;
  packet.payload_octets = 22;  // Ethernet 14, IPv4 20, UDP 8: 64 together
  return true;
}

}  // namespace clerk::bench
