#include "testimonyd/shared_ring.h"

#include <linux/if_packet.h>

#include <algorithm>
#include <cstring>

#include "base/big_endian.h"
#include "testimony/protocol.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;

// What every client gets to give a block back, however little room there is.
constexpr milliseconds kHoldMin{5};

// What they get besides when the daemon was kept from running, and lends most of the ring at one
// moment: whatever kept it from running has kept them, too, and they need this long to be woken.
constexpr milliseconds kBurstPatience{100};

// How often in a row a tick may find a block full behind one that is not: the kernel may have
// filled both between the two looks.
constexpr uint32_t kTicksOutOfPhaseMax = 2;

template <typename T>
T copy_of(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace

SharedRing::SharedRing(Ring ring, const SharedRingLimits& limits, const RingCounts& counts)
    : ring_(std::move(ring)), limits_(limits), ledger_(ring_.shape().blocks), counts_(counts) {}

bool SharedRing::join(Client& client) {
  if (!client.connection.send_descriptor(ring_.fd())) return false;
  client.ring = this;
  clients_.emplace(client.number, &client);
  ledger_.add(client.number);
  ++counts_.clients_joined;
  client.send(counters_message());  // to nobody else, who need not know that somebody joins
  return true;
}

void SharedRing::leave(Client& client) {
  for (const uint32_t index : ledger_.remove(client.number))
    ring_.return_block(index);
  clients_.erase(client.number);
  client.ring = nullptr;
}

bool SharedRing::give_back(Client& client, uint32_t index) {
  const auto given = ledger_.give_back(client.number, index);
  if (given == BlockLedger::Return::Foreign) return false;
  ++client.blocks_returned;
  ++counts_.blocks_returned;
  if (given == BlockLedger::Return::Free) ring_.return_block(index);
  return true;
}

// A daemon that was kept from running lends many blocks at one moment, and nobody reads those all
// at once: the time for each begins behind that for the one before.
bool SharedRing::dispatch() {
  for (milliseconds behind = is_burst_ready() ? kBurstPatience : milliseconds(0);
       ledger_.room() > 0; behind += kHoldMin) {
    const auto block = ring_.ready_block(ledger_.next());
    if (!block) break;
    if (!is_as_filled(block->octets)) return false;
    lend(block->octets, behind);
  }
  return true;
}

// Whether most of what may be lent at all is about to be.
bool SharedRing::is_burst_ready() const {
  const uint32_t blocks = ring_.shape().blocks;
  const uint32_t burst = (blocks - limits_.reserve_blocks) / 2 + 1;
  const uint32_t next = ledger_.next();
  return ledger_.room() >= burst && ring_.ready_block((next + burst - 1) % blocks);
}

// The kernel numbers the blocks of a ring from 1 on.
bool SharedRing::is_as_filled(std::span<const uint8_t> block) const {
  const auto description = copy_of<tpacket_block_desc>(block.data());
  const auto& header = description.hdr.bh1;
  return description.version == TPACKET_V3 && header.seq_num == ledger_.lent() + 1 &&
         header.blk_len <= block.size() && header.offset_to_first_pkt <= header.blk_len;
}

void SharedRing::lend(std::span<const uint8_t> block, milliseconds behind) {
  const uint32_t index = ledger_.next();
  const auto status = copy_of<tpacket_block_desc>(block.data()).hdr.bh1.block_status;
  ++counts_.blocks;
  std::vector<uint8_t> message;
  testimony::put_block(index, message);
  for (auto& [number, client] : clients_) {
    client->send(message);
    ++client->blocks_sent;
    ++counts_.blocks_sent;
  }
  // Only now, so that a daemon which is kept from running does not take that from their time.
  const bool is_held = ledger_.lend(Clock::now() + behind);
  if (!is_held) ring_.return_block(index);
  if ((status & TP_STATUS_LOSING) == 0) return;
  ++counts_.blocks_losing;
  tell_counters();  // so that a client which ends soon knows of them
}

bool SharedRing::is_short_of_room() const { return ledger_.room() <= limits_.reserve_blocks; }

std::vector<Client*> SharedRing::late_clients(Clock::time_point now) const {
  std::vector<Client*> late;
  const auto oldest = ledger_.oldest_held();
  if (!oldest || now < deadline()) return late;
  for (const auto holder : ledger_.holders_of(*oldest))
    late.push_back(clients_.at(holder));
  return late;
}

SharedRing::Clock::time_point SharedRing::deadline() const {
  auto deadline = Clock::time_point::max();
  const auto oldest = ledger_.oldest_held();
  if (!oldest) return deadline;
  const auto since = ledger_.lent_at(*oldest);
  if (is_short_of_room()) deadline = since + kHoldMin;
  if (limits_.hold_max.count() > 0) deadline = std::min(deadline, since + limits_.hold_max);
  return deadline;
}

bool SharedRing::tick() {
  tell_counters();
  ticks_out_of_phase_ = is_out_of_phase() ? ticks_out_of_phase_ + 1 : 0;
  return ticks_out_of_phase_ < kTicksOutOfPhaseMax;
}

// A block that is full and not lent, behind the next one, which is not full: the kernel fills them
// in order, so somebody else wrote to one of them.
bool SharedRing::is_out_of_phase() const {
  const uint32_t next = ledger_.next();
  if (ledger_.room() == 0 || ring_.ready_block(next)) return false;
  for (uint32_t index = 0; index < ring_.shape().blocks; ++index) {
    if (!ledger_.is_held(index) && ring_.ready_block(index)) return true;
  }
  return false;
}

std::vector<uint8_t> SharedRing::counters_message() {
  counts_.kernel += ring_.take_statistics();
  std::array<uint8_t, 2 * sizeof(uint64_t)> value{};
  store_big_endian(store_big_endian(value.data(), counts_.kernel.packets), counts_.kernel.drops);
  std::vector<uint8_t> message;
  testimony::put_tlv(testimony::Type::KernelCounters, value, message);
  return message;
}

void SharedRing::tell_counters() {
  const std::vector<uint8_t> message = counters_message();
  // One who does not read is told later: the counters are sums.
  for (auto& [number, client] : clients_) {
    if (!client->connection.has_unsent()) client->send(message);
  }
}

RingCounts SharedRing::counts() {
  counts_.kernel += ring_.take_statistics();
  RingCounts counts = counts_;
  counts.blocks_held = ledger_.held();
  return counts;
}

}  // namespace clerk
