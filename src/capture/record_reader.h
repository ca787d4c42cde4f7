// What the readers of capture file formats have in common.
//
// A file that contradicts itself is damage: what came before it is counted, and nothing behind it,
// because where the next record begins is not known any more. A packet that is merely odd (a time
// that cannot be used, more octets captured than the wire had, an unknown link type) is handed on.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace clerk {

enum class ReadStatus : uint8_t {
  Packet,  // one more packet
  End,     // the file ended where a record may end
  Broken,  // it ended inside a record, or cannot be understood from here on; the reader's damage()
           // says why
};

// What is wrong with a file, and how far from its start the record at fault begins.
struct Damage {
  uint64_t offset = 0;
  std::string what;
  std::string_view counted = "what came before it";  // of the file, all the same
};

// The most captured octets that a record may claim: libpcap's MAXIMUM_SNAPLEN. A record that claims
// more is damage, not a packet.
inline constexpr uint32_t kCapturedOctetsMax = 262144;

// Times in nanoseconds since 1970.
struct TimeRange {
  uint64_t from;
  uint64_t before;
};

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
