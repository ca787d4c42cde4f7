#include "clerk/explained_packets.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace clerk {
namespace {

size_t octets_of(const ExplainedPacket& packet) { return sizeof packet + packet.text.size(); }

size_t octets_of(const ExplainedGroup& group) {
  size_t octets = 0;
  for (const ExplainedPacket& packet : group.packets)
    octets += octets_of(packet);
  return octets;
}

}  // namespace

ExplainedPackets::ExplainedPackets(size_t packets_of_record_max, size_t octets_max)
    : packets_of_record_max_(packets_of_record_max),
      octets_max_(octets_max),
      observer_{
          .counted = [this](uint64_t count, uint32_t record) { count_into_record(count, record); },
          .joined = [this](uint64_t count, uint64_t earlier) { join(count, earlier); },
          .orphaned = [this](uint64_t count) { note_orphans(count); },
          .released = [this](uint32_t record) { release(record); }} {}

void ExplainedPackets::add(uint64_t count, ExplainedPacket packet) {
  ExplainedGroup& group = by_count_[count];
  const size_t octets = octets_of(packet);
  if (group.packets.size() == packets_of_record_max_ || octets_ + octets > octets_max_) {
    ++group.left_out;
    return;
  }
  packet.text.shrink_to_fit();
  octets_ += octets;
  group.packets.push_back(std::move(packet));
}

void ExplainedPackets::move_into(ExplainedGroup& to, ExplainedGroup&& from) {
  const size_t room = packets_of_record_max_ - to.packets.size();
  const size_t moved = std::min(room, from.packets.size());
  const auto end = from.packets.begin() + static_cast<ptrdiff_t>(moved);
  to.packets.insert(to.packets.end(), std::make_move_iterator(from.packets.begin()),
                    std::make_move_iterator(end));
  from.packets.erase(from.packets.begin(), end);
  to.left_out += from.size();
  octets_ -= octets_of(from);
}

void ExplainedPackets::count_into_record(uint64_t count, uint32_t record) {
  auto node = by_count_.extract(count);
  if (!node.empty()) move_into(by_record_[record], std::move(node.mapped()));
}

void ExplainedPackets::join(uint64_t count, uint64_t earlier) {
  auto node = by_count_.extract(count);
  if (!node.empty()) move_into(by_count_[earlier], std::move(node.mapped()));
}

void ExplainedPackets::note_orphans(uint64_t count) {
  const auto found = by_count_.find(count);
  if (found == by_count_.end()) return;
  for (ExplainedPacket& packet : found->second.packets)
    packet.orphaned = true;
}

void ExplainedPackets::release(uint32_t record) {
  auto node = by_record_.extract(record);
  released_.push_back(node.empty() ? ExplainedGroup{} : std::move(node.mapped()));
}

ExplainedGroup ExplainedPackets::take_next() {
  CHECK(!released_.empty());
  ExplainedGroup group = std::move(released_.front());
  released_.pop_front();
  octets_ -= octets_of(group);
  std::ranges::sort(group.packets, {}, &ExplainedPacket::ordinal);
  return group;
}

bool ExplainedPackets::empty() const {
  return by_count_.empty() && by_record_.empty() && released_.empty();
}

}  // namespace clerk
