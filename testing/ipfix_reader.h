// An IPFIX decoder for tests (RFC 7011), which knows nothing of the code that writes the messages:
// it takes the wire by the RFC's word and refuses whatever that forbids.
//
//   IpfixReader reader;
//   const IpfixMessage message = reader.read(octets).value();
//   message.records[0].number(7)   // sourceTransportPort
//
// A reader follows one Transport Session: it remembers templates and the sequence number.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/error.h"
#include "base/ip_address.h"

namespace clerk {

struct IpfixRecord {
  uint16_t template_id = 0;
  std::map<uint16_t, std::vector<uint8_t>> fields;  // by Information Element

  [[nodiscard]] bool has(uint16_t element) const { return fields.contains(element); }

  // The field's value; the record must have it.
  [[nodiscard]] uint64_t number(uint16_t element) const;
  [[nodiscard]] IpAddress address(uint16_t element) const;
  // Of any of the flowStart and flowEnd elements 152 to 157, in nanoseconds since 1970.
  [[nodiscard]] uint64_t time_ns(uint16_t element) const;
};

struct IpfixMessage {
  uint32_t export_second = 0;
  uint32_t sequence = 0;
  uint32_t observation_domain = 0;
  uint32_t templates = 0;  // Template Records in it
  size_t octets = 0;
  std::vector<IpfixRecord> records;
};

class IpfixReader {
 public:
  // Decodes one message. Errors are violations of RFC 7011, among them a sequence number that is
  // not the count of Data Records before it.
  Result<IpfixMessage> read(std::span<const uint8_t> message);

  // Messages one after the other, as a file has them (RFC 5655).
  Result<std::vector<IpfixMessage>> read_file(std::span<const uint8_t> messages);

 private:
  struct FieldSpecifier {
    uint16_t element;
    uint16_t octets;
  };
  using Template = std::vector<FieldSpecifier>;

  Result<void> read_set(std::span<const uint8_t>& left, IpfixMessage& to);
  Result<void> read_templates(std::span<const uint8_t> set, IpfixMessage& to);
  Result<void> read_data(uint16_t template_id, std::span<const uint8_t> set, IpfixMessage& to);
  Result<void> check_sequence(const IpfixMessage& message);

  std::map<uint16_t, Template> templates_;
  std::optional<uint32_t> next_sequence_;
};

}  // namespace clerk
