#include "clerk/explain_pipeline.h"

#include "base/check.h"
#include "clerk/file_pipeline.h"

namespace clerk {

ExplainPipeline::ExplainPipeline(FileSource& source, const MeterOptions& options, Ledger& ledger,
                                 const KeyedHash& hash, Explainer& explainer)
    : source_(source),
      meter_(hash, options),
      ledger_(ledger),
      hash_(hash),
      explainer_(explainer),
      delta_(file_delta(options)) {
  source_.tell_origins();
  ledger_.tell(explainer_.observer());
}

void ExplainPipeline::run() {
  Slice slice;
  while (source_.next_slice(slice)) {
    count_slice(slice);
    merge(slice.second);
    end_slice(ledger_, slice.end, slice.next_second, slice.clock_jumped);
  }
}

void ExplainPipeline::count_slice(const Slice& slice) {
  for (size_t i = 0; i < slice.packets.size(); ++i) {
    if (i % Meter::kBatch == 0 && delta_.room() < Meter::kBatch) merge(slice.second);
    count(slice.packets[i], slice.origins[i]);
  }
  delta_.counts.filtered += slice.packets_filtered;
}

void ExplainPipeline::count(const Packet& packet, const PacketOrigin& origin) {
  const uint64_t ordinal = ledger_.counts().packets.received + delta_.counts.received;
  meter_.count({&packet, 1}, delta_);
  Headers headers{};
  const Stop stop = meter_.decode(packet, headers);
  if (stop == Stop::Done && !explainer_.expression().may_match(headers)) return;
  // Few packets get this far: only for them words are made.
  layers_.clear();
  static_cast<void>(meter_.decode(packet, headers, &layers_));
  if (stop == Stop::Done) {
    explainer_.metered(packet, origin, layers_, headers, ordinal, count_of(headers));
  } else {
    explainer_.ignored(packet, origin, layers_, stop);
  }
}

// The ordinal by which the ledger will know the count that the packet was just added to.
uint64_t ExplainPipeline::count_of(const Headers& headers) {
  return headers.version == IpVersion::V4 ? count_of(delta_.ipv4, headers)
                                          : count_of(delta_.ipv6, headers);
}

// A packet is added to the newest entry of its key, if it makes none itself.
template <typename Key>
uint64_t ExplainPipeline::count_of(MeterTable<Key>& table, const Headers& headers) const {
  const Key key = make_key<Key>(headers);
  const auto found = table.find_or_insert(key, hash_(key));
  CHECK(found.entry != nullptr && !found.is_new);
  return ledger_.counts().packets.received + found.entry->ordinal;
}

void ExplainPipeline::merge(uint32_t second) {
  delta_.second = second;
  ledger_.merge(delta_);
  delta_.clear();
}

}  // namespace clerk
