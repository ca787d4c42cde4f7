#include "capture/testimony_connection.h"

#include <algorithm>
#include <utility>

namespace clerk {
namespace {

// A daemon that is started again is there within moments; one that is away is not asked often.
constexpr auto kPauseMin = std::chrono::milliseconds(100);
constexpr auto kPauseMax = std::chrono::seconds(5);

// A hostile daemon may claim any sequence number, and no sum may overflow by it.
int64_t bounded(int64_t blocks) {
  constexpr int64_t kMax = int64_t{1} << 40;
  return std::clamp(blocks, -kMax, kMax);
}

}  // namespace

void TestimonyConnection::open(testimony::Client client, Clock::time_point now) {
  client_.emplace(std::move(client));
  if (position_) client_->go_on_from(*position_);
  opened_at_ = now;
  kernel_.reset();
  blocks_ = {};
}

void TestimonyConnection::put_off(Clock::time_point now) {
  pause_ = std::clamp<Clock::duration>(pause_ * 2, kPauseMin, kPauseMax);
  next_try_ = now + pause_;
}

// Only one that has lasted shows that the daemon is well again.
void TestimonyConnection::close(SourceCounts& counts, Clock::time_point now) {
  collect(counts);
  if (const auto position = client_->position()) position_ = position;
  client_.reset();
  if (now - opened_at_ >= kPauseMax) pause_ = {};
  put_off(now);
}

void TestimonyConnection::collect(SourceCounts& counts) {
  if (!client_) return;
  collect_drops(counts);
  collect_blocks(counts);
}

testimony::Result<std::optional<testimony::Block>> TestimonyConnection::next_block(
    std::chrono::milliseconds patience) {
  auto block = client_->next_block(patience);
  note_drops();
  return block;
}

// The daemon counts from when it made the ring, and says so when the connection begins. What is
// lower than before began anew.
void TestimonyConnection::note_drops() {
  const auto& told = client_->kernel_counters();
  if (!told) return;
  if (kernel_ && told->drops > kernel_->drops) drops_ += told->drops - kernel_->drops;
  kernel_ = told;
}

// A daemon that tells nothing may have dropped anything.
void TestimonyConnection::collect_drops(SourceCounts& counts) {
  counts.dropped += std::exchange(drops_, 0);
  if (!kernel_ && client_->counts().blocks > 0) ++counts.drops_unknown;
}

void TestimonyConnection::collect_blocks(SourceCounts& counts) {
  const testimony::BlockCounts& now = client_->counts();
  counts.blocks_stale += now.stale - blocks_.stale;
  counts.blocks_torn += now.torn - blocks_.torn;
  counts.blocks_losing += now.losing - blocks_.losing;
  counts.blocks_missed += bounded(now.missed) - bounded(blocks_.missed);
  blocks_ = now;
}

}  // namespace clerk
