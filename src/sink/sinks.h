// All sinks of a run as one: each gets everything.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "sink/destination.h"
#include "sink/sink.h"
#include "sink/udp_sink.h"

namespace clerk {

// Opens what the destination names. Errors name it.
Result<std::unique_ptr<Sink>> create_sink(const Destination& destination,
                                          const UdpOptions& options);

class Sinks {
 public:
  void attach(std::unique_ptr<Sink> sink) { sinks_.push_back(std::move(sink)); }

  void add(std::span<const FlowRecord> records, uint32_t second);
  void flush(uint32_t second);

  // No sink takes anything any more: there is no point in going on.
  [[nodiscard]] bool all_failed() const;

  [[nodiscard]] SinkCounts total() const;
  [[nodiscard]] std::span<const std::unique_ptr<Sink>> each() const { return sinks_; }

 private:
  std::vector<std::unique_ptr<Sink>> sinks_;
};

}  // namespace clerk
