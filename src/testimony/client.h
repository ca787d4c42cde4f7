// A client of testimonyd: packets of a capture ring that many programs read, none of which copies
// them. This header and libtestimony.a are all that a program needs.
//
//   auto client = testimony::Client::connect("/run/testimony/eth1.sock", 0);
//   while (client) {
//     auto block = client->next_block(std::chrono::seconds(1));
//     if (!block) break;      // block.error().message says why; connect anew
//     if (!*block) continue;  // no traffic for a second
//     testimony::BlockWalker packets((*block)->octets);
//     for (testimony::RingPacket packet; packets.next(packet);) { ... }
//     if (!client->return_block((*block)->index)) break;
//   }
//
// A ring has `fanout_size` parts, each with its own share of the traffic: to see all of it, connect
// once to each index. Blocks are lent: while a client keeps one the kernel cannot fill it again,
// and the daemon ends the connection of a client that keeps blocks too long. Give every block back
// soon, in any order. The ring is mapped read-only; the kernel and the daemon write to it.
//
// When a connection ends, destroy the Client before connecting anew, and never let a child process
// inherit one: whoever holds the ring's socket keeps the ring's share of the traffic from others.
//
// Works with this project's testimonyd and with the original one, whose known errors it survives:
// a block that is sent twice is given back and counted, never handed out. One thread at a time for
// each Client; nothing is thrown but std::bad_alloc. C++23, Linux; needs no privilege but the right
// to connect to the socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "testimony/block_walker.h"

namespace testimony {

enum class Failure : uint8_t {
  NotThere,      // there is no socket, or nobody listens to it: later, perhaps
  NotPermitted,  // this user may not connect
  NoSocket,      // something else is there, or the path is too long
  Silent,        // the daemon does not answer in time
  Refused,       // the daemon does not serve this index, or not now
  Ended,         // the daemon closed the connection
  Broken,        // what it said is not the protocol
  System,        // the system refused something: descriptors, memory
};

struct Error {
  Failure failure;
  std::string message;  // for people; does not name the socket
};

template <typename T>
using Result = std::expected<T, Error>;

struct Geometry {
  uint32_t fanout_size = 0;
  uint32_t block_octets = 0;
  uint32_t blocks = 0;

  bool operator==(const Geometry&) const = default;
};

// What the kernel has counted for the ring since the daemon made it (PACKET_STATISTICS):
// `packets` passed the filter, and `drops` of them found the ring full.
struct KernelCounters {
  uint64_t packets = 0;
  uint64_t drops = 0;
};

struct BlockCounts {
  uint64_t blocks = 0;  // handed out
  uint64_t stale = 0;   // sent by the daemon though the kernel owned them, or a second time
  uint64_t torn = 0;    // changed by somebody while they were handed out
  uint64_t losing = 0;  // flagged by the kernel: packets were dropped before
  // Blocks that the kernel filled in between and that did not come. One that comes late is taken
  // off again.
  int64_t missed = 0;
};

// How far a ring was read.
struct Position {
  uint64_t ring = 0;      // the same number, the same ring
  uint64_t sequence = 0;  // of the last of its blocks

  bool operator==(const Position&) const = default;
};

struct Block {
  uint32_t index = 0;
  std::span<const uint8_t> octets;  // valid until it is returned
};

// What the packets of a ring begin with.
enum class Link : uint8_t {
  Ethernet,
  Other,  // whatever the device has, or nothing; RingPacket::network_offset leads behind it
};

// The ring's geometry, from a connection that ends at once.
[[nodiscard]] Result<Geometry> ask_geometry(const std::string& path,
                                            std::chrono::milliseconds patience);

class Client {
 public:
  // `patience` is for the whole handshake.
  [[nodiscard]] static Result<Client> connect(
      const std::string& path, uint32_t index,
      std::chrono::milliseconds patience = std::chrono::seconds(10));

  // The same on a socket that is connected already, and which it owns from then on.
  [[nodiscard]] static Result<Client> greet(
      int socket, uint32_t index, std::chrono::milliseconds patience = std::chrono::seconds(10));

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();  // gives everything back

  [[nodiscard]] const Geometry& geometry() const;
  [[nodiscard]] Link link() const;

  // For poll(): readable when next_block() has something to look at. More blocks may be known
  // already: ask next_block() until it has none.
  [[nodiscard]] int fd() const;

  // The next block, or nothing when none came for so long. After an error the connection is over.
  [[nodiscard]] Result<std::optional<Block>> next_block(std::chrono::milliseconds patience);

  // Never waits: what a stopped daemon does not take is sent later. A block that is not handed out
  // is Failure::Broken, and nothing else comes of it.
  [[nodiscard]] Result<void> return_block(uint32_t index);

  // Where the next client of this index goes on; nothing before the first block.
  [[nodiscard]] std::optional<Position> position() const;

  // To be told before the first block, where an earlier connection to the same index has ended: if
  // it is still the same ring, the blocks that it filled in between are `missed`.
  void go_on_from(const Position& position);

  // The latest ones; the original daemon tells none.
  [[nodiscard]] const std::optional<KernelCounters>& kernel_counters() const;
  [[nodiscard]] const BlockCounts& counts() const;

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace testimony
