#include "testimony/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "testimony/failure.h"

namespace testimony {
namespace {

using std::chrono::milliseconds;

// Longer than anybody waits, and far from overflow.
constexpr milliseconds kPatienceMax = std::chrono::hours(24 * 365);

// A message of the daemon is four octets; several of them, or a TLV, are a few dozen.
constexpr size_t kReceiveOctets = 4096;

// SCM_MAX_FD: the kernel passes no more at once. With room for all of them none is lost unseen.
constexpr size_t kDescriptorsMax = 253;

// Few enough for one buffer of the kernel, which goes whole or not at all: no word is torn.
constexpr size_t kSendOctetsMax = 1024;

bool means_try_later(int error_number) { return error_number == EAGAIN || error_number == EINTR; }

bool means_ended(int error_number) {
  return error_number == EPIPE || error_number == ECONNRESET || error_number == ENOTCONN;
}

std::unexpected<Error> ended() { return fail(Failure::Ended, "the daemon closed the connection"); }

void take_descriptors(const cmsghdr& header, Connection::Descriptors& to) {
  const size_t octets = header.cmsg_len - CMSG_LEN(0);
  for (size_t at = 0; at + sizeof(int) <= octets; at += sizeof(int)) {
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(&header) + at, sizeof descriptor);
    to.emplace_back(descriptor);
  }
}

Connection::Descriptors descriptors_in(msghdr& message) {
  Connection::Descriptors descriptors;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
      take_descriptors(*header, descriptors);
  }
  return descriptors;
}

}  // namespace

Clock::time_point deadline_after(milliseconds patience) {
  return Clock::now() + std::clamp(patience, milliseconds(0), kPatienceMax);
}

Result<std::optional<Connection::Descriptors>> Connection::receive(Clock::time_point deadline) {
  while (true) {
    if (const auto sent = flush(); !sent) return std::unexpected(sent.error());
    wait(deadline);
    auto received = receive_now();
    if (!received || *received) return received;
    if (Clock::now() >= deadline) return std::nullopt;
  }
}

Result<void> Connection::send(std::span<const uint8_t> message) {
  queued_.insert(queued_.end(), message.begin(), message.end());
  return flush();
}

Result<void> Connection::flush() {
  while (!queued_.empty()) {
    const size_t octets = std::min(queued_.size(), kSendOctetsMax);
    const ssize_t sent = ::send(socket_.get(), queued_.data(), octets, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && means_try_later(errno)) return {};
    if (sent < 0 && means_ended(errno)) {
      queued_.clear();  // nobody takes it any more, and receive() is to go on
      return ended();
    }
    if (sent < 0) return fail_by_errno("sending to the daemon", errno);
    queued_.erase(queued_.begin(), queued_.begin() + sent);
  }
  return {};
}

void Connection::wait(Clock::time_point deadline) const {
  // Rounded up, so that the last millisecond is not spent in a busy loop.
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
  const auto timeout = std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max());
  const int events = queued_.empty() ? POLLIN : POLLIN | POLLOUT;
  pollfd waited{.fd = socket_.get(), .events = static_cast<short>(events), .revents = 0};
  ::poll(&waited, 1, static_cast<int>(timeout));
}

Result<std::optional<Connection::Descriptors>> Connection::receive_now() {
  std::array<uint8_t, kReceiveOctets> octets;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kDescriptorsMax * sizeof(int))> control;
  iovec piece{.iov_base = octets.data(), .iov_len = octets.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t received = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received < 0 && means_try_later(errno)) return std::nullopt;
  if (received == 0 || (received < 0 && means_ended(errno))) return ended();
  if (received < 0) return fail_by_errno("reading from the daemon", errno);
  Descriptors descriptors = descriptors_in(message);
  if ((message.msg_flags & MSG_CTRUNC) != 0)
    return fail(Failure::System,
                "the daemon passed a descriptor for which this process has no room; see its limit "
                "of open files");
  arrived_.append(std::span(octets).first(static_cast<size_t>(received)));
  return descriptors;
}

}  // namespace testimony
