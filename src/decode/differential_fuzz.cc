// The fast decoder against the slow one of testing/reference_decoder.h, on the same packet: the
// same cause, and the same key or the same link header.
//
//   input   link type 2 | tunnels 2 | tag that was stripped 2 | octets that the capture cut 2 |
//   packet
//
// Random octets hardly ever build GTP-U in VXLAN. So half of the mutations draw a new packet from
// testing/packet_grammar.h or graft one onto the beginning of an old one, and libFuzzer's own
// mutations go on from those that reached something new.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "base/big_endian.h"
#include "decode/differential_support.h"
#include "testing/packet_grammar.h"

// libFuzzer's; not there when a corpus is replayed without it.
extern "C" __attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t* data, size_t size,
                                                         size_t size_max);

namespace clerk {
namespace {

constexpr size_t kChoicesOctets = 8;
constexpr size_t kPacketOctetsMax = 4096;
constexpr uint16_t kNoStrippedTag = 0x8000;  // this bit set: no tag was stripped
constexpr uint16_t kEthernet = 1;            // the only link type of which tags are stripped

struct Choices {
  uint16_t link_type;
  uint16_t tunnels;  // a bit each
  uint16_t stripped_tag;
  uint16_t octets_cut;
};

Choices load_choices(const uint8_t* data) {
  return {.link_type = load_big_endian<uint16_t>(data),
          .tunnels = load_big_endian<uint16_t>(data + 2),
          .stripped_tag = load_big_endian<uint16_t>(data + 4),
          .octets_cut = load_big_endian<uint16_t>(data + 6)};
}

void store_choices(const Choices& choices, uint8_t* data) {
  for (const uint16_t choice :
       {choices.link_type, choices.tunnels, choices.stripped_tag, choices.octets_cut})
    data = store_big_endian(data, choice);
}

differential::Subject subject_of(const uint8_t* data, size_t size) {
  const Choices choices = load_choices(data);
  const std::span packet(data + kChoicesOctets, std::min(size - kChoicesOctets, kPacketOctetsMax));
  differential::Subject subject{
      .link_type = choices.link_type,
      .octets = {packet.begin(), packet.end()},
      .wire_octets = static_cast<uint32_t>(packet.size() + choices.octets_cut)};
  if (choices.link_type == kEthernet && !(choices.stripped_tag & kNoStrippedTag))
    subject.stripped_vlan_id = choices.stripped_tag & 0x0fff;
  for (size_t i = 0; i < std::size(differential::kTunnels); ++i)
    if (choices.tunnels & 1U << i) subject.tunnels.push_back(differential::kTunnels[i].first);
  return subject;
}

void fuzz(const uint8_t* data, size_t size) {
  if (size < kChoicesOctets) return;
  const std::string disagreement = differential::disagreement(subject_of(data, size));
  if (disagreement.empty()) return;
  std::fprintf(stderr, "%s", disagreement.c_str());
  std::abort();
}

// Writes a drawn packet, behind `kept` octets that `data` has already. Returns the input's size.
size_t draw(uint8_t* data, size_t kept, size_t size_max, uint64_t seed) {
  grammar::Random random(seed);
  grammar::PacketGrammar grammar(seed);
  const grammar::DrawnPacket packet = grammar.draw();
  const size_t octets = std::min(packet.octets.size(), size_max - kept);
  std::copy_n(packet.octets.begin(), octets, data + kept);
  if (kept > kChoicesOctets) return kept + octets;
  const size_t cut = random.one_in(4) ? random.below(octets + 1) : 0;
  const size_t cut_before = random.one_in(8) ? random.below(2000) : 0;
  store_choices({.link_type = static_cast<uint16_t>(packet.link_type),
                 .tunnels = random.one_in(4) ? static_cast<uint16_t>(random.next())
                                             : static_cast<uint16_t>(UINT16_MAX),
                 .stripped_tag =
                     random.one_in(4) ? static_cast<uint16_t>(random.below(4096)) : kNoStrippedTag,
                 .octets_cut = static_cast<uint16_t>(cut + cut_before)},
                data);
  return kept + octets - cut;
}

size_t mutate(uint8_t* data, size_t size, size_t size_max, unsigned seed) {
  grammar::Random random(seed);
  const bool has_room = size_max > kChoicesOctets;
  if (has_room && (size < kChoicesOctets || random.one_in(3)))
    return draw(data, kChoicesOctets, size_max, random.next());
  if (has_room && size > kChoicesOctets && random.one_in(4)) {
    const size_t kept = kChoicesOctets + 1 + random.below(size - kChoicesOctets);
    return draw(data, std::min(kept, size_max), size_max, random.next());
  }
  return LLVMFuzzerMutate(data, size, size_max);
}

}  // namespace
}  // namespace clerk

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  return clerk::mutate(data, size, size_max, seed);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  clerk::fuzz(data, size);
  return 0;
}
