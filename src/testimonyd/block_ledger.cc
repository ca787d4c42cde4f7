#include "testimonyd/block_ledger.h"

#include "base/check.h"

namespace clerk {

BlockLedger::BlockLedger(uint32_t blocks) : holders_(blocks), lent_at_(blocks) {}

void BlockLedger::add(Holder holder) {
  accounts_.emplace(holder, Account{.holds = std::vector<bool>(blocks())});
}

std::vector<uint32_t> BlockLedger::remove(Holder holder) {
  std::vector<uint32_t> freed;
  const auto found = accounts_.find(holder);
  if (found == accounts_.end()) return freed;
  for (uint32_t index = 0; index < blocks(); ++index) {
    if (found->second.holds[index] && release(index)) freed.push_back(index);
  }
  accounts_.erase(found);
  move_oldest();
  return freed;
}

bool BlockLedger::lend(Clock::time_point now) {
  CHECK(room() > 0);
  const uint32_t index = next();
  for (auto& [holder, account] : accounts_) {
    account.holds[index] = true;
    ++account.held;
  }
  holders_[index] = static_cast<uint32_t>(accounts_.size());
  lent_at_[index] = now;
  ++lent_;
  if (holders_[index] > 0) ++held_;
  move_oldest();
  return holders_[index] > 0;
}

BlockLedger::Return BlockLedger::give_back(Holder holder, uint32_t index) {
  const auto found = accounts_.find(holder);
  if (found == accounts_.end() || index >= blocks() || !found->second.holds[index])
    return Return::Foreign;
  found->second.holds[index] = false;
  --found->second.held;
  if (!release(index)) return Return::Held;
  move_oldest();
  return Return::Free;
}

// True when that was the last holder.
bool BlockLedger::release(uint32_t index) {
  if (--holders_[index] > 0) return false;
  --held_;
  return true;
}

void BlockLedger::move_oldest() {
  while (oldest_ < lent_ && holders_[index_of(oldest_)] == 0)
    ++oldest_;
}

std::optional<uint32_t> BlockLedger::oldest_held() const {
  return oldest_ == lent_ ? std::nullopt : std::optional(index_of(oldest_));
}

std::vector<BlockLedger::Holder> BlockLedger::holders_of(uint32_t index) const {
  std::vector<Holder> holders;
  for (const auto& [holder, account] : accounts_)
    if (account.holds[index]) holders.push_back(holder);
  return holders;
}

uint32_t BlockLedger::held_by(Holder holder) const {
  const auto found = accounts_.find(holder);
  return found == accounts_.end() ? 0 : found->second.held;
}

}  // namespace clerk
