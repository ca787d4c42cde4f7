#include "sink/udp_sink.h"

#include <netinet/in.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

namespace clerk {
namespace {

constexpr int kAttempts = 5;
constexpr auto kPauseForBuffers = std::chrono::milliseconds(2);

constexpr size_t kUdpHeaderOctets = 8;
constexpr size_t kIpv4HeaderOctets = 20;
constexpr size_t kIpv6HeaderOctets = 40;

// Errors that say that nothing can be sent from here to there, rather than that it failed.
bool is_of_route(int error_number) {
  return error_number == ENETUNREACH || error_number == EHOSTUNREACH ||
         error_number == EADDRNOTAVAIL || error_number == EINVAL || error_number == ENETDOWN ||
         error_number == EDESTADDRREQ;
}

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Result<Addresses> resolve(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (status != 0) return fail("cannot resolve {}: {}", host, ::gai_strerror(status));
  return Addresses(found, ::freeaddrinfo);
}

// WANT lets the kernel learn the path MTU, and fragment the few messages sent before it knew.
void discover_path_mtu(int socket, int family) {
  const int want4 = IP_PMTUDISC_WANT;
  const int want6 = IPV6_PMTUDISC_WANT;
  if (family == AF_INET) {
    ::setsockopt(socket, IPPROTO_IP, IP_MTU_DISCOVER, &want4, sizeof want4);
  } else {
    ::setsockopt(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &want6, sizeof want6);
  }
}

std::string text_of(const addrinfo& address) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  ::getnameinfo(address.ai_addr, address.ai_addrlen, host.data(), host.size(), port.data(),
                port.size(), NI_NUMERICHOST | NI_NUMERICSERV);
  const char* host_text = host.data();
  return address.ai_family == AF_INET6 ? fmt::format("[{}]:{}", host_text, port.data())
                                       : fmt::format("{}:{}", host_text, port.data());
}

}  // namespace

// The first address that a route leads to.
Result<UdpSink::Connected> UdpSink::connect_to_any(const addrinfo* addresses) {
  int last_error = 0;
  for (const addrinfo* at = addresses; at != nullptr; at = at->ai_next) {
    UniqueFd socket(::socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (socket) discover_path_mtu(socket.get(), at->ai_family);
    if (socket && ::connect(socket.get(), at->ai_addr, at->ai_addrlen) == 0) {
      Connected connected{.socket = std::move(socket),
                          .family = at->ai_family,
                          .peer = {},
                          .peer_size = at->ai_addrlen,
                          .address = text_of(*at)};
      std::memcpy(&connected.peer, at->ai_addr, at->ai_addrlen);
      return connected;
    }
    last_error = errno;
  }
  return fail("{}", errno_text(last_error));
}

UdpSink::UdpSink(std::string name, Connected connected, const UdpOptions& options)
    : name_(std::move(name)),
      connected_(std::move(connected)),
      pacer_(options.pace),
      session_(options.session, [this](std::span<const uint8_t> message, uint32_t records) {
        send(message, records);
      }) {}

Result<std::unique_ptr<Sink>> UdpSink::create(std::string name, const std::string& host,
                                              const std::string& port, const UdpOptions& options) {
  auto addresses = resolve(host, port);
  if (!addresses) return fail("--collector {}: {}", name, addresses.error().message);
  auto connected = connect_to_any(addresses->get());
  if (!connected) return fail("--collector {}: {}", name, connected.error().message);
  UdpOptions udp = options;
  udp.session.repeat_templates = true;
  return std::unique_ptr<Sink>(new UdpSink(std::move(name), *std::move(connected), udp));
}

// The kernel's idea of the path may have changed since the last records.
void UdpSink::add(std::span<const FlowRecord> records, uint32_t second) {
  follow_path_mtu();
  session_.add(records, second);
}

void UdpSink::send(std::span<const uint8_t> message, uint32_t records) {
  pacer_.wait(records);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (try_send(message)) {
      counts_.records_sent += records;
      ++counts_.messages_sent;
      note_recovery();
      return;
    }
  }
  counts_.records_lost += records;
  loses_records_ = true;
}

bool UdpSink::try_send(std::span<const uint8_t> message) {
  ssize_t sent = -1;
  do {
    sent = ::send(connected_.socket.get(), message.data(), message.size(), 0);
  } while (sent < 0 && errno == EINTR);
  if (sent == static_cast<ssize_t>(message.size())) return true;
  const int error_number = errno;
  note_error(error_number);
  if (error_number == ECONNREFUSED) session_.repeat_templates();  // nobody listened a moment ago
  if (error_number == ENOBUFS || error_number == EAGAIN)
    std::this_thread::sleep_for(kPauseForBuffers);
  if (is_of_route(error_number)) reconnect();
  return false;
}

// A socket keeps the source address that it got when it was connected, also when this host has lost
// it. Disconnected and connected, it gets one that there is.
void UdpSink::reconnect() {
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  // What fails here, the next attempt to send tells.
  const bool disconnected = ::connect(connected_.socket.get(), &nobody, sizeof nobody) == 0;
  const auto* peer = reinterpret_cast<const sockaddr*>(&connected_.peer);
  if (disconnected && ::connect(connected_.socket.get(), peer, connected_.peer_size) == 0)
    session_.repeat_templates();
}

void UdpSink::note_recovery() {
  if (!std::exchange(loses_records_, false)) return;
  spdlog::info("--collector {} ({}): messages leave again; {} records are lost", name_,
               connected_.address, counts_.records_lost);
}

void UdpSink::note_error(int error_number) {
  ++counts_.send_errors;
  const auto held_back = log_limiters_[error_number].allow(std::chrono::steady_clock::now());
  if (!held_back) return;
  spdlog::warn(
      "--collector {} ({}): {}{}", name_, connected_.address, errno_text(error_number),
      *held_back > 0 ? fmt::format(" ({} more since the last such line)", *held_back) : "");
}

void UdpSink::follow_path_mtu() {
  int mtu = 0;
  socklen_t size = sizeof mtu;
  const bool ipv4 = connected_.family == AF_INET;
  const int known =
      ipv4 ? ::getsockopt(connected_.socket.get(), IPPROTO_IP, IP_MTU, &mtu, &size)
           : ::getsockopt(connected_.socket.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &size);
  const size_t headers = (ipv4 ? kIpv4HeaderOctets : kIpv6HeaderOctets) + kUdpHeaderOctets;
  if (known != 0 || mtu <= static_cast<int>(headers)) return;
  session_.lower_message_octets(static_cast<size_t>(mtu) - headers);
}

}  // namespace clerk
