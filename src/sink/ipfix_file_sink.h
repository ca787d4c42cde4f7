// IPFIX messages in a file (RFC 5655): the same octets as on the wire, one message after the other.
#pragma once

#include <memory>

#include "ipfix/session.h"
#include "sink/output_file.h"
#include "sink/sink.h"

namespace clerk {

class IpfixFileSink : public Sink {
 public:
  // Creates or empties the file at `path`. `name` is what the user wrote.
  static Result<std::unique_ptr<Sink>> create(std::string name, const std::string& path,
                                              const ipfix::SessionOptions& options);

  void add(std::span<const FlowRecord> records, uint32_t second) override {
    session_.add(records, second);
  }
  void flush(uint32_t second) override;
  [[nodiscard]] SinkCounts counts() const override { return counts_; }
  [[nodiscard]] std::optional<Error> failure() const override { return file_.error(); }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  IpfixFileSink(std::string name, OutputFile file, const ipfix::SessionOptions& options);
  void write(const ipfix::MessageRun& run);

  std::string name_;
  OutputFile file_;
  uint64_t unflushed_ = 0;  // records written since the last flush
  SinkCounts counts_;
  ipfix::Session session_;
};

}  // namespace clerk
