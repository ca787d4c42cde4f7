// Flow Records as lines of text, in a file or on stdout.
#pragma once

#include <memory>

#include "ipfix/template.h"
#include "sink/output_file.h"
#include "sink/record_text.h"
#include "sink/sink.h"

namespace clerk {

enum class TextFormat : uint8_t {
  Csv,
  CsvWithEtherType,  // where flows without IP may be among the records
  Json,
};

class TextSink : public Sink {
 public:
  // Creates or empties the file at `path` ("-" is stdout). `name` is what the user wrote.
  static Result<std::unique_ptr<Sink>> create(std::string name, const std::string& path,
                                              TextFormat format, ipfix::TimeUnit unit);

  void add(std::span<const FlowRecord> records, uint32_t second) override;
  void flush(uint32_t second) override;
  [[nodiscard]] SinkCounts counts() const override { return counts_; }
  [[nodiscard]] std::optional<Error> failure() const override { return file_.error(); }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  TextSink(std::string name, OutputFile file, TextFormat format, ipfix::TimeUnit unit);
  void format_lines(std::span<const FlowRecord> records);
  void append_line(const FlowRecord& record);
  void append_object(const FlowRecord& record);

  std::string name_;
  OutputFile file_;
  TextFormat format_;
  ipfix::TimeUnit unit_;
  fmt::memory_buffer lines_;
  uint64_t unflushed_ = 0;  // records written since the last flush
  SinkCounts counts_;
};

}  // namespace clerk
