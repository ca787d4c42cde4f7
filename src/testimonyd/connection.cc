#include "testimonyd/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "testimony/protocol.h"

namespace clerk {
namespace {

constexpr size_t kReceivedMax = 4096;  // returns of a thousand blocks

}  // namespace

Connection::Connection(UniqueFd socket) : socket_(std::move(socket)), buffer_(kReceivedMax) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return;
  process_ = credentials.pid;
  user_ = credentials.uid;
}

std::string Connection::peer() const { return fmt::format("pid {}, uid {}", process_, user_); }

bool Connection::send(std::span<const uint8_t> octets) {
  const bool was_clear = unsent_.empty();
  unsent_.insert(unsent_.end(), octets.begin(), octets.end());
  return was_clear ? flush() : true;
}

bool Connection::flush() {
  if (unsent_.empty()) return true;
  const ssize_t sent =
      ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  unsent_.erase(unsent_.begin(), unsent_.begin() + sent);
  return true;
}

bool Connection::send_descriptor(int descriptor) {
  if (!unsent_.empty()) return false;
  uint8_t octet = testimony::kDescriptorOctet;
  iovec data{.iov_base = &octet, .iov_len = sizeof octet};
  alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof descriptor)> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  return ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

Connection::Received Connection::receive() {
  const ssize_t count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Received::Nothing;
  if (count <= 0) return Received::End;
  received_ = std::span(buffer_).first(static_cast<size_t>(count));
  return Received::Octets;
}

}  // namespace clerk
