#include "sink/sinks.h"

#include <algorithm>

#include "sink/ipfix_file_sink.h"
#include "sink/text_sink.h"

namespace clerk {

Result<std::unique_ptr<Sink>> create_sink(const Destination& destination,
                                          const UdpOptions& options) {
  const auto& [name, kind, host, port, path] = destination;
  switch (kind) {
    case DestinationKind::Udp: return UdpSink::create(name, host, port, options);
    case DestinationKind::IpfixFile: return IpfixFileSink::create(name, path, options.session);
    case DestinationKind::Csv:
      return TextSink::create(
          name, path, options.session.non_ip ? TextFormat::CsvWithEtherType : TextFormat::Csv,
          options.session.time_unit);
    case DestinationKind::Json:
      return TextSink::create(name, path, TextFormat::Json, options.session.time_unit);
  }
  std::unreachable();
}

void Sinks::add(std::span<const FlowRecord> records, uint32_t second) {
  for (const auto& sink : sinks_)
    sink->add(records, second);
}

void Sinks::flush(uint32_t second) {
  for (const auto& sink : sinks_)
    sink->flush(second);
}

bool Sinks::all_failed() const {
  return std::ranges::all_of(sinks_, [](const auto& sink) { return sink->failure().has_value(); });
}

SinkCounts Sinks::total() const {
  SinkCounts total;
  for (const auto& sink : sinks_)
    total += sink->counts();
  return total;
}

}  // namespace clerk
