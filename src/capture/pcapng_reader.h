// The pcapng file (draft-ietf-opsawg-pcapng): blocks, each
//
//   type 4 | total length 4 | body, padded to 4 | total length 4
//
// A Section Header Block sets the byte order and forgets the interfaces; Interface Description
// Blocks tell each interface's link type and the unit of its times; Enhanced, Simple and the
// obsolete Packet Blocks carry packets. All others (names, statistics, journal, secrets, custom
// ones, those nobody knows) are passed over by their length, whatever it is: only what is named
// above is held in memory, at most a chunk of it.
//
// Of a section header the length of the section is not read, of a packet none of its options (their
// frame check sequence has a unit that writers dispute), and a snap length only where a Simple
// Packet Block needs it to tell how much of its packet there is. An interface's options are read to
// the end, because its times depend on them.
//
// Damage is a length that cannot be or differs from its repetition, a block that reaches behind the
// file's end, a packet that reaches behind its block or names an interface that is not described,
// an interface whose options do. A section of another version is passed over whole, as the
// specification demands, and reported as damage when the file is at its end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "capture/chunk_stream.h"
#include "capture/interface_clock.h"
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

  // Why the last next() was Broken.
  [[nodiscard]] const Damage& damage() const { return damage_; }

 private:
  struct Interface {
    LinkType link_type;
    uint32_t snap_octets;  // 0: no limit
    InterfaceClock clock;
  };
  enum class BlockKind : uint8_t { Section, Interface, Packet, Other };
  struct Block {
    uint32_t type = 0;
    BlockKind kind = BlockKind::Other;
    uint32_t octets = 0;         // of the whole block, as it claims
    uint32_t octets_loaded = 0;  // how much of it lies at the stream's data()
    const uint8_t* body = nullptr;
    uint32_t body_octets = 0;  // of the body, as far as it is loaded
  };

  bool begin_block(ChunkStream& stream, Block& block);
  bool read_block_header(ChunkStream& stream, Block& block);
  bool load(ChunkStream& stream, Block& block);
  bool finish_block(ChunkStream& stream);
  bool check_repeated_length(const uint8_t* from);
  ReadStatus end_of_file();
  bool broken(std::string what);

  [[nodiscard]] BlockKind kind_of(uint32_t type) const;
  bool open_section(const uint8_t* header);
  bool add_interface(const Block& block);
  bool read_interface_options(const Block& block, Interface& interface);
  bool read_interface_option(uint16_t code, const uint8_t* value, uint16_t octets,
                             Interface& interface);
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
  bool version_known_ = true;  // the section's
  std::vector<Interface> interfaces_;

  // The block that is being read, and how much of it follows in the stream, to be passed over.
  uint64_t block_offset_ = 0;
  uint32_t block_octets_ = 0;
  uint32_t octets_left_ = 0;

  std::optional<Damage> unknown_section_;  // the first of a version that is not known
  Damage damage_;
};

}  // namespace clerk
