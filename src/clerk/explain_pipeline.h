// A run that explains: what FilePipeline does, on one thread, packet by packet.
//
//   source ──slice──> meter ──delta──> ledger
//                       └─ packets ──> explainer <── records
//
// Slices and deltas are cut as FilePipeline cuts them, so the records are the same.
#pragma once

#include "base/keyed_hash.h"
#include "capture/file_source.h"
#include "clerk/explainer.h"
#include "flow/ledger.h"
#include "flow/meter.h"

namespace clerk {

class ExplainPipeline {
 public:
  // All references outlive the pipeline. The hash must be the ledger's.
  ExplainPipeline(FileSource& source, const MeterOptions& options, Ledger& ledger,
                  const KeyedHash& hash, Explainer& explainer);

  // Reads everything and releases every record.
  void run();

 private:
  void count_slice(const Slice& slice);
  void count(const Packet& packet, const PacketOrigin& origin);
  [[nodiscard]] uint64_t count_of(const Headers& headers);
  template <typename Key>
  [[nodiscard]] uint64_t count_of(MeterTable<Key>& table, const Headers& headers) const;
  void merge(uint32_t second);

  FileSource& source_;
  Meter meter_;
  Ledger& ledger_;
  const KeyedHash& hash_;
  Explainer& explainer_;
  Delta delta_;
  LayerTrace layers_;
};

}  // namespace clerk
