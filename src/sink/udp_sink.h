// IPFIX over UDP (RFC 7011 section 10.3): a Transport Session on a connected socket, and so from
// one source port, for the whole run. A run of messages leaves in bursts, which the pacer spreads.
//
// A message is tried a few times; errors that the kernel reports for an earlier datagram
// (ECONNREFUSED) or for lack of buffers (ENOBUFS) are counted and the same message is sent again.
// While nobody listens every run of messages comes with the templates, for the collector that
// returns. When this host's own address or route has gone, the socket is connected anew, and so may
// get another source address. A message that is given up is counted lost and leaves a gap in the
// sequence numbers; those behind it are tried all the same. Messages shrink with the path MTU and
// never grow.
#pragma once

#include <map>
#include <memory>

#include "base/log.h"
#include "ipfix/session.h"
#include "sink/record_pacer.h"
#include "sink/sink.h"
#include "sink/udp_socket.h"

namespace clerk {

struct UdpOptions {
  ipfix::SessionOptions session = {};
  RecordPace pace = {};
  UdpBatching batching = UdpBatching::Segmentation;
};

class UdpSink : public Sink {
 public:
  // Resolves the host and opens the socket. `name` is what the user wrote.
  static Result<std::unique_ptr<Sink>> create(std::string name, const std::string& host,
                                              const std::string& port, const UdpOptions& options);

  void add(std::span<const FlowRecord> records, uint32_t second) override;
  void flush(uint32_t second) override { session_.flush(second); }
  void note_backlog(size_t records) override { pacer_.note_backlog(records); }
  [[nodiscard]] SinkCounts counts() const override { return counts_; }
  [[nodiscard]] std::optional<Error> failure() const override { return std::nullopt; }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  UdpSink(std::string name, UdpSocket socket, const UdpOptions& options);
  void send(const ipfix::MessageRun& run);
  void send_burst(const ipfix::MessageRun& burst);
  void note_sent(const ipfix::MessageRun& sent);
  void note_lost(const ipfix::MessageRun& lost);
  void recover_from(int error_number);
  void note_error(int error_number);

  std::string name_;
  UdpSocket socket_;
  RecordPacer pacer_;
  std::map<int, LogLimiter> log_limiters_;  // by the error: a new one is always told
  bool loses_records_ = false;
  SinkCounts counts_;
  ipfix::Session session_;
};

}  // namespace clerk
