#include "sink/record_pacer.h"

#include <algorithm>
#include <limits>
#include <thread>

namespace clerk {
namespace {

constexpr uint64_t per_second(std::chrono::milliseconds time) {
  return static_cast<uint64_t>(std::chrono::seconds(1) / time);
}

}  // namespace

// It rises only: records that come while others wait must not hold those back.
void RecordPacer::note_backlog(size_t records) {
  if (pace_.kind == RecordPace::Kind::Limit || pace_.records_per_second == 0) return;
  const uint64_t needed = records * 1000 / kSpread.count();
  const uint64_t slowest = records == 0 ? pace_.records_per_second : records_per_second_;
  records_per_second_ = std::max(slowest, needed);
}

size_t RecordPacer::burst_messages(uint32_t message_records) const {
  if (records_per_second_ == 0 || message_records == 0) return std::numeric_limits<size_t>::max();
  return std::max<size_t>(1, records_per_second_ / per_second(kBurst) / message_records);
}

void RecordPacer::wait(uint32_t records) {
  if (records_per_second_ == 0 || records == 0) return;
  const auto now = Clock::now();
  paid_until_ = std::max(paid_until_, now - kCredit);
  if (paid_until_ - now > kSleepMin) std::this_thread::sleep_until(paid_until_);
  paid_until_ += std::chrono::nanoseconds(records * uint64_t{1'000'000'000} / records_per_second_);
}

}  // namespace clerk
