// The largest flows of a run and its period, for the summary that people read.
//
// Adds up records of one flow over its timeouts. At most kFlowsMax flows are remembered; when there
// are more, the smaller half is forgotten, and the summary says that its figures are lower bounds.
// The ledger's thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/keyed_hash.h"
#include "flow/flow_record.h"

namespace clerk {

class LargestFlows {
 public:
  explicit LargestFlows(const KeyedHash& hash) : flows_(0, Hash{&hash}) {}

  void add(std::span<const FlowRecord> records);

  // At most `count`, by octets, largest first.
  [[nodiscard]] std::vector<FlowRecord> largest(size_t count) const;

  // Whether flows were forgotten on the way.
  [[nodiscard]] bool is_approximate() const { return approximate_; }

  // The times of the first and the last packet; nothing without packets.
  struct Period {
    uint64_t first_ns;
    uint64_t last_ns;
  };
  [[nodiscard]] const std::optional<Period>& period() const { return period_; }

 private:
  static constexpr size_t kFlowsMax = 65536;

  struct Key {
    IpAddress source;  // a MAC address lies in its first octets
    IpAddress destination;
    uint16_t source_port;
    uint16_t destination_port;
    uint16_t icmp_type_code;
    uint16_t vlan_id;
    uint16_t ether_type;
    uint16_t kind;  // of FlowKind; as wide as that, the key has no padding
    uint8_t protocol;
    uint8_t dscp;

    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    const KeyedHash* hash;
    size_t operator()(const Key& key) const { return (*hash)(key); }
  };

  static Key key_of(const FlowRecord& record);
  void forget_smaller_half();

  std::unordered_map<Key, FlowRecord, Hash> flows_;
  bool approximate_ = false;
  std::optional<Period> period_;
};

}  // namespace clerk
