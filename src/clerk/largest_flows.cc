#include "clerk/largest_flows.h"

#include <algorithm>
#include <utility>

#include "decode/headers.h"

namespace clerk {

namespace {

IpAddress place_of(const MacAddress& mac) {
  IpAddress place;
  std::ranges::copy(mac.octets, place.octets.begin());
  return place;
}

}  // namespace

LargestFlows::Key LargestFlows::key_of(const FlowRecord& record) {
  const bool ip = !record.without_ip;
  return {.source = ip ? record.source : place_of(record.source_mac),
          .destination = ip ? record.destination : place_of(record.destination_mac),
          .source_port = record.source_port,
          .destination_port = record.destination_port,
          .icmp_type_code = record.icmp_type_code,
          .vlan_id = record.vlan_id,
          .ether_type = record.ether_type,
          .kind = std::to_underlying(record.kind()),
          .protocol = record.protocol,
          .dscp = dscp_of(record.tos)};
}

void LargestFlows::add(std::span<const FlowRecord> records) {
  for (const FlowRecord& record : records) {
    if (!period_) period_ = {record.first_ns, record.last_ns};
    period_->first_ns = std::min(period_->first_ns, record.first_ns);
    period_->last_ns = std::max(period_->last_ns, record.last_ns);
    const auto [at, is_new] = flows_.try_emplace(key_of(record), record);
    if (!is_new) {
      at->second.octets += record.octets;
      at->second.packets += record.packets;
    } else if (flows_.size() > kFlowsMax) {
      forget_smaller_half();
    }
  }
}

void LargestFlows::forget_smaller_half() {
  std::vector<uint64_t> sizes;
  sizes.reserve(flows_.size());
  for (const auto& [key, flow] : flows_)
    sizes.push_back(flow.octets);
  const auto half = static_cast<ptrdiff_t>((sizes.size() + 1) / 2);
  const auto middle = sizes.begin() + half - 1;
  std::ranges::nth_element(sizes, middle);
  const uint64_t bound = *middle;
  // All smaller flows go, and of those as large as the middle one any that are missing to the half.
  auto ties_to_forget =
      half - std::ranges::count_if(sizes, [bound](uint64_t size) { return size < bound; });
  std::erase_if(flows_, [&ties_to_forget, bound](const auto& flow) {
    if (flow.second.octets != bound) return flow.second.octets < bound;
    return ties_to_forget-- > 0;
  });
  approximate_ = true;
}

std::vector<FlowRecord> LargestFlows::largest(size_t count) const {
  std::vector<FlowRecord> flows;
  flows.reserve(flows_.size());
  for (const auto& [key, flow] : flows_)
    flows.push_back(flow);
  const auto larger = [](const FlowRecord& a, const FlowRecord& b) {
    return a.octets != b.octets ? a.octets > b.octets : a.first_ns < b.first_ns;
  };
  count = std::min(count, flows.size());
  std::ranges::partial_sort(flows, flows.begin() + static_cast<ptrdiff_t>(count), larger);
  flows.resize(count);
  return flows;
}

}  // namespace clerk
