// Fragments, whole packets and any clock through meter and ledger, against the slow twin.
//
//   input   choices 1 | packet 4 ...
//   packet  part 2 bits, version 1, protocol 2, begins a delta 1, host 2 | identification 3 bits,
//           ports 2, TCP flags 3 | DSCP 2 bits, VLAN 2, length 4 | clock 8
//
// Tame input must give the twin's records, in its order and at its ticks, however it is cut into
// deltas. Wild input has what nobody can tell apart once packets are added up (an identification
// used again within a second under another DSCP, a SYN in two fragments): there records may differ
// in ports and number, and all else must agree.
#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "base/check.h"
#include "flow/ledger_twin_test_support.h"

namespace clerk {
namespace {

using ledger_twin::Cut;
using ledger_twin::LedgerRun;
using ledger_twin::LedgerTwin;

constexpr size_t kPacketOctets = 4;
constexpr size_t kPacketsMax = 500;  // a delta of the test has room for twice as many

struct Input {
  bool is_wild = false;
  LedgerOptions options;
  std::vector<DescribedPacket> packets;
  std::vector<bool> begins_delta;
};

class InputReader {
 public:
  InputReader(const uint8_t* data, size_t size) {
    input_.is_wild = (data[0] & 1) != 0;
    input_.options = test_options();
    if ((data[0] & 2) != 0)
      input_.options.timeouts = {.idle_ns = 3 * kSecond + kSecond / 4, .active_ns = 8 * kSecond};
    const size_t packets = std::min((size - 1) / kPacketOctets, kPacketsMax);
    for (size_t i = 0; i < packets; ++i)
      add(std::span<const uint8_t, kPacketOctets>(data + 1 + i * kPacketOctets, kPacketOctets));
  }

  Input take() { return std::move(input_); }

 private:
  void add(std::span<const uint8_t, kPacketOctets> octets) {
    constexpr std::array kParts{DatagramPart::Whole, DatagramPart::First, DatagramPart::Later,
                                DatagramPart::Later};
    const auto [what, which, marks, clock] =
        std::array<unsigned, kPacketOctets>{octets[0], octets[1], octets[2], octets[3]};
    DescribedPacket packet{.time_ns = time_of(clock),
                           .version = (what & 4) != 0 ? IpVersion::V6 : IpVersion::V4,
                           .source_host = static_cast<uint8_t>(1 + (what >> 6)),
                           .source_port = static_cast<uint16_t>(1000 + (which >> 3 & 3)),
                           .vlan_id = static_cast<uint16_t>(marks >> 2 & 3),
                           .tos = static_cast<uint8_t>((marks & 3) << 2),
                           .octets = 100 + 16 * (marks >> 4),
                           .part = kParts[what & 3],
                           .identification = static_cast<uint16_t>(which & 7)};
    choose_protocol(packet, what >> 3 & 3, which >> 5);
    if (!input_.is_wild && packet.part != DatagramPart::Whole) tame(packet);
    input_.packets.push_back(packet);
    input_.begins_delta.push_back((what & 0x20) != 0);
  }

  // Most steps are within a second or two; the last are late packets and a clock set back.
  uint64_t time_of(unsigned clock) {
    constexpr unsigned kSmall = 224;
    constexpr unsigned kLate = 250;
    constexpr unsigned kBack = 254;
    if (clock >= kBack) {
      now_ns_ -= 50 * kSecond;
    } else if (clock >= kLate) {
      return now_ns_ - (clock - kLate + 1) * kSecond / 2;
    } else if (clock >= kSmall) {
      now_ns_ += 2 * kSecond * (clock - kSmall);
    } else {
      now_ns_ += clock * kSecond / 100;
    }
    return now_ns_;
  }

  static void choose_protocol(DescribedPacket& packet, unsigned protocol, unsigned flags) {
    using namespace wire::tcp_flag;
    constexpr std::array<uint8_t, 8> kFlags{kAck,        kAck,        kSyn, kSyn | kAck,
                                            kFin | kAck, kRst | kAck, 0,    kSyn | kRst};
    if (protocol == 2) {
      packet.protocol = wire::protocol::kTcp;
      packet.tcp_flags = kFlags[flags];
    } else if (protocol == 3) {
      const bool v4 = packet.version == IpVersion::V4;
      packet.protocol = v4 ? wire::protocol::kIcmp : wire::protocol::kIcmpV6;
      packet.destination_port = static_cast<uint16_t>(0x0800 + packet.source_port - 1000);
      packet.source_port = 0;
    }
  }

  // A low identification has ports of its own and any marks, a high one marks of its own and any
  // ports. TCP in fragments is left to the wild.
  static void tame(DescribedPacket& packet) {
    constexpr uint16_t kFirstReused = 5;
    if (packet.protocol == wire::protocol::kTcp) {
      packet.protocol = wire::protocol::kUdp;
      packet.tcp_flags = 0;
    }
    if (packet.identification >= kFirstReused) {
      packet.tos = 0;
      packet.vlan_id = 0;
    } else if (packet.protocol == wire::protocol::kUdp) {
      packet.source_port = static_cast<uint16_t>(1000 + packet.identification);
    } else {
      packet.destination_port = static_cast<uint16_t>(0x0800 + packet.identification);
    }
  }

  uint64_t now_ns_ = 1'700'000'000 * kSecond;
  Input input_;
};

// Packets and octets by all that no fragment can be wrong about.
using Totals = std::map<std::string, std::pair<uint64_t, uint64_t>>;

Totals totals_of(const std::vector<Released>& released) {
  Totals totals;
  for (const auto& [record, second] : released) {
    auto& [packets, octets] = totals[fmt::format("{} {} {} {} {}", to_string(record.source),
                                                 to_string(record.destination), record.protocol,
                                                 record.vlan_id, record.tos >> 2)];
    packets += record.packets;
    octets += record.octets;
  }
  return totals;
}

void check_same_records(const std::vector<Released>& got, const std::vector<Released>& wanted) {
  CHECK(got.size() == wanted.size());
  for (size_t i = 0; i < got.size(); ++i)
    CHECK(to_text(got[i]) == to_text(wanted[i]));
}

void check_conservation(const LedgerCounts& counts, uint64_t packets) {
  CHECK(counts.packets.received == packets);
  CHECK(counts.packets.metered == packets);
  CHECK(counts.packets_exported == packets);
  CHECK(counts.octets_exported == counts.packets.octets_metered);
}

void check_run(const Input& input, const LedgerTwin& twin, Cut cut) {
  LedgerRun run(input.options, std::move(cut));
  run.take_all(input.packets);
  const LedgerCounts& counts = run.ledger().counts();
  check_conservation(counts, input.packets.size());
  const auto released = run.ledger().take();
  CHECK(totals_of(released) == totals_of(twin.released()));
  if (input.is_wild) return;
  check_same_records(released, twin.released());
  CHECK(counts.fragments_orphaned == twin.orphaned());
  CHECK(counts.flows_created == twin.flows_created());
}

// Delta sizes: where the input says, as long as the clock does not cut first; behind that the
// places are those of other packets, which is as good.
class InputCuts {
 public:
  explicit InputCuts(const std::vector<bool>& begins_delta) : begins_(begins_delta) {}

  size_t operator()() {
    size_t packets = 1;
    for (++at_; at_ < begins_.size() && !begins_[at_]; ++at_)
      ++packets;
    return packets;
  }

 private:
  const std::vector<bool>& begins_;
  size_t at_ = 0;
};

void fuzz(const uint8_t* data, size_t size) {
  if (size < 1 + kPacketOctets) return;
  const Input input = InputReader(data, size).take();
  LedgerTwin twin(input.options);
  for (const DescribedPacket& packet : input.packets)
    twin.take(packet);
  twin.release_all();
  check_run(input, twin, [] { return kPacketsMax; });
  check_run(input, twin, InputCuts(input.begins_delta));
}

}  // namespace
}  // namespace clerk

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  clerk::fuzz(data, size);
  return 0;
}
