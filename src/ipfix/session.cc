#include "ipfix/session.h"

#include <algorithm>
#include <utility>

#include "base/prefetch.h"

namespace clerk::ipfix {
namespace {

// Live, a ledger's records have left its cache when another thread encodes them, up to a second
// later: two cache lines each, which are on their way while so many others are encoded.
constexpr size_t kRecordsAhead = 12;

CLERK_ALWAYS_INLINE void prefetch(const FlowRecord& record) {
  const auto* octets = reinterpret_cast<const uint8_t*>(&record);
  __builtin_prefetch(octets);
  __builtin_prefetch(octets + sizeof record - 1);
}

}  // namespace

Session::Session(const SessionOptions& options, Send send)
    : options_(options),
      send_(std::move(send)),
      templates_(options.time_unit, options.non_ip ? kFlowKinds : kIpFlowKinds),
      runs_{DataRun(FlowKind::Ipv4, options.time_unit), DataRun(FlowKind::Ipv6, options.time_unit),
            DataRun(FlowKind::Link, options.time_unit)} {}

void Session::add(std::span<const FlowRecord> records, uint32_t export_second) {
  for (size_t i = 0; i < records.size(); ++i) {
    prefetch(records[std::min(i + kRecordsAhead, records.size() - 1)]);
    DataRun& run = run_for(records[i]);
    if (run.is_full()) send_data(run, export_second);
    run.add(records[i]);
  }
}

void Session::flush(uint32_t export_second) {
  send_all(export_second);
  if (templates_due(export_second)) send_templates(export_second);
}

void Session::lower_message_octets(size_t octets, uint32_t export_second) {
  const size_t lowered = std::clamp(octets, kMessageOctetsMin, octets_max_);
  if (lowered == octets_max_) return;
  send_all(export_second);
  octets_max_ = lowered;
  for (DataRun& run : runs_)
    run.set_message_octets(lowered);
}

bool Session::templates_due(uint32_t export_second) const {
  if (!templates_sent_) return true;
  if (!options_.repeat_templates) return false;
  // A clock that went back also means "long ago".
  const bool old =
      export_second < *templates_sent_ || export_second - *templates_sent_ >= kTemplateSeconds;
  // Nor may they be further apart when the next run has left.
  return old || messages_since_templates_ + kRunMessagesMax > kTemplateMessages;
}

void Session::send_templates(uint32_t export_second) {
  messages_since_templates_ = 0;  // of the next 4096, this is the first
  templates_sent_ = export_second;
  send(templates_.finish(header(export_second)));
}

void Session::send_all(uint32_t export_second) {
  for (DataRun& run : runs_) {
    if (run.records() > 0) send_data(run, export_second);
  }
}

void Session::send_data(DataRun& data, uint32_t export_second) {
  if (templates_due(export_second)) send_templates(export_second);
  send(data.finish(header(export_second)));
}

void Session::send(const MessageRun& run) {
  send_(run);
  sequence_ += run.records;
  messages_since_templates_ += run.messages();
}

MessageHeader Session::header(uint32_t export_second) const {
  return {export_second, sequence_, options_.observation_domain};
}

}  // namespace clerk::ipfix
