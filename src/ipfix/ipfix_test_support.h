// For the tests of this folder and of those behind it: Flow Records of every value, and whether a
// decoded record says the same.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "flow/flow_record.h"
#include "ipfix/timestamp.h"
#include "testing/ipfix_reader.h"

namespace clerk::ipfix {

// Records whose every field is random, from a fixed seed.
class RandomRecords {
 public:
  explicit RandomRecords(uint64_t seed = 1) : random_(seed) {}

  FlowRecord next(IpVersion version) {
    FlowRecord record{.source = address(version),
                      .destination = address(version),
                      .octets = random_(),
                      .packets = random_(),
                      .first_ns = random_() % kTimeEnd,
                      .source_as = number<uint32_t>(),
                      .destination_as = number<uint32_t>(),
                      .source_port = number<uint16_t>(),
                      .destination_port = number<uint16_t>(),
                      .icmp_type_code = number<uint16_t>(),
                      .vlan_id = number<uint16_t>(),
                      .protocol = number<uint8_t>(),
                      .tos = number<uint8_t>(),
                      .tcp_flags = number<uint8_t>(),
                      .end_reason = static_cast<EndReason>(1 + random_() % 5)};
    record.last_ns = record.first_ns + random_() % (kTimeEnd - record.first_ns);
    return record;
  }

  FlowRecord next(FlowKind kind) {
    if (kind != FlowKind::Link) return next(kind == FlowKind::Ipv4 ? IpVersion::V4 : IpVersion::V6);
    FlowRecord record{.source_mac = mac(),
                      .destination_mac = mac(),
                      .octets = random_(),
                      .packets = random_(),
                      .first_ns = random_() % kTimeEnd,
                      .vlan_id = number<uint16_t>(),
                      .ether_type = number<uint16_t>(),
                      .end_reason = static_cast<EndReason>(1 + random_() % 5),
                      .without_ip = true};
    record.last_ns = record.first_ns + random_() % (kTimeEnd - record.first_ns);
    return record;
  }

  // Of IP.
  FlowRecord next() { return next(random_() % 2 == 0 ? IpVersion::V4 : IpVersion::V6); }

 private:
  template <typename T>
  T number() {
    return static_cast<T>(random_());
  }

  MacAddress mac() {
    MacAddress mac;
    for (uint8_t& octet : mac.octets)
      octet = number<uint8_t>();
    return mac;
  }

  IpAddress address(IpVersion version) {
    IpAddress address{.version = version};
    const size_t octets = version == IpVersion::V4 ? 4 : 16;
    for (size_t i = 0; i < octets; ++i)
      address.octets[i] = number<uint8_t>();
    return address;
  }

  std::mt19937_64 random_;
};

inline void expect_times_decoded(const IpfixRecord& decoded, const FlowRecord& record,
                                 TimeUnit unit) {
  const bool ns = unit == TimeUnit::Nanoseconds;
  const bool us = unit == TimeUnit::Microseconds;
  const auto start = static_cast<uint16_t>(ns ? 156 : us ? 154 : 152);
  const auto end = static_cast<uint16_t>(start + 1);
  const uint64_t resolution = ns ? 1 : us ? 1000 : 1'000'000;
  EXPECT_EQ(decoded.time_ns(start), record.first_ns / resolution * resolution);
  EXPECT_EQ(decoded.time_ns(end), record.last_ns / resolution * resolution);
}

inline void expect_link_decoded(const IpfixRecord& decoded, const FlowRecord& record,
                                TimeUnit unit) {
  const auto octets_of = [](const MacAddress& mac) {
    return std::vector<uint8_t>(mac.octets.begin(), mac.octets.end());
  };
  EXPECT_EQ(decoded.template_id, 258);
  EXPECT_EQ(decoded.fields.size(), 9U);
  EXPECT_EQ(decoded.fields.at(56), octets_of(record.source_mac));
  EXPECT_EQ(decoded.fields.at(80), octets_of(record.destination_mac));
  EXPECT_EQ(decoded.number(256), record.ether_type);
  EXPECT_EQ(decoded.number(352), record.octets);
  EXPECT_EQ(decoded.number(2), record.packets);
  EXPECT_EQ(decoded.number(136), static_cast<uint64_t>(record.end_reason));
  EXPECT_EQ(decoded.number(58), record.vlan_id);
  expect_times_decoded(decoded, record, unit);
}

// The elements are named by number here, so that a wrong name in the templates is found out.
inline void expect_decoded(const IpfixRecord& decoded, const FlowRecord& record,
                           TimeUnit unit = TimeUnit::Nanoseconds) {
  if (record.kind() == FlowKind::Link) return expect_link_decoded(decoded, record, unit);
  const bool ipv4 = record.kind() == FlowKind::Ipv4;
  EXPECT_EQ(decoded.template_id, ipv4 ? 256 : 257);
  EXPECT_EQ(decoded.fields.size(), 16U);
  EXPECT_EQ(decoded.address(ipv4 ? 8 : 27), record.source);
  EXPECT_EQ(decoded.address(ipv4 ? 12 : 28), record.destination);
  EXPECT_EQ(decoded.number(7), record.source_port);
  EXPECT_EQ(decoded.number(11), record.destination_port);
  EXPECT_EQ(decoded.number(4), record.protocol);
  EXPECT_EQ(decoded.number(6), record.tcp_flags);
  EXPECT_EQ(decoded.number(ipv4 ? 32 : 139), record.icmp_type_code);
  EXPECT_EQ(decoded.number(16), record.source_as);
  EXPECT_EQ(decoded.number(17), record.destination_as);
  EXPECT_EQ(decoded.number(1), record.octets);
  EXPECT_EQ(decoded.number(2), record.packets);
  EXPECT_EQ(decoded.number(5), record.tos);
  EXPECT_EQ(decoded.number(136), static_cast<uint64_t>(record.end_reason));
  EXPECT_EQ(decoded.number(58), record.vlan_id);
  expect_times_decoded(decoded, record, unit);
}

}  // namespace clerk::ipfix
