#include "capture/packet_filter.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "capture/record_reader.h"

namespace clerk {
namespace {

// libpcap compiles for DLT_ values. The LINKTYPE_ values of files are the same but for raw IP, of
// which this system knows one.
int dlt_of(LinkType link_type) {
  switch (link_type) {
    case LinkType::Raw:
    case LinkType::RawBsd:
    case LinkType::RawOpenBsd: return DLT_RAW;
    default: return static_cast<int>(link_type);
  }
}

// Both addresses of an Ethernet frame; a tag is behind them.
constexpr uint32_t kAddressOctets = 12;

constexpr uint32_t kTagOctets = 4;

bool lacks_its_tag(const Packet& packet) {
  return packet.stripped_vlan_id != kNoVlanTag && packet.link_type == LinkType::Ethernet &&
         packet.captured_octets >= kAddressOctets && packet.captured_octets <= kCapturedOctetsMax;
}

}  // namespace

struct PacketFilter::Program {
  explicit Program(LinkType type) : link_type(type) {}
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() { ::pcap_freecode(&code); }

  LinkType link_type;
  bpf_program code{};
};

PacketFilter::PacketFilter(std::string expression) : expression_(std::move(expression)) {}
PacketFilter::PacketFilter(PacketFilter&&) noexcept = default;
PacketFilter& PacketFilter::operator=(PacketFilter&&) noexcept = default;
PacketFilter::~PacketFilter() = default;

Result<PacketFilter> PacketFilter::create(std::string expression) {
  PacketFilter filter(std::move(expression));
  if (filter.empty()) return filter;
  filter.tagged_ = std::make_unique_for_overwrite<uint8_t[]>(kCapturedOctetsMax + kTagOctets);
  auto on_ethernet = filter.program_for(LinkType::Ethernet);
  if (!on_ethernet && !filter.program_for(LinkType::Raw))
    return std::unexpected(on_ethernet.error());
  return filter;
}

Result<PacketFilter::Program*> PacketFilter::program_for(LinkType link_type) {
  for (const auto& program : programs_) {
    if (program->link_type == link_type) return program.get();
  }
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> handle(
      ::pcap_open_dead(dlt_of(link_type), kCapturedOctetsMax), ::pcap_close);
  auto program = std::make_unique<Program>(link_type);
  if (!handle || ::pcap_compile(handle.get(), &program->code, expression_.c_str(), 1,
                                PCAP_NETMASK_UNKNOWN) != 0) {
    return fail("--filter '{}': {} (see pcap-filter(7))", expression_,
                handle ? ::pcap_geterr(handle.get()) : "libpcap cannot start");
  }
  return programs_.emplace_back(std::move(program)).get();
}

Result<void> PacketFilter::prepare(LinkType link_type) {
  if (!empty()) static_cast<void>(TRY(program_for(link_type)));
  return {};
}

Packet PacketFilter::with_tag(const Packet& packet) {
  constexpr std::array<uint8_t, 2> kTpid{0x81, 0x00};
  const std::array<uint8_t, 2> id{static_cast<uint8_t>(packet.stripped_vlan_id >> 8),
                                  static_cast<uint8_t>(packet.stripped_vlan_id)};
  const std::span octets(packet.data, packet.captured_octets);
  uint8_t* to = std::ranges::copy(octets.first(kAddressOctets), tagged_.get()).out;
  to = std::ranges::copy(kTpid, to).out;
  to = std::ranges::copy(id, to).out;
  std::ranges::copy(octets.subspan(kAddressOctets), to);
  Packet tagged = packet;
  tagged.data = tagged_.get();
  tagged.captured_octets += kTagOctets;
  tagged.wire_octets += kTagOctets;
  return tagged;
}

Result<bool> PacketFilter::passes(const Packet& packet) {
  if (empty() || !is_decoded(packet.link_type)) return true;
  const Program* program = TRY(program_for(packet.link_type));
  const Packet seen = lacks_its_tag(packet) ? with_tag(packet) : packet;
  pcap_pkthdr header{};
  header.caplen = seen.captured_octets;
  header.len = seen.wire_octets;
  return ::pcap_offline_filter(&program->code, &header, seen.data) != 0;
}

}  // namespace clerk
