// Capture files for tests, octet by octet, in either byte order:
//
//   PcapBuilder({.unit = TimeUnit::Nanoseconds}).packet(time_ns, octets).build()
//   PcapngBuilder().interface().packet({.units = 5}, octets).simple_packet(octets).build()
//
// build() gives the octets of the file; a test that wants damage does it to them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace clerk {

enum class ByteOrder : uint8_t { Little, Big };
enum class TimeUnit : uint8_t { Microseconds, Nanoseconds };

// Octets in a byte order that may be the other one.
class OrderedOctets {
 public:
  explicit OrderedOctets(ByteOrder order) : order_(order) {}

  OrderedOctets& put(uint64_t value, size_t octets);
  OrderedOctets& put16(uint64_t value) { return put(value, 2); }
  OrderedOctets& put32(uint64_t value) { return put(value, 4); }
  OrderedOctets& put64(uint64_t value) { return put(value, 8); }
  OrderedOctets& append(const std::vector<uint8_t>& octets);
  OrderedOctets& pad_to_words();

  [[nodiscard]] const std::vector<uint8_t>& octets() const { return octets_; }

 private:
  ByteOrder order_;
  std::vector<uint8_t> octets_;
};

struct PcapFormat {
  ByteOrder order = ByteOrder::Little;
  TimeUnit unit = TimeUnit::Microseconds;
  uint32_t link_type = 1;
  uint16_t major_version = 2;
  uint16_t minor_version = 4;
  std::optional<uint32_t> magic = {};  // instead of the one of the unit
  size_t record_extra_octets = 0;      // between the record header and the packet
};

class PcapBuilder {
 public:
  explicit PcapBuilder(PcapFormat format = {});

  // The wire had `wire_octets`, by default what was captured.
  PcapBuilder& packet(uint64_t time_ns, const std::vector<uint8_t>& octets,
                      std::optional<uint32_t> wire_octets = {});
  // A record header alone, with any claim.
  PcapBuilder& record_header(uint64_t time_ns, uint32_t captured_octets, uint32_t wire_octets);

  [[nodiscard]] const std::vector<uint8_t>& build() const { return file_.octets(); }

 private:
  PcapFormat format_;
  OrderedOctets file_;
};

struct PcapngInterface {
  uint16_t link_type = 1;
  uint32_t snap_octets = 0;
  std::optional<uint8_t> resolution = {};  // if_tsresol
  std::optional<int64_t> offset_seconds = {};
};

// Where and when a packet was captured, in the interface's unit, by default microseconds.
struct PcapngStamp {
  uint32_t interface = 0;
  uint64_t units = 0;
  std::optional<uint32_t> wire_octets = {};
  std::optional<uint32_t> captured_octets = {};  // the claim, instead of the right one
};

class PcapngBuilder {
 public:
  // Begins the first section.
  explicit PcapngBuilder(ByteOrder order = ByteOrder::Little) { section(order); }

  PcapngBuilder& section(ByteOrder order);
  PcapngBuilder& interface(const PcapngInterface& interface = {});
  PcapngBuilder& packet(const PcapngStamp& stamp, const std::vector<uint8_t>& octets);
  PcapngBuilder& old_packet(const PcapngStamp& stamp, const std::vector<uint8_t>& octets);
  PcapngBuilder& simple_packet(const std::vector<uint8_t>& octets,
                               std::optional<uint32_t> wire_octets = {});
  // A block of any type; the body is padded to whole words.
  PcapngBuilder& block(uint32_t type, const std::vector<uint8_t>& body);

  [[nodiscard]] const std::vector<uint8_t>& build() const { return file_; }

 private:
  PcapngBuilder& packet_block(uint32_t type, const PcapngStamp& stamp,
                              const std::vector<uint8_t>& octets);

  ByteOrder order_ = ByteOrder::Little;
  std::vector<uint8_t> file_;
};

}  // namespace clerk
