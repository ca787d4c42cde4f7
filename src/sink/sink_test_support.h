// For the tests of this folder: reading back what a sink wrote, and a collector on this machine.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>
#include <iterator>
#include <string>
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
  // Port 0 lets the kernel choose.
  explicit TestCollector(uint16_t port = 0) : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
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

}  // namespace clerk
