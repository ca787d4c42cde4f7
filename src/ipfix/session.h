// One Transport Session of the Exporting Process (RFC 7011): turns Flow Records into messages,
// numbers them, and repeats the templates.
//
// It knows nothing of sockets or files: messages go to a function, a run at once. The sequence
// number counts Data Records only, and counts those of messages that the transport gave up, so that
// the collector sees the gap. All timers follow the export clock it is given. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "flow/flow_record.h"
#include "ipfix/message.h"

namespace clerk::ipfix {

struct SessionOptions {
  uint32_t observation_domain = 1;
  TimeUnit time_unit = TimeUnit::Nanoseconds;
  // Unreliable transports repeat the templates; over a reliable one, once is enough (RFC 7011
  // section 8).
  bool repeat_templates = false;
  // Whether there will be records of flows without IP, and so their template.
  bool non_ip = false;
};

class Session {
 public:
  // Messages that leave one after the other. The octets are valid during the call.
  using Send = std::function<void(const MessageRun& run)>;

  Session(const SessionOptions& options, Send send);

  // Takes over the records; messages leave when a run of them is full.
  void add(std::span<const FlowRecord> records, uint32_t export_second);

  // Sends all that waits, and the templates when they are due.
  void flush(uint32_t export_second);

  // The collector may know none of the templates: they go out again with what is sent next.
  void repeat_templates() { templates_sent_.reset(); }

  // Messages are kept at most this long: kMessageOctetsMax or less, and never longer than before.
  // What waits in longer ones leaves first.
  void lower_message_octets(size_t octets, uint32_t export_second);
  [[nodiscard]] size_t message_octets_max() const { return octets_max_; }

  // The least that lower_message_octets() goes down to: a message of one IPv6 record. The templates
  // need a little more and are not split.
  static constexpr size_t kMessageOctetsMin =
      kMessageHeaderOctets + kSetHeaderOctets + kRecordOctets<FlowKind::Ipv6>;

 private:
  // Collectors lose templates (a restart, a lost datagram): more often than the first minute's
  // patience, and often enough for a fast stream.
  static constexpr uint32_t kTemplateSeconds = 30;
  static constexpr size_t kTemplateMessages = 4096;

  DataRun& run_for(const FlowRecord& record) { return runs_[std::to_underlying(record.kind())]; }
  [[nodiscard]] bool templates_due(uint32_t export_second) const;
  void send_templates(uint32_t export_second);
  void send_all(uint32_t export_second);
  void send_data(DataRun& data, uint32_t export_second);
  void send(const MessageRun& run);
  [[nodiscard]] MessageHeader header(uint32_t export_second) const;

  SessionOptions options_;
  Send send_;
  TemplateMessage templates_;
  std::array<DataRun, kFlowKinds.size()> runs_;  // by FlowKind
  size_t octets_max_ = kMessageOctetsMax;
  uint32_t sequence_ = 0;  // Data Records sent, modulo 2^32
  std::optional<uint32_t> templates_sent_;
  size_t messages_since_templates_ = 0;  // with the one that carried them
};

}  // namespace clerk::ipfix
