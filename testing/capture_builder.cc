#include "testing/capture_builder.h"

namespace clerk {
namespace {

constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr uint32_t kSnapOctets = 262144;

uint32_t magic_of(const PcapFormat& format) {
  return format.magic.value_or(format.unit == TimeUnit::Nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
}

}  // namespace

OrderedOctets& OrderedOctets::put(uint64_t value, size_t octets) {
  for (size_t i = 0; i < octets; ++i) {
    const size_t place = order_ == ByteOrder::Little ? i : octets - 1 - i;
    octets_.push_back(static_cast<uint8_t>(value >> (8 * place)));
  }
  return *this;
}

OrderedOctets& OrderedOctets::append(const std::vector<uint8_t>& octets) {
  octets_.insert(octets_.end(), octets.begin(), octets.end());
  return *this;
}

OrderedOctets& OrderedOctets::pad_to_words() {
  octets_.resize((octets_.size() + 3) / 4 * 4);
  return *this;
}

PcapBuilder::PcapBuilder(PcapFormat format) : format_(format), file_(format.order) {
  file_.put32(magic_of(format)).put16(format.major_version).put16(format.minor_version);
  file_.put64(0).put32(kSnapOctets).put32(format.link_type);
}

PcapBuilder& PcapBuilder::record_header(uint64_t time_ns, uint32_t captured_octets,
                                        uint32_t wire_octets) {
  const uint64_t unit_ns = format_.unit == TimeUnit::Nanoseconds ? 1 : 1000;
  file_.put32(time_ns / kNanosecondsPerSecond).put32(time_ns % kNanosecondsPerSecond / unit_ns);
  file_.put32(captured_octets).put32(wire_octets).put(0, format_.record_extra_octets);
  return *this;
}

PcapBuilder& PcapBuilder::packet(uint64_t time_ns, const std::vector<uint8_t>& octets,
                                 std::optional<uint32_t> wire_octets) {
  const auto captured = static_cast<uint32_t>(octets.size());
  record_header(time_ns, captured, wire_octets.value_or(captured));
  file_.append(octets);
  return *this;
}

PcapngBuilder& PcapngBuilder::block(uint32_t type, const std::vector<uint8_t>& body) {
  OrderedOctets block(order_);
  const size_t octets = 12 + (body.size() + 3) / 4 * 4;
  block.put32(type).put32(octets).append(body).pad_to_words().put32(octets);
  file_.insert(file_.end(), block.octets().begin(), block.octets().end());
  return *this;
}

PcapngBuilder& PcapngBuilder::section(ByteOrder order) {
  order_ = order;
  OrderedOctets body(order);
  body.put32(0x1a2b3c4d).put16(1).put16(0).put64(UINT64_MAX);  // a section of unknown length
  return block(0x0a0d0d0a, body.octets());
}

PcapngBuilder& PcapngBuilder::interface(const PcapngInterface& interface) {
  OrderedOctets body(order_);
  body.put16(interface.link_type).put16(0).put32(interface.snap_octets);
  if (interface.resolution) body.put16(9).put16(1).put(*interface.resolution, 1).pad_to_words();
  if (interface.offset_seconds) {
    body.put16(14).put16(8).put64(static_cast<uint64_t>(*interface.offset_seconds));
  }
  if (interface.resolution || interface.offset_seconds) body.put32(0);  // the end of the options
  return block(1, body.octets());
}

PcapngBuilder& PcapngBuilder::packet_block(uint32_t type, const PcapngStamp& stamp,
                                           const std::vector<uint8_t>& octets) {
  constexpr uint32_t kOldPacket = 2;
  OrderedOctets body(order_);
  if (type == kOldPacket) {
    body.put16(stamp.interface).put16(0xffff);  // the number of drops is not known
  } else {
    body.put32(stamp.interface);
  }
  body.put32(stamp.units >> 32).put32(stamp.units);
  const auto captured = static_cast<uint32_t>(octets.size());
  body.put32(stamp.captured_octets.value_or(captured));
  body.put32(stamp.wire_octets.value_or(captured)).append(octets);
  return block(type, body.octets());
}

PcapngBuilder& PcapngBuilder::packet(const PcapngStamp& stamp, const std::vector<uint8_t>& octets) {
  return packet_block(6, stamp, octets);
}

PcapngBuilder& PcapngBuilder::old_packet(const PcapngStamp& stamp,
                                         const std::vector<uint8_t>& octets) {
  return packet_block(2, stamp, octets);
}

PcapngBuilder& PcapngBuilder::simple_packet(const std::vector<uint8_t>& octets,
                                            std::optional<uint32_t> wire_octets) {
  OrderedOctets body(order_);
  body.put32(wire_octets.value_or(static_cast<uint32_t>(octets.size()))).append(octets);
  return block(3, body.octets());
}

}  // namespace clerk
