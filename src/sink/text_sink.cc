#include "sink/text_sink.h"

#include <memory>
#include <utility>

namespace clerk {

TextSink::TextSink(std::string name, OutputFile file, TextFormat format, ipfix::TimeUnit unit)
    : name_(std::move(name)),
      file_(std::move(file)),
      format_(format),
      ipv4_fields_(ipfix::default_fields<IpVersion::V4>(unit)),
      ipv6_fields_(ipfix::default_fields<IpVersion::V6>(unit)) {
  if (format_ == TextFormat::Csv) file_.write(kCsvHeader);
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
  for (const FlowRecord& record : records) {
    if (format_ == TextFormat::Csv) {
      append_csv(lines_, record);
    } else {
      append_json(lines_, record, record.version() == IpVersion::V4 ? ipv4_fields_ : ipv6_fields_);
    }
  }
}

void TextSink::flush(uint32_t /*second*/) {
  (file_.flush() ? counts_.records_sent : counts_.records_lost) += std::exchange(unflushed_, 0);
}

}  // namespace clerk
