// udp_collector: receives IPFIX over UDP, counts what it reports, and says at the end whether
// anything was missing.
//
//   udp_collector --port 0        prints the port it listens on, then counts until SIGINT or
//   SIGTERM
//
// On a signal it first takes what is still queued, then prints one JSON object: the counts of
// ipfix_counter.h, the receive buffer it got from the kernel and the datagrams that the kernel
// dropped because the buffer was full.
#include <netinet/in.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <linux/sock_diag.h>

#include "ipfix_counter.h"

namespace clerk::bench {
namespace {

struct Options {
  std::uint16_t port = 0;
  int receive_buffer_mib = 256;
};

[[noreturn]] void fail(const std::string& what) {
  fmt::print(stderr, "udp_collector: {}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

// Blocked from here on, signals are read from the descriptor instead.
int open_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC);
  if (fd < 0) fail("signalfd");
  return fd;
}

// The UDP socket. Closed at the end of the process, as all of them are.
class Receiver {
 public:
  explicit Receiver(const Options& options) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) fail("socket");
    grow_buffer(options.receive_buffer_mib);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd_, as_sockaddr(&address), sizeof address) != 0) fail("bind to --port");
    for (std::size_t i = 0; i < kBatch; ++i) {
      vectors_[i] = {.iov_base = buffer_.data() + i * kDatagramOctetsMax,
                     .iov_len = kDatagramOctetsMax};
      headers_[i].msg_hdr.msg_iov = &vectors_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
      headers_[i].msg_hdr.msg_name = &senders_[i];
    }
  }

  int fd() const { return fd_; }

  std::uint16_t port() const {
    sockaddr_in address{};
    socklen_t octets = sizeof address;
    if (getsockname(fd_, as_sockaddr(&address), &octets) != 0) fail("getsockname");
    return ntohs(address.sin_port);
  }

  // Counts what is queued, at most one batch. False when nothing is.
  bool receive(IpfixCounter& counter) {
    for (mmsghdr& header : headers_) {
      header.msg_hdr.msg_namelen = sizeof(sockaddr_in);
    }
    const int received = recvmmsg(fd_, headers_.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (received < 0 && errno != EAGAIN && errno != EINTR) fail("recvmmsg");
    for (std::size_t i = 0; received > 0 && i < static_cast<std::size_t>(received); ++i) {
      counter.add_message(session_of(senders_[i]),
                          {buffer_.data() + i * kDatagramOctetsMax, headers_[i].msg_len});
    }
    return received > 0;
  }

  int buffer_octets() const {
    int octets = 0;
    socklen_t size = sizeof octets;
    if (getsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &octets, &size) != 0) fail("SO_RCVBUF");
    return octets;
  }

  std::uint32_t drops() const {
    std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
    socklen_t size = sizeof memory;
    if (getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) != 0) fail("SO_MEMINFO");
    return memory[SK_MEMINFO_DROPS];
  }

 private:
  static constexpr std::size_t kBatch = 64;
  static constexpr std::size_t kDatagramOctetsMax = 65536;

  static sockaddr* as_sockaddr(sockaddr_in* address) {
    return reinterpret_cast<sockaddr*>(address);
  }

  static std::uint64_t session_of(const sockaddr_in& sender) {
    return std::uint64_t{sender.sin_addr.s_addr} << 16 | sender.sin_port;
  }

  // Only root may exceed net.core.rmem_max. What the kernel grants is in the report, so a refusal
  // is no error. It doubles the number for its own bookkeeping.
  void grow_buffer(int mib) const {
    const int octets = mib * (1 << 20);
    if (setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) == 0) return;
    if (setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets) != 0)
      fail("--receive_buffer_mib");
  }

  int fd_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kBatch * kDatagramOctetsMax);
  std::array<sockaddr_in, kBatch> senders_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<mmsghdr, kBatch> headers_{};
};

bool wait_for(std::span<pollfd> fds, int timeout_ms) {
  const int ready = poll(fds.data(), fds.size(), timeout_ms);
  if (ready < 0 && errno != EINTR) fail("poll");
  return ready > 0;
}

void receive_until_stopped(Receiver& receiver, IpfixCounter& counter, int stop_fd) {
  // Datagrams on their way when the signal comes arrive well within this time on one host.
  constexpr int kDrainMs = 200;
  std::array<pollfd, 2> fds = {{{.fd = receiver.fd(), .events = POLLIN, .revents = 0},
                                {.fd = stop_fd, .events = POLLIN, .revents = 0}}};
  while (fds[1].revents == 0) {
    wait_for(fds, -1);
    if (fds[0].revents != 0) receiver.receive(counter);
  }
  while (receiver.receive(counter) || wait_for(std::span(fds).first(1), kDrainMs)) {
  }
}

void print_report(const Receiver& receiver, const IpfixCounts& counts) {
  fmt::print(
      "{{\"messages\":{},\"records\":{},\"options_records\":{},\"packets\":{},\"octets\":{},",
      counts.messages, counts.records, counts.options_records, counts.packets, counts.octets);
  fmt::print("\"sequence_errors\":{},\"records_missing\":{},\"unknown_sets\":{},\"malformed\":{},",
             counts.sequence_errors, counts.records_missing, counts.unknown_sets, counts.malformed);
  fmt::print("\"end_reasons\":[{}],", fmt::join(counts.end_reasons, ","));
  fmt::print("\"receive_buffer_octets\":{},\"socket_drops\":{}}}\n", receiver.buffer_octets(),
             receiver.drops());
}

int run(const Options& options) {
  const int stop_fd = open_stop_signals();
  Receiver receiver(options);
  fmt::print("{}\n", receiver.port());
  std::fflush(stdout);
  IpfixCounter counter;
  receive_until_stopped(receiver, counter, stop_fd);
  print_report(receiver, counter.counts());
  return 0;
}

}  // namespace
}  // namespace clerk::bench

int main(int argc, char** argv) {
  clerk::bench::Options options;
  CLI::App app("Counts the IPFIX messages that arrive on a UDP port of 127.0.0.1.");
  app.add_option("--port", options.port, "port to listen on, 0 to have one chosen")
      ->capture_default_str();
  app.add_option("--receive_buffer_mib", options.receive_buffer_mib, "socket buffer to ask for")
      ->capture_default_str()
      ->check(CLI::Range(1, 1023));
  CLI11_PARSE(app, argc, argv);
  return clerk::bench::run(options);
}
