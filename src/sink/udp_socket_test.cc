#include "sink/udp_socket.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <vector>

#include "sink/sink_test_support.h"
#include "testing/in_network_namespace.h"

namespace clerk {
namespace {

using ipfix::MessageRun;
using Octets = std::vector<uint8_t>;

// Messages of numbered octets; the last is shorter.
class Messages {
 public:
  explicit Messages(size_t count, size_t octets = 1400) : octets_(count * octets - octets / 2) {
    for (size_t i = 0; i < octets_.size(); ++i)
      octets_[i] = static_cast<uint8_t>(i / octets + i % octets);
    run_ = {octets_, octets, 1, static_cast<uint32_t>(count)};
  }

  [[nodiscard]] const MessageRun& run() const { return run_; }
  [[nodiscard]] std::vector<Octets> each() const {
    std::vector<Octets> messages;
    for (size_t i = 0; i < run_.messages(); ++i) {
      const auto octets = run_.behind(i).first(1).octets;
      messages.emplace_back(octets.begin(), octets.end());
    }
    return messages;
  }

 private:
  Octets octets_;
  MessageRun run_{};
};

UdpSocket connect_to(const TestCollector& collector,
                     UdpBatching batching = UdpBatching::Segmentation) {
  return UdpSocket::connect_to("127.0.0.1", collector.port_text(), batching).value();
}

std::vector<Octets> received(TestCollector& collector) {
  std::vector<Octets> messages;
  for (auto& datagram : collector.receive())
    messages.push_back(std::move(datagram.octets));
  return messages;
}

void expect_all_sent(UdpSocket& socket, const MessageRun& run) {
  const auto [messages, error_number] = socket.send(run);
  EXPECT_EQ(messages, run.messages());
  EXPECT_EQ(error_number, 0);
}

class UdpSocketOfEachBatching : public ::testing::TestWithParam<UdpBatching> {};

INSTANTIATE_TEST_SUITE_P(UdpSocket, UdpSocketOfEachBatching,
                         ::testing::Values(UdpBatching::Segmentation, UdpBatching::ManyMessages),
                         [](const auto& batching) {
                           return batching.param == UdpBatching::Segmentation ? "Segmentation"
                                                                              : "ManyMessages";
                         });

TEST_P(UdpSocketOfEachBatching, SendsEachMessageInADatagramOfItsOwn) {
  TestCollector collector;
  UdpSocket socket = connect_to(collector, GetParam());
  EXPECT_EQ(socket.batching(), GetParam());
  for (const size_t count : {1U, 2U, 3U, 46U}) {
    const Messages messages(count);
    expect_all_sent(socket, messages.run());
    EXPECT_EQ(received(collector), messages.each());
  }
}

TEST_P(UdpSocketOfEachBatching, SendsTheFullestRunOfTheShortestMessages) {
  TestCollector collector;
  UdpSocket socket = connect_to(collector, GetParam());
  const Messages messages(ipfix::kRunMessagesMax, 104);
  expect_all_sent(socket, messages.run());
  EXPECT_EQ(received(collector), messages.each());
}

TEST_P(UdpSocketOfEachBatching, TellsThatNobodyListensAndSendsNothingThen) {
  uint16_t port = 0;
  UdpSocket socket = [&] {
    const TestCollector closed_at_once;
    port = closed_at_once.port();
    return connect_to(closed_at_once, GetParam());
  }();
  const Messages messages(3);
  expect_all_sent(socket, messages.run().first(1));
  TestCollector late(port);
  const auto [sent, error_number] = socket.send(messages.run());
  EXPECT_EQ(sent, 0U);
  EXPECT_EQ(error_number, ECONNREFUSED);
  EXPECT_TRUE(received(late).empty());
  expect_all_sent(socket, messages.run());
  EXPECT_EQ(received(late), messages.each());
  EXPECT_EQ(socket.batching(), GetParam());
}

TEST(UdpSocket, ReachesAHostOfEitherFamily) {
  const auto ipv6 = UdpSocket::connect_to("::1", "4739", UdpBatching::Segmentation);
  if (!ipv6) GTEST_SKIP() << "THERE IS NO IPV6 HERE: " << ipv6.error().message;
  EXPECT_EQ(ipv6->address(), "[::1]:4739");
  const auto ipv4 = UdpSocket::connect_to("127.0.0.1", "4739", UdpBatching::Segmentation);
  EXPECT_EQ(ipv4->address(), "127.0.0.1:4739");
}

using UdpSocketInNamespace = InNetworkNamespace;

TEST_F(UdpSocketInNamespace, KnowsWhatThePathTakes) {
  set_interface("lo", InterfaceState::Up);
  const TestCollector collector;
  const UdpSocket socket = connect_to(collector);
  set_mtu("lo", 1000);
  EXPECT_EQ(socket.path_message_octets(), 1000U - 28);
}

// As when the path MTU shrinks behind the session's back. The kernel fragments what it does not
// segment.
TEST_F(UdpSocketInNamespace, SendsWhatTheKernelDoesNotSegmentOneByOne) {
  spdlog::set_level(spdlog::level::off);
  set_interface("lo", InterfaceState::Up);
  set_mtu("lo", 600);
  TestCollector collector;
  UdpSocket socket = connect_to(collector);
  const Messages messages(5);
  for (const UdpBatching batching : {UdpBatching::Segmentation, UdpBatching::Segmentation,
                                     UdpBatching::ManyMessages, UdpBatching::ManyMessages}) {
    expect_all_sent(socket, messages.run());
    EXPECT_EQ(received(collector), messages.each());
    EXPECT_EQ(socket.batching(), batching);
  }
  spdlog::set_level(spdlog::level::info);
}

TEST_F(UdpSocketInNamespace, ForgetsRefusalsThatDoNotLast) {
  set_interface("lo", InterfaceState::Up);
  TestCollector collector;
  UdpSocket socket = connect_to(collector);
  const Messages large(3, 1400);
  const Messages small(3, 500);
  set_mtu("lo", 600);
  for (int i = 0; i < 5; ++i) {
    for (const Messages* messages : {&large, &large, &small}) {
      expect_all_sent(socket, messages->run());
      EXPECT_EQ(received(collector), messages->each());
    }
  }
  EXPECT_EQ(socket.batching(), UdpBatching::Segmentation);
}

TEST_F(UdpSocketInNamespace, DoesNotTakeAMissingRouteForARefusal) {
  set_interface("lo", InterfaceState::Up);
  TestCollector collector;
  UdpSocket socket = connect_to(collector);
  const Messages messages(3);
  remove_address("lo");
  set_interface("lo", InterfaceState::Down);
  for (int i = 0; i < 10; ++i) {
    const auto [sent, error_number] = socket.send(messages.run());
    EXPECT_EQ(sent, 0U);
    EXPECT_NE(error_number, 0);
  }
  set_interface("lo", InterfaceState::Up);
  EXPECT_TRUE(socket.reconnect());
  expect_all_sent(socket, messages.run());
  EXPECT_EQ(received(collector), messages.each());
  EXPECT_EQ(socket.batching(), UdpBatching::Segmentation);
}

}  // namespace
}  // namespace clerk
