// An IPFIX Message under construction (RFC 7011 section 3): a header and one set.
//
//   message   version 2 | length 2 | Export Time 4 | sequence number 4 | Observation Domain 4 | set
//   set       set id 2 | length 2 | records
//
// Sequence number and Export Time are known only when the message leaves, so finish() writes them.
// The buffer is the message's own and is reused.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "flow/flow_record.h"
#include "ipfix/template.h"

namespace clerk::ipfix {

inline constexpr size_t kMessageHeaderOctets = 16;
inline constexpr size_t kSetHeaderOctets = 4;

// The most octets of any message: it fits an Ethernet frame with IP and UDP headers and some room
// for a tunnel on the way.
inline constexpr size_t kMessageOctetsMax = 1400;

struct MessageHeader {
  uint32_t export_second;
  uint32_t sequence;
  uint32_t observation_domain;
};

// A Data Set of one template, filled record by record.
class DataMessage {
 public:
  DataMessage(FlowKind kind, TimeUnit unit) : kind_(kind), unit_(unit) {}

  // Whether one more record would make it longer than this.
  [[nodiscard]] bool is_full(size_t octets_max) const {
    return size_ + record_octets(kind_) > octets_max;
  }
  [[nodiscard]] uint32_t records() const { return records_; }

  // The record's kind is the message's; the message is not full.
  void add(const FlowRecord& record);

  // Completes the message and empties it; the octets stay valid until the next add().
  std::span<const uint8_t> finish(const MessageHeader& header);

 private:
  static constexpr size_t kEmpty = kMessageHeaderOctets + kSetHeaderOctets;

  FlowKind kind_;
  TimeUnit unit_;
  size_t size_ = kEmpty;
  uint32_t records_ = 0;
  std::array<uint8_t, kMessageOctetsMax> octets_{};
};

// The message that carries the templates.
class TemplateMessage {
 public:
  // Of flows of these kinds.
  explicit TemplateMessage(TimeUnit unit, std::span<const FlowKind> kinds = kIpFlowKinds);

  std::span<const uint8_t> finish(const MessageHeader& header);

 private:
  static constexpr size_t kTemplateHeaderOctets = 4;  // template id 2 | field count 2
  static constexpr size_t kFieldOctets = 4;           // element id 2 | field length 2
  static constexpr size_t kFieldsOfAll =
      kFields<FlowKind::Ipv4> + kFields<FlowKind::Ipv6> + kFields<FlowKind::Link>;
  static constexpr size_t kOctetsMax = kMessageHeaderOctets + kSetHeaderOctets +
                                       kFlowKinds.size() * kTemplateHeaderOctets +
                                       kFieldsOfAll * kFieldOctets;

  size_t size_ = 0;
  std::array<uint8_t, kOctetsMax> octets_{};
};

}  // namespace clerk::ipfix
