#include "clerk/explainer.h"

#include "base/check.h"

namespace clerk {

void Explainer::metered(const Packet& packet, const PacketOrigin& origin, const LayerTrace& layers,
                        const Headers& headers, uint64_t ordinal, uint64_t count) {
  packets_.add(count, {.ordinal = ordinal,
                       .text = describe_metered(place_of(packet, origin), layers, headers)});
}

void Explainer::ignored(const Packet& packet, const PacketOrigin& origin, const LayerTrace& layers,
                        Stop stop) {
  if (!has_addresses(layers, packet, expression_)) return;
  ++totals_.ignored;
  output_.write(describe_ignored(place_of(packet, origin), layers, stop));
}

void Explainer::add(std::span<const FlowRecord> records) {
  for (const FlowRecord& record : records) {
    ++records_;
    const ExplainedGroup group = packets_.take_next();
    // Fragments were held whatever their ports.
    if (expression_.matches(record)) write(record, group);
  }
}

void Explainer::write(const FlowRecord& record, const ExplainedGroup& group) {
  DCHECK(group.size() == record.packets);
  ++totals_.records;
  totals_.packets += group.size();
  output_.write(describe_record(record, records_, non_ip_));
  for (const ExplainedPacket& packet : group.packets) {
    output_.write(packet.text);
    if (packet.orphaned) output_.write("    the first fragment never came: counted with port 0\n");
  }
  if (group.left_out > 0)
    output_.write(fmt::format("  and {} more, which there was no room to hold\n", group.left_out));
  output_.write("\n");
}

void Explainer::finish(const PacketCounts& counts) {
  DCHECK(packets_.empty());
  output_.write(describe_totals(expression_, totals_, counts));
  output_.flush();
}

}  // namespace clerk
