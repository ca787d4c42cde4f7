#include "sink/record_pacer.h"

#include <algorithm>
#include <thread>

namespace clerk {

void RecordPacer::wait(uint32_t records) {
  if (records_per_second_ == 0 || records == 0) return;
  const auto now = Clock::now();
  paid_until_ = std::max(paid_until_, now);
  if (paid_until_ - now > kBurst) std::this_thread::sleep_until(paid_until_);
  paid_until_ += std::chrono::nanoseconds(records * uint64_t{1'000'000'000} / records_per_second_);
}

}  // namespace clerk
