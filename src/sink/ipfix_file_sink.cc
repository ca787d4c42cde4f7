#include "sink/ipfix_file_sink.h"

#include <memory>
#include <utility>

namespace clerk {

IpfixFileSink::IpfixFileSink(std::string name, OutputFile file,
                             const ipfix::SessionOptions& options)
    : name_(std::move(name)),
      file_(std::move(file)),
      session_(options, [this](const ipfix::MessageRun& run) { write(run); }) {}

Result<std::unique_ptr<Sink>> IpfixFileSink::create(std::string name, const std::string& path,
                                                    const ipfix::SessionOptions& options) {
  auto file = OutputFile::create(path);
  if (!file) return fail("--collector {}: {}", name, file.error().message);
  return std::unique_ptr<Sink>(new IpfixFileSink(std::move(name), *std::move(file), options));
}

void IpfixFileSink::write(const ipfix::MessageRun& run) {
  counts_.messages_sent += file_.write(run.octets) ? run.messages() : 0;
  unflushed_ += run.records;
}

void IpfixFileSink::flush(uint32_t second) {
  session_.flush(second);
  (file_.flush() ? counts_.records_sent : counts_.records_lost) += std::exchange(unflushed_, 0);
}

}  // namespace clerk
