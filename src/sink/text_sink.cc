#include "sink/text_sink.h"

#include <memory>
#include <utility>

namespace clerk {

TextSink::TextSink(std::string name, OutputFile file, TextFormat format, ipfix::TimeUnit unit)
    : name_(std::move(name)), file_(std::move(file)), format_(format), unit_(unit) {
  if (format_ == TextFormat::Csv) file_.write(kCsvHeader);
  if (format_ == TextFormat::CsvWithEtherType)
    file_.write(std::string_view(csv_header_with_ether_type()));
}

Result<std::unique_ptr<Sink>> TextSink::create(std::string name, const std::string& path,
                                               TextFormat format, ipfix::TimeUnit unit) {
  auto file = OutputFile::create(path);
  if (!file) return fail("--collector {}: {}", name, file.error().message);
  return std::unique_ptr<Sink>(new TextSink(std::move(name), *std::move(file), format, unit));
}

void TextSink::add(std::span<const FlowRecord> records, uint32_t /*second*/) {
  format_lines(records);
  file_.write(std::string_view(lines_.data(), lines_.size()));
  unflushed_ += records.size();
}

void TextSink::format_lines(std::span<const FlowRecord> records) {
  lines_.clear();
  for (const FlowRecord& record : records)
    append_line(record);
}

void TextSink::append_line(const FlowRecord& record) {
  switch (format_) {
    case TextFormat::Csv: return append_csv(lines_, record);
    case TextFormat::CsvWithEtherType: return append_csv_with_ether_type(lines_, record);
    case TextFormat::Json: return append_object(record);
  }
}

void TextSink::append_object(const FlowRecord& record) {
  using ipfix::default_fields;
  switch (record.kind()) {
    case FlowKind::Ipv4: return append_json(lines_, record, default_fields<FlowKind::Ipv4>(unit_));
    case FlowKind::Ipv6: return append_json(lines_, record, default_fields<FlowKind::Ipv6>(unit_));
    case FlowKind::Link: return append_json(lines_, record, default_fields<FlowKind::Link>(unit_));
  }
}

void TextSink::flush(uint32_t /*second*/) {
  (file_.flush() ? counts_.records_sent : counts_.records_lost) += std::exchange(unflushed_, 0);
}

}  // namespace clerk
