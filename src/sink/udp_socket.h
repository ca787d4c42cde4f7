// A UDP socket connected to a collector, and so with one source port, that takes many messages in
// one call of the kernel.
//
// Two ways lead there: UDP_SEGMENT (Linux 4.18), where the kernel carries a whole run through its
// stack as one datagram and splits it at the very end, or, where that is not to be had, sendmmsg().
// The kernel may refuse the former for a reason that send() does not know: a message longer than
// the path MTU (EINVAL, EMSGSIZE since 6.14) or a path on which it cannot fill in checksums (EIO).
// It has sent nothing then, and the run goes the other way; so does every run from the third
// refusal in a row on.
//
// The UDP sink owns it. One thread at a time.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <optional>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"
#include "ipfix/message.h"

namespace clerk {

enum class UdpBatching : uint8_t {
  Segmentation,  // UDP_SEGMENT, as far as the kernel has it
  ManyMessages,  // sendmmsg()
};

class UdpSocket {
 public:
  // Resolves the host (a name, an IPv4 or an IPv6 address) and connects to its first address that a
  // route leads to. Errors do not name the host.
  static Result<UdpSocket> connect_to(const std::string& host, const std::string& port,
                                      UdpBatching batching);

  // Messages at the front of the run that the kernel has taken, and unless that is all of them, the
  // error that met the next one. That may be about an earlier message, as ECONNREFUSED is.
  struct Sent {
    size_t messages;
    int error_number;
  };
  Sent send(const ipfix::MessageRun& run);

  // A socket keeps the source address that it got when it was connected, also when this host has
  // lost it. Connected anew, it gets one that there is. False when that fails, as the next send()
  // will.
  [[nodiscard]] bool reconnect();

  // The longest message that leaves unfragmented, as far as the kernel knows the path.
  [[nodiscard]] std::optional<size_t> path_message_octets() const;

  // Which of the host's addresses it is, with the port.
  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] UdpBatching batching() const { return batching_; }

 private:
  UdpSocket(UniqueFd socket, const addrinfo& address, UdpBatching batching);
  static Result<UdpSocket> connect_to_any(const addrinfo* addresses, UdpBatching batching);

  // Returns 0 or the error.
  [[nodiscard]] int send_segmented(const ipfix::MessageRun& run) const;
  [[nodiscard]] Sent send_many(const ipfix::MessageRun& run) const;
  void note_refusal(int error_number);

  UniqueFd socket_;
  int family_;
  sockaddr_storage peer_{};
  socklen_t peer_size_;
  std::string address_;
  UdpBatching batching_;
  int refusals_ = 0;  // of segmentation, in a row
};

}  // namespace clerk
