#include <utility>

#include "testing/packet_grammar.h"

namespace clerk::grammar {
namespace {

constexpr size_t kExtensionHeadersMax = 128;

}  // namespace

Octets PacketGrammar::ip(Depth depth) { return ip_of(random_.one_in(3) ? 6 : 4, depth); }

Octets PacketGrammar::ip_of(int version, Depth depth) {
  return version == 6 ? ipv6(depth) : ipv4(depth);
}

Octets PacketGrammar::ipv4(Depth depth) {
  const Announced payload = ip_payload(4, depth);
  const size_t words = random_.one_in(6) ? 5 + random_.below(11) : 5;
  uint16_t total = length(words * 4 + payload.octets.size());
  if (random_.one_in(16)) total = 0;
  uint16_t fragment = 0x4000;
  if (random_.one_in(12)) fragment = random_.any_of<uint16_t>({0x2000, 0x2003, 0x0003});
  return Octets{octet(static_cast<uint8_t>(0x40 | words)), random_.octet()} + big_endian16(total) +
         random_.octets(2) + big_endian16(fragment) +
         Octets{64, octet(static_cast<uint8_t>(payload.number))} + random_.octets(2) +
         random_.octets(8) + random_.octets(words * 4 - 20) + payload.octets;
}

Octets PacketGrammar::ipv6(Depth depth) {
  const Announced payload = extension_headers(ip_payload(6, depth));
  uint16_t payload_length = length(payload.octets.size());
  if (random_.one_in(16)) payload_length = 0;
  return Octets{octet(static_cast<uint8_t>(0x60 | random_.below(16)))} + random_.octets(3) +
         big_endian16(payload_length) + Octets{octet(static_cast<uint8_t>(payload.number)), 64} +
         random_.octets(32) + payload.octets;
}

PacketGrammar::Announced PacketGrammar::extension_headers(Announced last) {
  if (!random_.one_in(3)) return last;
  const size_t headers = repetitions(kExtensionHeadersMax);
  if (headers > kExtensionHeadersMax / 2) return options_headers(headers, std::move(last));
  for (size_t header = headers; header > 0; --header) {
    const auto kind = random_.any_of<uint8_t>({0, 43, 44, 51, 60, 135, 139, 140});
    const size_t units = random_.one_in(2) ? 0 : random_.below(4);
    Octets octets{static_cast<uint8_t>(last.number), octet(static_cast<uint8_t>(units))};
    if (kind == 44) {
      octets += big_endian16(random_.any_of<uint16_t>({0, 0, 1, 24, 25, 6})) + random_.octets(4);
    } else if (kind == 51) {
      octets += random_.octets((units + 2) * 4 - 2);
    } else {
      octets += random_.octets((units + 1) * 8 - 2);
    }
    last = {.number = kind, .octets = octets + last.octets};
  }
  return last;
}

// Nothing is wrong with any of so many, or the chain would hardly ever reach its end.
PacketGrammar::Announced PacketGrammar::options_headers(size_t headers, Announced last) {
  for (; headers > 0; --headers) {
    const Octets beginning{static_cast<uint8_t>(last.number), 0};
    last = {.number = random_.any_of<uint16_t>({0, 43, 60}),
            .octets = beginning + random_.octets(6) + last.octets};
  }
  return last;
}

PacketGrammar::Announced PacketGrammar::ip_payload(int version, Depth depth) {
  if (depth > 0 && random_.one_in(2)) return tunnel(depth - 1);
  if (random_.one_in(12)) {
    return {.number = random_.any_of<uint16_t>({2, 50, 51, 59, 89, 103, 112, 0, 60}),
            .octets = random_.octets(random_.below(24))};
  }
  if (random_.one_in(6)) {
    return {.number = static_cast<uint16_t>(version == 4 ? octet(1) : octet(58)),
            .octets = random_.octets(8)};
  }
  return transport();
}

PacketGrammar::Announced PacketGrammar::transport() {
  const auto protocol = random_.any_of<uint16_t>({6, 6, 17, 33, 132, 136});
  Octets octets = random_.octets(20 + random_.below(8));
  if (random_.one_in(16)) octets.resize(random_.below(octets.size()));
  return {.number = protocol, .octets = octets};
}

}  // namespace clerk::grammar
