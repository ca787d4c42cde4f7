// For the tests of this folder: reading back what a sink wrote, and a collector on this machine.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace clerk {

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::vector<uint8_t> read_octets(const std::string& path) {
  const std::string text = read_text(path);
  return {text.begin(), text.end()};
}

// A UDP socket on the loopback address.
class TestCollector {
 public:
  // Port 0 lets the kernel choose; and without a size of the receive buffer, that.
  explicit TestCollector(uint16_t port = 0, int buffer_octets = 0)
      : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    if (buffer_octets > 0) set_buffer(buffer_octets);
    sockaddr_in address = loopback(port);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    socklen_t size = sizeof address;
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }

  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] std::string port_text() const { return std::to_string(port_); }

  struct Datagram {
    std::vector<uint8_t> octets;
    uint16_t source_port;
  };

  // The buffer as the kernel counts it, with its own bookkeeping: what SO_RCVBUF sets is half.
  [[nodiscard]] int buffer_octets() const {
    int octets = 0;
    socklen_t size = sizeof octets;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &octets, &size);
    return octets;
  }

  // Whether something arrives within the time.
  [[nodiscard]] bool wait(std::chrono::milliseconds time) const {
    pollfd readable{socket_.get(), POLLIN, 0};
    return ::poll(&readable, 1, static_cast<int>(time.count())) > 0;
  }

  // Reads what has arrived, at most a batch, and throws it away.
  void discard() const {
    std::array<mmsghdr, 64> headers{};  // room for no octet: all are cut off
    ::recvmmsg(socket_.get(), headers.data(), headers.size(), MSG_DONTWAIT, nullptr);
  }

  // All datagrams that have arrived; over loopback they arrive while they are sent.
  std::vector<Datagram> receive() {
    std::vector<Datagram> datagrams;
    std::vector<uint8_t> octets(65536);
    sockaddr_in from{};
    socklen_t size = sizeof from;
    for (;;) {
      const ssize_t got = ::recvfrom(socket_.get(), octets.data(), octets.size(), MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) return datagrams;
      datagrams.push_back({{octets.begin(), octets.begin() + got}, ntohs(from.sin_port)});
    }
  }

 private:
  // Beyond net.core.rmem_max where the test may.
  void set_buffer(int octets) {
    const int half = octets / 2;
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof half) != 0)
      ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &half, sizeof half);
  }

  static sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  UniqueFd socket_;
  uint16_t port_ = 0;
};

// Reads while the test sends, on a thread of its own.
class ReadingCollector {
 public:
  // Room for so much as the kernel counts it.
  explicit ReadingCollector(int buffer_octets) : collector_(0, buffer_octets) {}

  [[nodiscard]] const TestCollector& collector() const { return collector_; }

  // Everything, once nothing comes any more.
  std::vector<TestCollector::Datagram> finish() {
    reader_.request_stop();
    reader_.join();
    return std::move(datagrams_);
  }

 private:
  void read(const std::stop_token& stop) {
    constexpr std::chrono::milliseconds kSilence{20};
    while (collector_.wait(kSilence) || !stop.stop_requested()) {
      for (auto& datagram : collector_.receive())
        datagrams_.push_back(std::move(datagram));
    }
  }

  TestCollector collector_;
  std::vector<TestCollector::Datagram> datagrams_;
  std::jthread reader_{[this](const std::stop_token& stop) { read(stop); }};
};

}  // namespace clerk
