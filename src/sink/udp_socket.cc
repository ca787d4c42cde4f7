#include "sink/udp_socket.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace clerk {
namespace {

constexpr size_t kUdpHeaderOctets = 8;
constexpr size_t kIpv4HeaderOctets = 20;
constexpr size_t kIpv6HeaderOctets = 40;

// A path MTU that shrank just now, or an error of an earlier datagram, is told once. What is told
// so often in a row stays.
constexpr int kRefusalsMax = 3;

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

// A kernel that does not know UDP_SEGMENT would pass over it and send one huge datagram.
bool knows_segmentation(int socket) {
  int segment = 0;
  socklen_t size = sizeof segment;
  return ::getsockopt(socket, IPPROTO_UDP, UDP_SEGMENT, &segment, &size) == 0;
}

// EINVAL has other causes too, which the other way meets again.
bool may_refuse_segmentation(int error_number) {
  return error_number == EINVAL || error_number == EMSGSIZE || error_number == EIO;
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

// The kernel only reads what is sent.
iovec vector_of(std::span<const uint8_t> octets) {
  return {.iov_base = const_cast<uint8_t*>(octets.data()), .iov_len = octets.size()};
}

// Calls again what a signal interrupted.
auto uninterrupted(auto call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

UdpSocket::UdpSocket(UniqueFd socket, const addrinfo& address, UdpBatching batching)
    : socket_(std::move(socket)),
      family_(address.ai_family),
      peer_size_(address.ai_addrlen),
      address_(text_of(address)),
      batching_(knows_segmentation(socket_.get()) ? batching : UdpBatching::ManyMessages) {
  std::memcpy(&peer_, address.ai_addr, address.ai_addrlen);
}

Result<UdpSocket> UdpSocket::connect_to(const std::string& host, const std::string& port,
                                        UdpBatching batching) {
  const Addresses addresses = TRY(resolve(host, port));
  return connect_to_any(addresses.get(), batching);
}

Result<UdpSocket> UdpSocket::connect_to_any(const addrinfo* addresses, UdpBatching batching) {
  int last_error = 0;
  for (const addrinfo* at = addresses; at != nullptr; at = at->ai_next) {
    UniqueFd socket(::socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (socket) discover_path_mtu(socket.get(), at->ai_family);
    if (socket && ::connect(socket.get(), at->ai_addr, at->ai_addrlen) == 0)
      return UdpSocket(std::move(socket), *at, batching);
    last_error = errno;
  }
  return fail("{}", errno_text(last_error));
}

UdpSocket::Sent UdpSocket::send(const ipfix::MessageRun& run) {
  if (batching_ == UdpBatching::ManyMessages || run.messages() == 1) return send_many(run);
  const int error_number = send_segmented(run);
  if (error_number == 0) {
    refusals_ = 0;
    return {run.messages(), 0};
  }
  if (!may_refuse_segmentation(error_number)) return {0, error_number};
  const Sent sent = send_many(run);
  if (sent.messages > 0) note_refusal(error_number);
  return sent;
}

// All or nothing: the kernel makes one datagram of the run.
int UdpSocket::send_segmented(const ipfix::MessageRun& run) const {
  iovec vector = vector_of(run.octets);
  const auto segment_octets = static_cast<uint16_t>(run.message_octets);
  alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof segment_octets)> control{};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* option = CMSG_FIRSTHDR(&header);
  option->cmsg_level = IPPROTO_UDP;
  option->cmsg_type = UDP_SEGMENT;
  option->cmsg_len = CMSG_LEN(sizeof segment_octets);
  std::memcpy(CMSG_DATA(option), &segment_octets, sizeof segment_octets);
  return uninterrupted([&] { return ::sendmsg(socket_.get(), &header, 0); }) < 0 ? errno : 0;
}

// The kernel tells an error that met the first message it was given, and of a later one only how
// many it took before; those behind are given to it again.
UdpSocket::Sent UdpSocket::send_many(const ipfix::MessageRun& run) const {
  std::array<iovec, ipfix::kRunMessagesMax> vectors;
  std::array<mmsghdr, ipfix::kRunMessagesMax> headers;
  const size_t messages = run.messages();
  for (size_t i = 0; i < messages; ++i) {
    vectors[i] = vector_of(run.behind(i).first(1).octets);
    headers[i] = {};
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  size_t sent = 0;
  while (sent < messages) {
    const int taken = uninterrupted([&] {
      return ::sendmmsg(socket_.get(), &headers[sent], static_cast<unsigned>(messages - sent), 0);
    });
    if (taken < 0) return {sent, errno};
    sent += static_cast<size_t>(taken);
  }
  return {sent, 0};
}

void UdpSocket::note_refusal(int error_number) {
  if (++refusals_ < kRefusalsMax) return;
  batching_ = UdpBatching::ManyMessages;
  spdlog::info("{}: the kernel does not segment messages on this path ({}); they leave one by one",
               address_, errno_text(error_number));
}

bool UdpSocket::reconnect() {
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  if (::connect(socket_.get(), &nobody, sizeof nobody) != 0) return false;
  const auto* peer = reinterpret_cast<const sockaddr*>(&peer_);
  return ::connect(socket_.get(), peer, peer_size_) == 0;
}

std::optional<size_t> UdpSocket::path_message_octets() const {
  int mtu = 0;
  socklen_t size = sizeof mtu;
  const bool ipv4 = family_ == AF_INET;
  const int known = ipv4 ? ::getsockopt(socket_.get(), IPPROTO_IP, IP_MTU, &mtu, &size)
                         : ::getsockopt(socket_.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &size);
  const size_t headers = (ipv4 ? kIpv4HeaderOctets : kIpv6HeaderOctets) + kUdpHeaderOctets;
  if (known != 0 || mtu <= static_cast<int>(headers)) return std::nullopt;
  return static_cast<size_t>(mtu) - headers;
}

}  // namespace clerk
