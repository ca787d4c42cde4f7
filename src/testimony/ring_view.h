// A ring's memory as a client sees it: what the handshake's descriptor gives access to. Two kinds:
//
//   packet socket   the ring itself, mapped read-only; kernel and daemon go on writing to it
//   file            a picture of a ring, as test daemons pass it. It is never mapped: its owner
//   could
//                   cut it short, and the next look at it would end the process. Blocks are copied
//                   as they come
//
// Owns descriptor and memory: with them goes this process's part in keeping the ring alive.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <memory>
#include <span>

#include "base/unique_fd.h"
#include "testimony/client.h"

namespace testimony {

// What tells one filling of a block from another.
struct BlockMark {
  uint32_t status = 0;
  uint64_t sequence = 0;

  bool operator==(const BlockMark&) const = default;
};

class RingView {
 public:
  // The geometry is one that is_possible(). Errors: Broken when this is no ring, or none of
  // that geometry; System when there is no room for it.
  static Result<RingView> open(clerk::UniqueFd ring, const Geometry& geometry);

  [[nodiscard]] Link link() const { return link_; }

  // Of the socket or file: no two that exist at one time have the same.
  [[nodiscard]] uint64_t number() const;

  // Makes block() what the ring holds now, and says what that is. Where the ring is mapped it is
  // so anyway.
  BlockMark load(uint32_t index);

  // What the ring holds now, whatever block() is.
  [[nodiscard]] BlockMark mark(uint32_t index) const;

  [[nodiscard]] std::span<const uint8_t> block(uint32_t index) const;

 private:
  struct Unmap {
    size_t octets;
    void operator()(uint8_t* memory) const { ::munmap(memory, octets); }
  };
  using Memory = std::unique_ptr<uint8_t, Unmap>;
  enum class Kind : uint8_t { Mapped, Copied };

  RingView(clerk::UniqueFd ring, Memory memory, Kind kind, uint32_t block_octets, Link link)
      : ring_(std::move(ring)),
        memory_(std::move(memory)),
        kind_(kind),
        block_octets_(block_octets),
        link_(link) {}

  static Result<RingView> map(clerk::UniqueFd ring, const Geometry& geometry);
  static Result<RingView> copy(clerk::UniqueFd file, const Geometry& geometry);
  static Result<Memory> memory_for(const Geometry& geometry, int protection, int flags,
                                   int descriptor);

  [[nodiscard]] size_t offset_of(uint32_t index) const { return size_t{index} * block_octets_; }

  // As many octets of the file as there are, zeros behind them.
  void read_file(size_t offset, std::span<uint8_t> to) const;

  clerk::UniqueFd ring_;
  Memory memory_;
  Kind kind_;
  uint32_t block_octets_;
  Link link_;
};

// Whether there can be such a ring: blocks that hold and align their header, an index for each, and
// an address for every octet.
[[nodiscard]] bool is_possible(const Geometry& geometry);

}  // namespace testimony
