// What the readers of capture file formats have in common.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace clerk {

enum class ReadStatus : uint8_t {
  Packet,  // one more packet
  End,     // the file ended where a record may end
  Broken,  // it ended inside a record, or cannot be understood from here on; the reader's error()
           // says why
};

// The most captured octets that a record may claim: libpcap's MAXIMUM_SNAPLEN. A record that claims
// more is damage, not a packet.
inline constexpr uint32_t kCapturedOctetsMax = 262144;

// The byte order of a file, as seen from this machine.
enum class FileOrder : uint8_t { Native, Swapped };

// An integer in the byte order of the file.
template <typename T>
[[nodiscard]] inline T load_in_order(const uint8_t* from, FileOrder order) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return order == FileOrder::Swapped ? std::byteswap(value) : value;
}

}  // namespace clerk
