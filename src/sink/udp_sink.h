// IPFIX over UDP (RFC 7011 section 10.3): one connected socket, and so one source port, for the
// whole run.
//
// A message is tried a few times; errors that the kernel reports for an earlier datagram
// (ECONNREFUSED) or for lack of buffers (ENOBUFS) are counted and the same message is sent again.
// While nobody listens every message comes with the templates, for the collector that returns.
// When this host's own address or route has gone, the socket is connected anew, and so may get
// another source address. A message that is given up is counted lost and leaves a gap in the
// sequence numbers. Messages shrink with the path MTU and never grow.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <map>
#include <memory>

#include "base/log.h"
#include "base/unique_fd.h"
#include "ipfix/session.h"
#include "sink/record_pacer.h"
#include "sink/sink.h"

namespace clerk {

struct UdpOptions {
  ipfix::SessionOptions session = {};
  RecordPace pace = {};
};

class UdpSink : public Sink {
 public:
  // Resolves the host (a name, an IPv4 or an IPv6 address) and opens the socket. `name` is what the
  // user wrote.
  static Result<std::unique_ptr<Sink>> create(std::string name, const std::string& host,
                                              const std::string& port, const UdpOptions& options);

  void add(std::span<const FlowRecord> records, uint32_t second) override;
  void flush(uint32_t second) override { session_.flush(second); }
  void note_backlog(size_t records) override { pacer_.note_backlog(records); }
  [[nodiscard]] SinkCounts counts() const override { return counts_; }
  [[nodiscard]] std::optional<Error> failure() const override { return std::nullopt; }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  struct Connected {
    UniqueFd socket;
    int family;
    sockaddr_storage peer;
    socklen_t peer_size;
    std::string address;  // which of the name's addresses it is, with the port
  };

  UdpSink(std::string name, Connected connected, const UdpOptions& options);
  static Result<Connected> connect_to_any(const addrinfo* addresses);
  void send(std::span<const uint8_t> message, uint32_t records);
  bool try_send(std::span<const uint8_t> message);
  void note_error(int error_number);
  void note_recovery();
  void reconnect();
  void follow_path_mtu();

  std::string name_;
  Connected connected_;
  RecordPacer pacer_;
  std::map<int, LogLimiter> log_limiters_;  // by the error: a new one is always told
  bool loses_records_ = false;
  SinkCounts counts_;
  ipfix::Session session_;
};

}  // namespace clerk
