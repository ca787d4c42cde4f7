// A network namespace of a test's own, and what sends packets in it: nobody else's traffic comes
// between, and nothing of the machine is touched. It takes CAP_SYS_ADMIN and CAP_NET_ADMIN.
//
//   lo      TestDatagrams sends UDP datagrams to a socket on 127.0.0.1
//   tap0    TestDevice writes octets that arrive as if from a wire; gone when the object goes
//
// One thread at a time; threads that it starts are in the namespace too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace clerk {

class NetworkNamespace {
 public:
  // The calling thread enters a new one, which has a loopback interface that is down.
  NetworkNamespace();
  NetworkNamespace(const NetworkNamespace&) = delete;
  NetworkNamespace& operator=(const NetworkNamespace&) = delete;
  // The same thread goes back.
  ~NetworkNamespace();

  // Why the thread is where it was; empty when it has entered.
  [[nodiscard]] const std::string& obstacle() const { return obstacle_; }

 private:
  UniqueFd before_;
  std::string obstacle_;
};

enum class InterfaceState : uint8_t { Down, Up };

void set_interface(const std::string& name, InterfaceState state);

void set_mtu(const std::string& name, int mtu);

// Of IPv4, and with it every route there is through it. lo gets its own again when it comes up.
void remove_address(const std::string& name);

enum class DeviceKind : uint8_t {
  Tap,  // Ethernet frames
  Tun,  // IP packets without a link header
};

class TestDevice {
 public:
  // Up at once.
  TestDevice(const std::string& name, DeviceKind kind);

  // Why there is none; empty when there is.
  [[nodiscard]] const std::string& obstacle() const { return obstacle_; }

  // Arrives at the interface.
  void send(const std::vector<uint8_t>& octets);

 private:
  UniqueFd device_;
  std::string obstacle_;
};

// Needs lo to be up.
class TestDatagrams {
 public:
  TestDatagrams();

  // Each with this many octets of payload, at most 65507, none of which is ever answered. Any
  // thread.
  void send(size_t count, size_t octets = 100);

  // What a capture with Ethernet headers has of such a datagram.
  static constexpr size_t kHeaderOctets = 14 + 20 + 8;

 private:
  UniqueFd receiver_;
  UniqueFd sender_;
};

}  // namespace clerk
