#include "ipfix/session.h"

#include <algorithm>
#include <utility>

namespace clerk::ipfix {

Session::Session(const SessionOptions& options, Send send)
    : options_(options),
      send_(std::move(send)),
      templates_(options.time_unit, options.non_ip ? kFlowKinds : kIpFlowKinds),
      messages_{DataMessage(FlowKind::Ipv4, options.time_unit),
                DataMessage(FlowKind::Ipv6, options.time_unit),
                DataMessage(FlowKind::Link, options.time_unit)} {}

void Session::add(std::span<const FlowRecord> records, uint32_t export_second) {
  for (const FlowRecord& record : records) {
    DataMessage& message = message_for(record);
    if (message.is_full(octets_max_)) send_data(message, export_second);
    message.add(record);
  }
}

void Session::flush(uint32_t export_second) {
  for (DataMessage& message : messages_) {
    if (message.records() > 0) send_data(message, export_second);
  }
  if (templates_due(export_second)) send_templates(export_second);
}

void Session::lower_message_octets(size_t octets) {
  octets_max_ = std::clamp(octets, kMessageOctetsMin, octets_max_);
}

bool Session::templates_due(uint32_t export_second) const {
  if (!templates_sent_) return true;
  if (!options_.repeat_templates) return false;
  // A clock that went back also means "long ago".
  const bool old =
      export_second < *templates_sent_ || export_second - *templates_sent_ >= kTemplateSeconds;
  return old || messages_since_templates_ >= kTemplateMessages;
}

void Session::send_templates(uint32_t export_second) {
  messages_since_templates_ = 0;  // of the next 4096, this is the first
  templates_sent_ = export_second;
  send(templates_.finish(header(export_second)), 0);
}

void Session::send_data(DataMessage& message, uint32_t export_second) {
  if (templates_due(export_second)) send_templates(export_second);
  const uint32_t records = message.records();
  send(message.finish(header(export_second)), records);
}

void Session::send(std::span<const uint8_t> message, uint32_t records) {
  send_(message, records);
  sequence_ += records;
  ++messages_since_templates_;
}

MessageHeader Session::header(uint32_t export_second) const {
  return {export_second, sequence_, options_.observation_domain};
}

}  // namespace clerk::ipfix
