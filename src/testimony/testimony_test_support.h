// A daemon for tests, octet by octet, and a ring that is a file. The tests speak first and look at
// the client afterwards, in one thread: whatever the daemon is to say waits in the socket.
//
//   FakeDaemon daemon;
//   daemon.send(greeting());
//   daemon.pass_ring();
//   auto client = daemon.greet(0);
//   daemon.fill(2, {.sequence = 7});
//   daemon.send(block(2));
//
// The socket keeps the boundaries of what was sent (SOCK_SEQPACKET), so that each send() of the
// daemon is one read of the client, and the other way round.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "testimony/client.h"
#include "testimony/protocol.h"
#include "testing/block_builder.h"

namespace testimony {

using clerk::UniqueFd;
using Octets = std::vector<uint8_t>;

inline constexpr Geometry kGeometry{.fanout_size = 2, .block_octets = 4096, .blocks = 4};

// For what is there already, or will never come.
inline constexpr std::chrono::milliseconds kNoPatience{0};
inline constexpr std::chrono::milliseconds kPatience{10'000};

inline Octets operator+(Octets left, const Octets& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

inline Octets block(uint32_t index) {
  Octets octets;
  put_block(index, octets);
  return octets;
}

inline Octets tlv(Type type, const Octets& value = {}) {
  Octets octets;
  put_tlv(type, value, octets);
  return octets;
}

inline Octets tlv(uint16_t type, const Octets& value = {}) {
  return tlv(static_cast<Type>(type), value);
}

inline Octets number_tlv(Type type, uint32_t value) {
  Octets octets;
  put_number(type, value, octets);
  return octets;
}

inline Octets error_tlv(const std::string& text) {
  return tlv(Type::Error, {text.begin(), text.end()});
}

inline const Octets kVersionOctet{kVersion};
inline const Octets kWaiting = tlv(Type::WaitingForFanoutIndex);
inline const Octets kRingOctet{kDescriptorOctet};

inline Octets geometry_tlvs(const Geometry& geometry = kGeometry) {
  return number_tlv(Type::FanoutSize, geometry.fanout_size) +
         number_tlv(Type::BlockSize, geometry.block_octets) +
         number_tlv(Type::NumBlocks, geometry.blocks);
}

inline Octets greeting(const Geometry& geometry = kGeometry) {
  return kVersionOctet + geometry_tlvs(geometry) + kWaiting;
}

struct Filling {
  uint64_t sequence = 1;
  uint32_t status = TP_STATUS_USER;
  clerk::BlockBuilder packets = clerk::BlockBuilder();
};

inline Octets block_content(const Filling& filling) {
  Octets octets = filling.packets.build();
  tpacket_block_desc description{};
  std::memcpy(&description, octets.data(), sizeof description);
  description.hdr.bh1.block_status = filling.status;
  description.hdr.bh1.seq_num = filling.sequence;
  std::memcpy(octets.data(), &description, sizeof description);
  return octets;
}

class FakeDaemon {
 public:
  explicit FakeDaemon(int socket_type = SOCK_SEQPACKET, const Geometry& geometry = kGeometry)
      : geometry_(geometry), ring_(::memfd_create("ring", MFD_CLOEXEC)) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, socket_type | SOCK_CLOEXEC, 0, ends.data()), 0);
    socket_ = UniqueFd(ends[0]);
    client_end_ = UniqueFd(ends[1]);
    EXPECT_EQ(::ftruncate(ring_.get(), off_t{geometry.block_octets} * geometry.blocks), 0);
  }

  // Over a connection that a listening socket took.
  explicit FakeDaemon(UniqueFd socket)
      : socket_(std::move(socket)), ring_(::memfd_create("ring", MFD_CLOEXEC)) {
    EXPECT_EQ(::ftruncate(ring_.get(), off_t{geometry_.block_octets} * geometry_.blocks), 0);
  }

  [[nodiscard]] int ring() const { return ring_.get(); }

  // What is longer than a read of the client takes several of them.
  void send(const Octets& octets) {
    constexpr size_t kReadOctets = 4096;
    for (size_t at = 0; at < octets.size(); at += kReadOctets) {
      const size_t count = std::min(octets.size() - at, kReadOctets);
      EXPECT_EQ(::send(socket_.get(), octets.data() + at, count, MSG_NOSIGNAL),
                static_cast<ssize_t>(count));
    }
  }

  void send_with(const Octets& octets, const std::vector<int>& descriptors) {
    iovec piece{.iov_base = const_cast<uint8_t*>(octets.data()), .iov_len = octets.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(16 * sizeof(int))> control{};
    const size_t descriptor_octets = descriptors.size() * sizeof(int);
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptor_octets);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptor_octets);
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptor_octets);
    EXPECT_EQ(::sendmsg(socket_.get(), &message, MSG_NOSIGNAL), std::ssize(octets));
  }

  void pass_ring() { send_with(kRingOctet, {ring()}); }

  // Says no more.
  void fall_silent() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { const UniqueFd closed = std::move(socket_); }

  void fill(uint32_t index, const Filling& filling) {
    const Octets content = block_content(filling);
    EXPECT_EQ(::pwrite(ring(), content.data(), content.size(), offset_of(index)),
              std::ssize(content));
  }

  // Fills a block and announces it.
  void deliver(uint32_t index, const Filling& filling) {
    fill(index, filling);
    send(block(index));
  }

  // What the client wrote at once; empty when it wrote nothing.
  Octets next_write() {
    Octets octets(65536);
    const ssize_t received = ::recv(socket_.get(), octets.data(), octets.size(), MSG_DONTWAIT);
    octets.resize(received > 0 ? static_cast<size_t>(received) : 0);
    return octets;
  }

  UniqueFd take_client_end() { return std::move(client_end_); }

  Result<Client> greet(uint32_t index, std::chrono::milliseconds patience = kPatience) {
    return Client::greet(::fcntl(client_end_.get(), F_DUPFD_CLOEXEC, 0), index, patience);
  }

  // The same, when the test is about what comes later.
  Client connected(uint32_t index = 0) {
    send(greeting(geometry_));
    pass_ring();
    auto client = greet(index);
    EXPECT_TRUE(client) << client.error().message;
    client_end_ = UniqueFd();
    EXPECT_EQ(next_write(), number_tlv(Type::FanoutIndex, index));
    return *std::move(client);
  }

 private:
  [[nodiscard]] off_t offset_of(uint32_t index) const {
    return off_t{geometry_.block_octets} * index;
  }

  Geometry geometry_ = kGeometry;
  UniqueFd socket_;
  UniqueFd client_end_;
  UniqueFd ring_;
};

inline size_t open_descriptors() {
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

// Every test is also one of descriptors: none may be left over.
class WithoutLeaks : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(open_descriptors(), before_) << "descriptors leak"; }

 private:
  size_t before_ = open_descriptors();
};

// Fails the test unless it is an error of this kind; returns its message.
template <typename T>
std::string expect_failure(const Result<T>& result, Failure failure) {
  EXPECT_FALSE(result);
  if (result) return {};
  EXPECT_EQ(static_cast<int>(result.error().failure), static_cast<int>(failure))
      << result.error().message;
  return result.error().message;
}

}  // namespace testimony
