// A daemon that says anything, in any pieces, with descriptors at any time, over a ring that holds
// anything: the client must come to an end without a wait, keep to its word, and leave nothing
// open.
//
//   input   choices 1 | index 1 | ring octets 2 | ring | script
//   script  (piece 1 | octets)...
//
// Choices: bit 0 begins with a good greeting and a ring of 8 blocks of 512 octets, bit 1 changes
// the ring while blocks are out, the upper four bits are how many blocks are held at a time. A
// piece: the lower six bits are its octets, bit 6 passes the ring with it, bit 7 some other
// descriptor.
//
// The corpus was written by hand as such scripts: each file is named after what its daemon does.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <vector>

#include "base/big_endian.h"
#include "base/check.h"
#include "base/unique_fd.h"
#include "testimony/client.h"
#include "testimony/protocol.h"

namespace testimony {
namespace {

using clerk::UniqueFd;
using Input = std::span<const uint8_t>;

constexpr std::chrono::milliseconds kNoPatience{0};
constexpr Geometry kGoodGeometry{.fanout_size = 256, .block_octets = 512, .blocks = 8};
constexpr uint8_t kGreets = 0x01;
constexpr uint8_t kChangesRing = 0x02;
constexpr uint8_t kReadsLate = 0x04;
constexpr int kHeldShift = 4;
constexpr uint8_t kPieceOctetsMask = 0x3f;
constexpr uint8_t kPassesRing = 0x40;
constexpr uint8_t kPassesOther = 0x80;

// The front of the input, or as much of it as there is.
Input take(Input& input, size_t octets) {
  const Input front = input.first(std::min(octets, input.size()));
  input = input.subspan(front.size());
  return front;
}

uint8_t take_octet(Input& input) {
  const Input front = take(input, 1);
  return front.empty() ? uint8_t{0} : front[0];
}

// Descriptors are given out from below: one that leaks is found by what the next one is.
int next_descriptor() { return UniqueFd(::fcntl(0, F_DUPFD_CLOEXEC, 0)).get(); }

int descriptor_of_nothing() {
  static const int kNothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  return kNothing;
}

int ring_file() {
  static const int kRing = ::memfd_create("ring", MFD_CLOEXEC);
  return kRing;
}

void write_ring(Input content) {
  CHECK(::ftruncate(ring_file(), 0) == 0);
  CHECK(::pwrite(ring_file(), content.data(), content.size(), 0) ==
        static_cast<ssize_t>(content.size()));
}

class ScriptedDaemon {
 public:
  // Whose writes stay apart, so that pieces are what they are.
  ScriptedDaemon() {
    std::array<int, 2> ends{};
    CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
    socket_ = UniqueFd(ends[0]);
    client_end_ = ends[1];
  }

  [[nodiscard]] int client_end() const { return client_end_; }

  void send(Input octets, uint8_t passes) {
    std::array<int, 2> descriptors{};
    size_t count = 0;
    if ((passes & kPassesRing) != 0) descriptors[count++] = ring_file();
    if ((passes & kPassesOther) != 0) descriptors[count++] = descriptor_of_nothing();
    send_with(octets, std::span(descriptors).first(count));
  }

  void greet() {
    std::vector<uint8_t> greeting{kVersion};
    put_number(Type::FanoutSize, kGoodGeometry.fanout_size, greeting);
    put_number(Type::BlockSize, kGoodGeometry.block_octets, greeting);
    put_number(Type::NumBlocks, kGoodGeometry.blocks, greeting);
    put_tlv(Type::WaitingForFanoutIndex, Input(), greeting);
    send(greeting, 0);
    send(std::array{kDescriptorOctet}, kPassesRing);
  }

  void act(Input script) {
    while (!script.empty()) {
      const uint8_t piece = take_octet(script);
      const Input octets = take(script, piece & kPieceOctetsMask);
      if (!octets.empty()) send(octets, piece);
    }
    ::shutdown(socket_.get(), SHUT_WR);
  }

  // All that the client has written until now.
  const std::vector<uint8_t>& read_all() {
    std::array<uint8_t, 4096> octets;
    ssize_t count = 0;
    while ((count = ::recv(socket_.get(), octets.data(), octets.size(), MSG_DONTWAIT)) > 0)
      read_.insert(read_.end(), octets.begin(), octets.begin() + count);
    return read_;
  }

 private:
  // What finds no room is not said.
  void send_with(Input octets, std::span<const int> descriptors) {
    iovec piece{.iov_base = const_cast<uint8_t*>(octets.data()), .iov_len = octets.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
      std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  UniqueFd socket_;
  int client_end_ = -1;
  std::vector<uint8_t> read_;
};

void walk(Input octets) {
  BlockWalker packets(octets);
  const uint32_t announced = packets.packets_left();
  volatile uint8_t sum = 0;
  uint32_t count = 0;
  for (RingPacket packet; packets.next(packet); ++count) {
    CHECK(packet.network_offset <= packet.captured_octets);
    const auto begin = static_cast<size_t>(packet.data - octets.data());
    CHECK(begin <= octets.size() && packet.captured_octets <= octets.size() - begin);
    for (const uint8_t octet : std::span(packet.data, packet.captured_octets))
      sum = static_cast<uint8_t>(sum + octet);
  }
  CHECK(count + packets.packets_left() == announced);
}

// What a program does that keeps a few blocks at a time.
class Reader {
 public:
  Reader(Client& client, uint8_t choices)
      : client_(client),
        held_max_(choices >> kHeldShift),
        changes_ring_((choices & kChangesRing) != 0),
        is_out_(client.geometry().blocks) {}

  template <typename Function>
  void read_to_the_end(Function after_each) {
    while (true) {
      const auto found = client_.next_block(kNoPatience);
      if (!found) break;
      if (*found && !take(**found)) break;
      after_each();
    }
    CHECK(!client_.next_block(kNoPatience));
    CHECK(!client_.return_block(0));
  }

  [[nodiscard]] uint64_t returned() const { return returned_; }

 private:
  bool take(const Block& block) {
    CHECK(block.octets.size() == client_.geometry().block_octets);
    CHECK(block.index < is_out_.size() && !is_out_[block.index]);
    walk(block.octets);
    held_.push_back(block.index);
    is_out_[block.index] = true;
    if (changes_ring_) write_ring({});
    return held_.size() <= held_max_ || give_back();
  }

  // Whether the connection is still there.
  bool give_back() {
    const uint32_t index = held_.front();
    held_.pop_front();
    is_out_[index] = false;
    const auto given = client_.return_block(index);
    if (!given) CHECK(!client_.return_block(index));
    if (given) ++returned_;
    return given.has_value();
  }

  Client& client_;
  size_t held_max_;
  bool changes_ring_;
  std::vector<bool> is_out_;
  std::deque<uint32_t> held_;
  uint64_t returned_ = 0;
};

// What the client wrote: the index, then each block that it gave back and no other, but for what
// a daemon that reads late has no room for.
void check_writes(Input written, uint32_t index, uint64_t blocks, bool reads_late) {
  std::vector<uint8_t> begin;
  put_number(Type::FanoutIndex, index, begin);
  CHECK(written.size() >= begin.size());
  CHECK(std::ranges::equal(written.first(begin.size()), begin));
  const size_t octets = written.size() - begin.size();
  CHECK(octets % sizeof(uint32_t) == 0);
  CHECK(octets == blocks * sizeof(uint32_t) || (reads_late && octets < blocks * sizeof(uint32_t)));
}

void read(Client& client, ScriptedDaemon& daemon, uint32_t index, uint8_t choices) {
  const bool reads_late = (choices & kReadsLate) != 0;
  Reader reader(client, choices);
  reader.read_to_the_end([&] {
    if (!reads_late) daemon.read_all();
  });
  const BlockCounts& counts = client.counts();
  CHECK(counts.missed >= 0);
  check_writes(daemon.read_all(), index, reader.returned() + counts.stale, reads_late);
}

void fuzz(Input input) {
  const int descriptor_before = next_descriptor();
  {
    const uint8_t choices = take_octet(input);
    const uint8_t index = take_octet(input);
    const Input ring_octets = take(input, sizeof(uint16_t));
    if (ring_octets.size() < sizeof(uint16_t)) return;
    write_ring(take(input, clerk::load_big_endian<uint16_t>(ring_octets.data())));
    ScriptedDaemon daemon;
    if ((choices & kGreets) != 0) daemon.greet();
    daemon.act(input);
    auto client = Client::greet(daemon.client_end(), index, kNoPatience);
    if (client) read(*client, daemon, index, choices);
  }
  CHECK(next_descriptor() == descriptor_before);
}

}  // namespace
}  // namespace testimony

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Opened before anything is counted.
  if (testimony::descriptor_of_nothing() < 0 || testimony::ring_file() < 0) return 0;
  testimony::fuzz({data, size});
  return 0;
}
