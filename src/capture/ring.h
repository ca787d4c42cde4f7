// A TPACKET_V3 ring: a packet socket and the memory into which the kernel writes its packets, block
// after block (Linux Documentation/networking/packet_mmap.rst).
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

// How the kernel chooses among the members of a fanout group (PACKET_FANOUT in packet(7)).
enum class Fanout : uint16_t { Hash = 0, Lb = 1, Cpu = 2, Rollover = 3, Rnd = 4, Qm = 5 };

class Ring {
 public:
  // The kernel hands over a block when it is full, or when it holds packets at the end of such an
  // interval. So a packet waits for two of them at most.
  static constexpr std::chrono::milliseconds kRetire{40};
  static_assert(2 * kRetire <= PacketSource::kBlockDelayMax);

  // Enough that a block's hand-over costs nothing beside its packets; no frame is longer than this.
  static constexpr uint32_t kBlockOctets = 1U << 20;

  // Whether this process may have one at all: the error says what it takes.
  static Result<void> check_permission();

  // `octets` are rounded down to whole blocks, at least two. Errors say what the kernel refused,
  // without naming the interface.
  static Result<Ring> create(const NetworkInterface& interface, size_t octets);

  // Founds a fanout group with an identifier that nobody uses, and returns that.
  Result<uint16_t> found_group(Fanout mode);
  Result<void> join_group(Fanout mode, uint16_t group);

  // Asks the device for packets that are not addressed to it, as long as this ring lives.
  Result<void> be_promiscuous(const NetworkInterface& interface);

  Result<void> listen(const KernelFilter& filter);

  // The next block, if the kernel has handed it over.
  [[nodiscard]] std::optional<Block> ready_block() const;

  // Gives that block back.
  void return_block();

  // Waits until a block is ready, or something is wrong with the interface.
  void wait(std::chrono::milliseconds patience);

  // Its interface was removed, and no packet will come any more.
  [[nodiscard]] bool is_detached() const;

  // Packets dropped for want of room since the last call (PACKET_STATISTICS).
  [[nodiscard]] uint64_t take_drops();

 private:
  struct Unmap {
    size_t octets;
    void operator()(uint8_t* memory) const { ::munmap(memory, octets); }
  };
  using Memory = std::unique_ptr<uint8_t, Unmap>;

  Ring(UniqueFd socket, Memory memory, RingLink link, uint32_t blocks)
      : socket_(std::move(socket)), memory_(std::move(memory)), link_(link), blocks_(blocks) {}

  Result<void> set_fanout(uint32_t argument);
  Result<void> set_filter(const KernelFilter& filter);
  [[nodiscard]] uint8_t* next_block() const { return memory_.get() + size_t{next_} * kBlockOctets; }

  // The word by which kernel and reader hand the next block to and fro.
  [[nodiscard]] std::atomic_ref<uint32_t> next_status() const;

  UniqueFd socket_;
  Memory memory_;
  RingLink link_;
  uint32_t blocks_;
  uint32_t next_ = 0;
};

}  // namespace clerk
