// A daemon for the tests of testimony sockets: it listens, greets whoever connects and passes a
// ring that is a file, on a thread of its own. What is in the ring, and what goes wrong, is the
// test's to say.
#pragma once

#include <poll.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "testimony/testimony_test_support.h"

namespace clerk {

class TestDaemon {
 public:
  using Geometry = testimony::Geometry;

  struct Manners {
    Geometry geometry = testimony::kGeometry;
    bool is_silent = false;    // takes connections and says nothing
    bool keeps_rings = false;  // greets, and never passes a ring
    // Told behind each ring, as this project's daemon does.
    std::optional<testimony::KernelCounters> counters = {};
  };

  TestDaemon(std::string path, const Manners& manners) : path_(std::move(path)), manners_(manners) {
    listener_ = testimony::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    thread_ = std::thread([this] { serve(); });
  }
  explicit TestDaemon(std::string path) : TestDaemon(std::move(path), Manners{}) {}
  TestDaemon(const TestDaemon&) = delete;
  TestDaemon& operator=(const TestDaemon&) = delete;

  ~TestDaemon() {
    ends_ = true;
    thread_.join();
    ::unlink(path_.c_str());
  }

  [[nodiscard]] bool serves(uint32_t index) {
    const std::lock_guard lock(mutex_);
    return clients_.contains(index);
  }
  [[nodiscard]] size_t connections_taken() const { return connections_taken_; }

  // Closes every connection, and takes new ones.
  void hang_up() {
    const std::lock_guard lock(mutex_);
    clients_.clear();
    silent_.clear();
  }

  void deliver(uint32_t index, uint32_t block, const testimony::Filling& filling) {
    const auto content = testimony::block_content(filling);
    with(index, [&](const Client& client) {
      const auto offset = off_t{manners_.geometry.block_octets} * block;
      EXPECT_EQ(::pwrite(client.ring.get(), content.data(), content.size(), offset),
                std::ssize(content));
      send(client.socket, testimony::block(block));
    });
  }
  void say(uint32_t index, const testimony::Octets& octets) {
    with(index, [&](const Client& client) { send(client.socket, octets); });
  }
  void tell(uint32_t index, const testimony::KernelCounters& counters) {
    say(index, message_of(counters));
  }

  // What the client of this index wrote since the last call.
  testimony::Octets next_write(uint32_t index) {
    testimony::Octets octets(1024);
    with(index, [&](const Client& client) {
      const ssize_t got = ::recv(client.socket.get(), octets.data(), octets.size(), MSG_DONTWAIT);
      octets.resize(got > 0 ? static_cast<size_t>(got) : 0);
    });
    return octets;
  }

 private:
  struct Client {
    testimony::UniqueFd socket;
    testimony::UniqueFd ring;
  };

  static testimony::Octets message_of(const testimony::KernelCounters& counters) {
    testimony::Octets value(16);
    for (size_t i = 0; i < 8; ++i) {
      value[i] = static_cast<uint8_t>(counters.packets >> (56 - 8 * i));
      value[8 + i] = static_cast<uint8_t>(counters.drops >> (56 - 8 * i));
    }
    return testimony::tlv(testimony::Type::KernelCounters, value);
  }

  static void send(const testimony::UniqueFd& socket, const testimony::Octets& octets) {
    ::send(socket.get(), octets.data(), octets.size(), MSG_NOSIGNAL);
  }

  void with(uint32_t index, const std::function<void(const Client&)>& use) {
    const std::lock_guard lock(mutex_);
    const auto found = clients_.find(index);
    if (found == clients_.end()) {
      ADD_FAILURE() << "nobody is connected to index " << index;
    } else {
      use(found->second);
    }
  }

  void serve() {
    while (!ends_) {
      pollfd waited{.fd = listener_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waited, 1, 5) <= 0) continue;
      testimony::UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      ++connections_taken_;
      welcome(std::move(socket));
    }
  }

  void welcome(testimony::UniqueFd socket) {
    if (!manners_.is_silent) send(socket, testimony::greeting(manners_.geometry));
    if (manners_.is_silent || manners_.keeps_rings) {
      const std::lock_guard lock(mutex_);
      silent_.push_back(std::move(socket));
      return;
    }
    std::array<uint8_t, 8> asked{};
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::recv(socket.get(), asked.data(), asked.size(), MSG_WAITALL) != std::ssize(asked)) return;
    pass_ring(std::move(socket), asked.back());
  }

  void pass_ring(testimony::UniqueFd socket, uint32_t index) {
    const Geometry& geometry = manners_.geometry;
    testimony::UniqueFd ring(::memfd_create("ring", MFD_CLOEXEC));
    EXPECT_EQ(::ftruncate(ring.get(), off_t{geometry.block_octets} * geometry.blocks), 0);
    send_descriptor(socket, ring.get());
    if (manners_.counters) send(socket, message_of(*manners_.counters));
    const std::lock_guard lock(mutex_);
    clients_.insert_or_assign(index, Client{std::move(socket), std::move(ring)});
  }

  static void send_descriptor(const testimony::UniqueFd& socket, int descriptor) {
    uint8_t octet = testimony::kDescriptorOctet;
    iovec piece{.iov_base = &octet, .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptor);
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
  }

  const std::string path_;
  const Manners manners_;
  testimony::UniqueFd listener_;
  std::atomic<bool> ends_{false};
  std::atomic<size_t> connections_taken_{0};
  std::mutex mutex_;  // guards the two below
  std::map<uint32_t, Client> clients_;
  std::vector<testimony::UniqueFd> silent_;
  std::thread thread_;
};

}  // namespace clerk
