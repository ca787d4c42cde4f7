// For the tests of live capture: a network namespace for each test, and reading what came.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "capture/network_interface.h"
#include "capture/source.h"
#include "testing/in_network_namespace.h"
#include "testing/packet_builder.h"

namespace clerk {

// Frames as well as packets; the kernel would take more.
inline constexpr uint32_t kSnaplen = 65536;

// In a network namespace of its own with lo up.
class OnLoopback : public InNetworkNamespace {
 protected:
  void SetUp() override {
    InNetworkNamespace::SetUp();
    if (IsSkipped()) return;
    set_interface("lo", InterfaceState::Up);
    datagrams_.emplace();
  }

  void send(size_t count, size_t octets = 100) { datagrams_->send(count, octets); }

 private:
  std::optional<TestDatagrams> datagrams_;
};

// With a device "test0", once a test has made it.
class WithDevice : public InNetworkNamespace {
 protected:
  // Whether there is one.
  bool make_device(DeviceKind kind = DeviceKind::Tap) {
    device_.emplace("test0", kind);
    return device_->obstacle().empty();
  }

  // Why there is none, for a test that is skipped.
  [[nodiscard]] std::string no_device() const { return clerk::no_device(*device_); }

  void send(const PacketBuilder& packet) { device_->send(packet.build()); }
  void remove_device() { device_.reset(); }

 private:
  std::optional<TestDevice> device_;
};

inline NetworkInterface interface_of(const std::string& name) {
  const auto found = find_interface(name);
  EXPECT_TRUE(found && *found) << name;
  return found && *found ? **found : NetworkInterface{};
}

// A packet with a copy of its octets.
struct LivePacket {
  Packet packet;
  std::vector<uint8_t> octets;
};

// Appends what a block holds; a block of the kernel is never broken.
inline void read_block(const Block& block, std::vector<LivePacket>& to) {
  BlockReader reader(block);
  std::array<Packet, 64> batch;
  for (auto packets = reader.next(batch); !packets.empty(); packets = reader.next(batch)) {
    for (const Packet& packet : packets)
      to.push_back({packet, {packet.data, packet.data + packet.captured_octets}});
  }
  EXPECT_EQ(reader.packets_left(), 0U);
}

// Reads, by a function that appends the next block if there is one, until there was none for twice
// as long as the kernel may hold one back.
template <typename ReadNext>
std::vector<LivePacket> read_until_quiet(ReadNext read_next) {
  using Clock = std::chrono::steady_clock;
  std::vector<LivePacket> packets;
  for (auto last = Clock::now(); Clock::now() - last < 2 * PacketSource::kBlockDelayMax;) {
    const size_t before = packets.size();
    read_next(packets);
    if (packets.size() > before) last = Clock::now();
  }
  return packets;
}

}  // namespace clerk
