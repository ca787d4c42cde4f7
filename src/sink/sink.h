// Where Flow Records leave: the interface of everything that --collector can name.
//
// A sink gets all records of the run in the order of their release, a batch a call, and the tick
// that the export clock stands at. Each has its own Transport Session or file and its own counts;
// what becomes of a record in one sink is no other sink's business. A sink that cannot go on counts
// what it loses and says why in failure(). One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/error.h"
#include "flow/flow_record.h"

namespace clerk {

struct SinkCounts {
  uint64_t records_sent = 0;
  uint64_t records_lost = 0;
  uint64_t messages_sent = 0;  // IPFIX messages; 0 for text
  uint64_t send_errors = 0;    // failed attempts, also those that a later one made good

  SinkCounts& operator+=(const SinkCounts& other) {
    records_sent += other.records_sent;
    records_lost += other.records_lost;
    messages_sent += other.messages_sent;
    send_errors += other.send_errors;
    return *this;
  }

  // What was counted since `before`.
  SinkCounts& operator-=(const SinkCounts& before) {
    records_sent -= before.records_sent;
    records_lost -= before.records_lost;
    messages_sent -= before.messages_sent;
    send_errors -= before.send_errors;
    return *this;
  }
};

class Sink {
 public:
  virtual ~Sink() = default;

  virtual void add(std::span<const FlowRecord> records, uint32_t second) = 0;

  // Live: so many records wait for this sink, those of the next add() among them. A sink that takes
  // its time over them takes less the more there are.
  virtual void note_backlog(size_t /*records*/) {}

  // All records of this tick were added: what waits for company leaves now.
  virtual void flush(uint32_t second) = 0;

  [[nodiscard]] virtual SinkCounts counts() const = 0;

  // Why the sink loses everything from some point on, if it does.
  [[nodiscard]] virtual std::optional<Error> failure() const = 0;

  // As the user wrote it behind --collector.
  [[nodiscard]] virtual const std::string& name() const = 0;
};

}  // namespace clerk
