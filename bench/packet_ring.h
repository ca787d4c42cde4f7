// A TPACKET_V3 ring and nothing more: the kernel writes the packets of an interface into blocks of
// memory, and hands over a block when it is full or some time old. The shape is that of clerk's
// rings, and none of its code is here.
//
// One thread. What a block holds is valid until it is returned.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <linux/if_packet.h>

namespace clerk::bench {

struct RingCounts {
  std::uint64_t packets = 0;  // those that found no room among them
  std::uint64_t drops = 0;
};

class PacketRing {
 public:
  static constexpr std::uint32_t kBlockOctets = 1U << 20;
  static constexpr std::uint32_t kRetireMs = 40;

  // Throws std::system_error.
  PacketRing(const std::string& interface, std::uint32_t mib);
  ~PacketRing();
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  int fd() const { return fd_; }

  // The next block, or null while the kernel has it.
  const tpacket_hdr_v1* ready_block() const {
    const auto* const header = &block()->hdr.bh1;
    const std::atomic_ref status(const_cast<std::uint32_t&>(header->block_status));
    return (status.load(std::memory_order_acquire) & TP_STATUS_USER) != 0 ? header : nullptr;
  }

  // What was read from it must be read before the kernel has it again.
  void return_block() {
    const std::atomic_ref status(block()->hdr.bh1.block_status);
    status.store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = next_ + 1 == blocks_ ? 0 : next_ + 1;
  }

  // Since the ring is there.
  RingCounts counts();

 private:
  tpacket_block_desc* block() const {
    return reinterpret_cast<tpacket_block_desc*>(memory_ + std::size_t{next_} * kBlockOctets);
  }

  int fd_;
  std::uint32_t blocks_;
  std::uint8_t* memory_ = nullptr;
  std::uint32_t next_ = 0;
  RingCounts counts_;
};

}  // namespace clerk::bench
