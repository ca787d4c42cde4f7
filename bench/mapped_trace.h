// A capture file as bench/trace writes it, mapped into memory: a little-endian pcap with nanosecond
// times and Ethernet frames (trace.cc draws it). next() walks it record by record and copies
// nothing.
//
// The mapping is the object's and its records point into it. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "bare_headers.h"

namespace clerk::bench {

struct TraceRecord {
  const std::uint8_t* frame = nullptr;
  std::size_t captured = 0;
  std::uint64_t time_ns = 0;
};

class MappedTrace {
 public:
  // Exits with an error when the file cannot be read, or is of another kind.
  explicit MappedTrace(const std::string& path);
  ~MappedTrace();
  MappedTrace(const MappedTrace&) = delete;
  MappedTrace& operator=(const MappedTrace&) = delete;

  // False at the end, and before a record that is cut.
  bool next(TraceRecord& record) {
    constexpr std::uint64_t kSecondNs = 1'000'000'000;
    if (end_ - at_ < kRecordHeaderOctets) return false;
    const auto captured = load_raw<std::uint32_t>(at_ + 8);
    if (end_ - at_ - kRecordHeaderOctets < captured) return false;
    record = {
        .frame = at_ + kRecordHeaderOctets,
        .captured = captured,
        .time_ns = load_raw<std::uint32_t>(at_) * kSecondNs + load_raw<std::uint32_t>(at_ + 4)};
    at_ += kRecordHeaderOctets + captured;
    return true;
  }

  // Has the records some way ahead on their way from memory: the file's pages lie anywhere, and the
  // processor's own prefetching ends with a page. Inlined by force, as
  // bare_table.h says why.
  [[gnu::always_inline]] void prefetch_ahead() const {
    __builtin_prefetch(at_ + kAheadOctets);
    __builtin_prefetch(at_ + kAheadOctets + 64);
  }

 private:
  static constexpr std::ptrdiff_t kRecordHeaderOctets = 16;

  // About twenty records: what memory takes to come, and little enough to be still there.
  static constexpr std::ptrdiff_t kAheadOctets = 2048;

  const std::uint8_t* begin_ = nullptr;
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
};

}  // namespace clerk::bench
