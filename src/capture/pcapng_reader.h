// The pcapng file (draft-ietf-opsawg-pcapng): blocks, each
//
//   type 4 | total length 4 | body, padded to 4 | total length 4
//
// A Section Header Block sets the byte order and forgets the interfaces; Interface Description
// Blocks tell each interface's link type and the unit of its times; Enhanced, Simple and the old
// Packet Blocks carry packets. All other blocks are passed over by their length.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "capture/chunk_stream.h"
#include "capture/packet.h"
#include "capture/record_reader.h"

namespace clerk {

class PcapngReader {
 public:
  static bool knows_magic(const uint8_t* magic);

  // The stream stands at the first octet of the file.
  static Result<PcapngReader> open(ChunkStream& stream);

  // Points `packet` into the stream's chunk. The packet of a Simple Packet Block has kNoTime; a
  // time that 32-bit seconds cannot tell becomes kTimeEnd.
  ReadStatus next(ChunkStream& stream, Packet& packet);

  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Interface {
    LinkType link_type;
    uint32_t snap_octets;  // 0: no limit
    // One unit of time is 10^-exponent seconds, or 2^-exponent.
    bool binary_exponent = false;
    uint8_t exponent = 6;
    int64_t offset_seconds = 0;
  };
  struct Block {
    uint32_t type;
    uint32_t octets;  // the whole block
    const uint8_t* body;
    uint32_t body_octets;
  };

  enum class BlockStatus : uint8_t { Loaded, Skipped, End, Broken };

  BlockStatus next_block(ChunkStream& stream, Block& block);
  BlockStatus load(ChunkStream& stream, Block& block);
  BlockStatus at_end(const ChunkStream& stream);
  BlockStatus broken_block(std::string why);

  bool open_section(const ChunkStream& stream);
  bool add_interface(const Block& block);
  void read_interface_option(uint16_t code, const uint8_t* value, uint16_t octets,
                             Interface& interface) const;
  bool read_packet(const Block& block, Packet& packet);
  bool read_timed_packet(const Block& block, uint32_t interface_id, Packet& packet);
  bool read_simple_packet(const Block& block, Packet& packet);
  bool point_into(const Block& block, uint32_t header_octets, Packet& packet);
  const Interface* find_interface(uint32_t interface_id);

  template <typename T>
  T load_at(const uint8_t* from) const {
    return load_in_order<T>(from, order_);
  }

  FileOrder order_ = FileOrder::Native;
  std::vector<Interface> interfaces_;
  std::string error_;
};

}  // namespace clerk
