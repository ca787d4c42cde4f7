// IPFIX Messages under construction (RFC 7011 section 3): each a header and one set.
//
//   message   version 2 | length 2 | Export Time 4 | sequence number 4 | Observation Domain 4 | set
//   set       set id 2 | length 2 | records
//
// Messages of one template are filled one behind the other, a *run*. All but the last are full, and
// so equally long: the kernel can take a run at once (UDP_SEGMENT), and a file in one piece.
// Sequence number and Export Time are known only when the run leaves, so finish() writes the
// headers. The memory is the run's own and is reused.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "flow/flow_record.h"
#include "ipfix/template.h"

namespace clerk::ipfix {

inline constexpr size_t kMessageHeaderOctets = 16;
inline constexpr size_t kSetHeaderOctets = 4;

// The most octets of any message: it fits an Ethernet frame with IP and UDP headers and some room
// for a tunnel on the way.
inline constexpr size_t kMessageOctetsMax = 1400;

// How much a run holds: what one UDP_SEGMENT call takes, 64 datagrams (UDP_MAX_SEGMENTS) and what
// fits the length of an IPv4 packet.
inline constexpr size_t kRunMessagesMax = 64;
inline constexpr size_t kRunOctetsMax = 65'507 / kMessageOctetsMax * kMessageOctetsMax;

// What a run's first message says; the others count on.
struct MessageHeader {
  uint32_t export_second;
  uint32_t sequence;
  uint32_t observation_domain;
};

// Complete messages in the order in which they leave. A view: it owns nothing.
struct MessageRun {
  std::span<const uint8_t> octets;
  size_t message_octets;     // of each but the last, which may be shorter
  uint32_t message_records;  // the same
  uint32_t records;          // in all of them

  [[nodiscard]] size_t messages() const {
    return (octets.size() + message_octets - 1) / message_octets;
  }

  // As many messages as there are, at most `count`.
  [[nodiscard]] MessageRun first(size_t count) const {
    if (count >= messages()) return *this;
    return {octets.first(count * message_octets), message_octets, message_records,
            static_cast<uint32_t>(count) * message_records};
  }

  // All messages but the first `count`.
  [[nodiscard]] MessageRun behind(size_t count) const {
    const MessageRun front = first(count);
    return {octets.subspan(front.octets.size()), message_octets, message_records,
            records - front.records};
  }
};

// Data Sets of one template, filled record by record.
class DataRun {
 public:
  DataRun(FlowKind kind, TimeUnit unit);

  // Messages are at most this long, which is room for a record and kMessageOctetsMax at most. Only
  // while there are no records.
  void set_message_octets(size_t octets_max);

  [[nodiscard]] bool is_full() const { return records_ == records_max_; }
  [[nodiscard]] uint32_t records() const { return records_; }

  // The record's kind is the run's; the run is not full.
  void add(const FlowRecord& record) {
    if (message_room_ == 0) begin_message();
    end_ = encode_(end_, record);
    --message_room_;
    ++records_;
  }

  // Completes the messages, at least one, and empties the run; the octets stay valid until the next
  // add().
  MessageRun finish(const MessageHeader& header);

 private:
  // Writes a Data Record and returns the octet behind it.
  using Encoder = uint8_t* (*)(uint8_t* to, const FlowRecord& record);

  static constexpr size_t kEmpty = kMessageHeaderOctets + kSetHeaderOctets;

  static Encoder encoder(FlowKind kind, TimeUnit unit);
  void begin_message();

  FlowKind kind_;
  Encoder encode_;
  std::unique_ptr<uint8_t[]> octets_;  // kRunOctetsMax of them
  uint8_t* end_;                       // of what is written
  uint32_t message_records_ = 0;       // in a full message
  uint32_t message_room_ = 0;          // records that the last message still takes
  uint32_t records_ = 0;
  uint32_t records_max_ = 0;
};

// The message that carries the templates.
class TemplateMessage {
 public:
  // Of flows of these kinds.
  explicit TemplateMessage(TimeUnit unit, std::span<const FlowKind> kinds = kIpFlowKinds);

  MessageRun finish(const MessageHeader& header);

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
