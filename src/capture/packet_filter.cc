#include "capture/packet_filter.h"

#include <pcap/pcap.h>

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

Result<bool> PacketFilter::passes(const Packet& packet) {
  if (empty() || !is_decoded(packet.link_type)) return true;
  const Program* program = TRY(program_for(packet.link_type));
  pcap_pkthdr header{};
  header.caplen = packet.captured_octets;
  header.len = packet.wire_octets;
  return ::pcap_offline_filter(&program->code, &header, packet.data) != 0;
}

}  // namespace clerk
