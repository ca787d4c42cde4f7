// A TPACKET_V3 ring: a packet socket and the memory into which the kernel writes its packets, block
// after block (Linux Documentation/networking/packet_mmap.rst). Who reads alone takes and returns
// the next block; who shares a ring names blocks by their index and returns them in any order.
//
// Set up in three steps, so that several rings can share an interface's packets without counting
// any twice: create() makes one that is bound and deaf, found_group() and join_group() make it a
// member of a fanout group, and listen() lets packets in, for good: its filter is locked. A ring
// does not survive its interface; is_detached() tells. One thread at a time.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/unique_fd.h"
#include "capture/block.h"
#include "capture/kernel_filter.h"
#include "capture/network_interface.h"
#include "capture/source.h"

namespace clerk {

// How the kernel chooses among the members of a fanout group (PACKET_FANOUT in packet(7)). Other
// modes, and flags, are values of it too.
enum class Fanout : uint16_t { Hash = 0, Lb = 1, Cpu = 2, Rollover = 3, Rnd = 4, Qm = 5 };

struct RingShape {
  uint32_t blocks = 0;
  // Enough that a block's hand-over costs nothing beside its packets; no frame is longer than this.
  // A multiple of the page size.
  uint32_t block_octets = 1U << 20;
  // The kernel hands over a block when it is full, or when it holds packets at the end of such an
  // interval. So a packet waits for two of them at most. 0: the kernel chooses.
  std::chrono::milliseconds retire{40};

  // At least two blocks: one that is read and one that is filled.
  static RingShape of_octets(size_t octets);

  [[nodiscard]] size_t octets() const { return size_t{blocks} * block_octets; }
};

static_assert(2 * RingShape{}.retire <= PacketSource::kBlockDelayMax);

// How many packets passed a ring's filter, and how many of those found no room.
struct RingStatistics {
  uint64_t packets = 0;
  uint64_t drops = 0;
  uint64_t freezes = 0;  // how often there was no room any more

  RingStatistics& operator+=(const RingStatistics& other) {
    packets += other.packets;
    drops += other.drops;
    freezes += other.freezes;
    return *this;
  }
};

class Ring {
 public:
  // Whether this process may have one at all: the error says what it takes.
  static Result<void> check_permission();

  // Whether rings of so many octets together fit. The kernel does not refuse one that is too large:
  // to make room it ends whatever other program it likes. A fifth is left to those.
  static Result<void> check_memory(size_t octets);

  // Errors say what the kernel refused, without naming the interface.
  static Result<Ring> create(const NetworkInterface& interface, const RingShape& shape);

  // Founds a fanout group with an identifier that nobody uses, and returns that.
  Result<uint16_t> found_group(Fanout mode);
  Result<void> join_group(Fanout mode, uint16_t group);

  // The same with a group of so many members and no more, which the first one founds: so nobody
  // else can be in it unnoticed (Linux 5.11).
  Result<void> join_closed_group(Fanout mode, uint16_t group, uint32_t members);

  Result<void> listen(const KernelFilter& filter);

  // The next block, if the kernel has handed it over.
  [[nodiscard]] std::optional<Block> ready_block() const { return ready_block(next_); }

  // Gives that block back.
  void return_block();

  // The same for a block by its index.
  [[nodiscard]] std::optional<Block> ready_block(uint32_t index) const;
  void return_block(uint32_t index);

  // Waits until a block is ready, or something is wrong with the interface.
  void wait(std::chrono::milliseconds patience);

  // Its interface was removed, and no packet will come any more.
  [[nodiscard]] bool is_detached() const;

  // Since the last call (PACKET_STATISTICS, which reading clears).
  [[nodiscard]] RingStatistics take_statistics();

  // Takes the error that poll(2) tells of, such as an interface that went down, so that it is told
  // once.
  void clear_error();

  // The packet socket.
  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] const RingShape& shape() const { return shape_; }

 private:
  struct Unmap {
    size_t octets;
    void operator()(uint8_t* memory) const { ::munmap(memory, octets); }
  };
  using Memory = std::unique_ptr<uint8_t, Unmap>;

  Ring(UniqueFd socket, Memory memory, const NetworkInterface& interface, const RingShape& shape)
      : socket_(std::move(socket)),
        memory_(std::move(memory)),
        link_(interface.link),
        mtu_(interface.mtu),
        shape_(shape) {}

  template <typename Argument>
  Result<void> set_fanout(const Argument& argument);
  Result<void> set_filter(const KernelFilter& filter);
  [[nodiscard]] uint8_t* block(uint32_t index) const {
    return memory_.get() + size_t{index} * shape_.block_octets;
  }

  // The word by which kernel and reader hand a block to and fro.
  [[nodiscard]] std::atomic_ref<uint32_t> status(uint32_t index) const;

  UniqueFd socket_;
  Memory memory_;
  RingLink link_;
  uint32_t mtu_;
  RingShape shape_;
  uint32_t next_ = 0;
};

}  // namespace clerk
