// The testimony protocol, version 2, as both ends speak it over a Unix stream socket. Integers are
// big-endian.
//
//   daemon                                        client
//   02                              version
//   80 03 00 04 <u32>               FanoutSize
//   80 04 00 04 <u32>               BlockSize, octets
//   80 05 00 04 <u32>               NumBlocks
//   80 02 00 00                     WaitingForFanoutIndex
//                                                 c0 07 00 04 <u32>    FanoutIndex
//   00 and a descriptor             the ring's packet socket (SCM_RIGHTS)
//   <u32, top bit 0>                a block is full
//                                                 <u32, top bit 0>     and is given back
//
// From the version on the stream is a sequence of messages: a word whose top bit is 0 is the index
// of a block; any other is the head of a TLV, its type above and the length of its value below:
//
//    0                   1                   2                   3
//   |1|            type             |        octets of value        | value ...
//
// Either end skips TLVs that it does not know. KernelCounters is an addition of this project.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace testimony {

inline constexpr uint8_t kVersion = 2;

// Beside the one octet that carries the descriptor.
inline constexpr uint8_t kDescriptorOctet = 0;

enum class Type : uint16_t {
  WaitingForFanoutIndex = 0x8002,  // no value; ends the daemon's greeting
  FanoutSize = 0x8003,
  BlockSize = 0x8004,
  NumBlocks = 0x8005,
  KernelCounters = 0x8006,  // u64 packets, u64 drops: see KernelCounters in client.h
  FanoutIndex = 0xc007,
  Error = 0xffff,  // text: why the connection ends
};

inline constexpr uint32_t kBlockIndexMax = 0x7fff'ffff;
inline constexpr size_t kValueOctetsMax = 0xffff;

// What the kernel lets into one fanout group, unless it is asked for more, which no daemon does.
// Bounds how many connections a client makes.
inline constexpr uint32_t kFanoutSizeMax = 256;

// The kernel numbers the block that it fills in 16 bits (tpacket_kbdq_core), and would never come
// to one beyond. Bounds what a client remembers of each block.
inline constexpr uint32_t kBlocksMax = 1U << 16;

struct Message {
  uint32_t word = 0;
  std::span<const uint8_t> value;  // of a TLV; valid until the reader is used again

  [[nodiscard]] bool is_block() const { return word <= kBlockIndexMax; }
  [[nodiscard]] bool is(Type type) const { return word >> 16 == static_cast<uint16_t>(type); }
};

// Cuts a stream into messages, in whatever pieces it arrives. Holds at most the TLV that is not
// whole yet and the last piece.
class MessageReader {
 public:
  void append(std::span<const uint8_t> octets);

  // The next message that is whole.
  std::optional<Message> next();

  // The next octet, where the protocol has one that is no message, and whether one is there.
  [[nodiscard]] std::optional<uint8_t> peek_octet() const;
  void skip_octet() { ++start_; }

  // Octets of a message that is not whole yet: behind the last next().
  [[nodiscard]] size_t octets_left() const { return octets_.size() - start_; }

 private:
  std::vector<uint8_t> octets_;
  size_t start_ = 0;  // what lies before it was given out
};

// Appends to `to`.
void put_block(uint32_t index, std::vector<uint8_t>& to);
void put_tlv(Type type, std::span<const uint8_t> value, std::vector<uint8_t>& to);
void put_number(Type type, uint32_t value, std::vector<uint8_t>& to);

// The value of a TLV that holds one 32-bit number; nothing when its length is another.
std::optional<uint32_t> number_in(const Message& message);

}  // namespace testimony
